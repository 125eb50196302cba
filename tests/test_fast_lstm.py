"""The LSTM that trains fast gives what Keras's gives, and so do its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import given
import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.training import fast_lstm, session, settings, trainer
from ser_cli.training.dataset import Dataset

if TYPE_CHECKING:
    import keras

BATCH, FRAMES, WIDTH, UNITS = 3, 7, 5, 4


def networks(**given: Any) -> tuple[keras.Model, keras.Model]:
    """Return Keras's LSTM alone, and the same with the fast loop; the same weights."""
    import keras
    from keras import layers

    made = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        made.append(keras.Sequential([keras.Input((FRAMES, WIDTH)), layers.LSTM(UNITS, **given)]))
    fast = fast_lstm.speed_up(made[1])
    fast.set_weights(made[0].get_weights())
    return made[0], fast


def is_fast(model: keras.Model) -> bool:
    """Tell whether every LSTM of a network is fast, both ways of a bidirectional one too."""
    parts = [part for layer in model.layers for part in ways(layer)]
    found = [isinstance(p, fast_lstm.FastLSTM) for p in parts if hasattr(p, "recurrent_activation")]
    return bool(found) and all(found)


def ways(layer: Any) -> tuple[Any, ...]:
    both = hasattr(layer, "forward_layer")
    return (layer.forward_layer, layer.backward_layer) if both else (layer,)


def gradients(call: Callable[..., Any], variables: list[Any]) -> list[Any]:
    import tensorflow as tf

    rng = np.random.default_rng(1)
    x = tf.constant(rng.standard_normal((BATCH, FRAMES, WIDTH)), tf.float32)
    first = [tf.constant(rng.standard_normal((BATCH, UNITS)), tf.float32) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch([x, *first])
        made = call(x, first)
        outputs = made if isinstance(made, list | tuple) else [made]
        loss = tf.add_n([tf.reduce_sum(tf.sin(3.0 * output)) for output in outputs])
    return [*outputs, *tape.gradient(loss, [x, *first, *variables])]


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_outputs_and_gradients_are_those_of_keras(
    sequences: bool, backwards: bool, state: bool
) -> None:
    plain, fast = networks(
        return_sequences=sequences, go_backwards=backwards, return_state=state
    )  # fmt: skip
    assert is_fast(fast) and not is_fast(plain)
    expected, found = (
        gradients(
            lambda x, first, layer=model.layers[-1]: layer(x, initial_state=first),
            [v.value for v in model.trainable_variables],
        )
        for model in (plain, fast)
    )
    assert len(found) == len(expected) == (3 if state else 1) + 3 + 3
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, atol=2e-5)


def test_a_bidirectional_one_learns_as_keras_does() -> None:
    import keras
    from keras import layers, losses, optimizers

    histories = []
    for fast in (False, True):
        trainer.prepare(0)
        lstm = layers.Bidirectional(layers.LSTM(UNITS))
        model = keras.Sequential([keras.Input((FRAMES, WIDTH)), lstm, layers.Dense(2, "softmax")])
        if fast:
            model = fast_lstm.speed_up(model)
        model.compile(optimizers.Adam(0.05), losses.SparseCategoricalCrossentropy())
        x = np.random.default_rng(0).standard_normal((8, FRAMES, WIDTH)).astype(np.float32)
        y = (x.mean(axis=(1, 2)) > 0).astype(np.int64)
        histories.append([float(model.train_on_batch(x, y)) for _ in range(20)])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-3)
    assert histories[1][-1] < 0.5 * histories[1][0]


@pytest.mark.parametrize(
    "other",
    [{"activation": "relu"}, {"dropout": 0.1}, {"recurrent_dropout": 0.1}, {"use_bias": False}],
)
def test_what_is_not_plain_stays_keras(other: dict[str, Any]) -> None:
    assert not is_fast(networks(**other)[1])


def test_masked_frames_are_left_to_keras() -> None:
    plain, fast = networks()
    x = np.random.default_rng(2).standard_normal((BATCH, FRAMES, WIDTH)).astype(np.float32)
    heard = np.arange(FRAMES)[None] < np.array([[2], [FRAMES], [4]])
    expected, found = (np.asarray(model.layers[-1](x, mask=heard)) for model in (plain, fast))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(found, np.asarray(fast.layers[-1](x)), atol=1e-3)


@pytest.mark.parametrize("name", ["cnn-bilstm", "cnn-lstm-attention"])
def test_a_recipes_network_is_copied_whole(name: str) -> None:
    recipe = recipes.get(name)
    model = recipe.build((16, recipe.frontend.width), 3, recipe.params)
    fast = fast_lstm.speed_up(model)
    assert is_fast(fast) and not is_fast(model)
    assert [weight.path for weight in fast.weights] == [weight.path for weight in model.weights]
    # Weights and dropout's generators; and neither network trains the other.
    for mine, theirs in zip(fast.variables, model.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine is not theirs
    x = np.random.default_rng(3).standard_normal((2, 16, recipe.frontend.width)).astype(np.float32)
    np.testing.assert_allclose(fast(x), model(x), atol=1e-6)
    assert len(fast.losses) == len(model.losses)


def test_other_weights_fit_both_ways() -> None:
    plain, fast = networks(return_sequences=True)
    fast.set_weights([np.full_like(w, i + 1) / 9 for i, w in enumerate(fast.get_weights())])
    plain.set_weights(fast.get_weights())
    x = np.random.default_rng(2).standard_normal((BATCH, FRAMES, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(fast(x), plain(x), atol=1e-6)


def test_where_nothing_is_gained_the_network_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import tensorflow as tf

    other = keras.Sequential([keras.Input((FRAMES, WIDTH)), keras.layers.Dense(2)])
    assert fast_lstm.speed_up(other) is other
    plain, fast = networks()
    assert fast_lstm.speed_up(fast) is fast
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert fast_lstm.speed_up(plain) is plain


def test_training_uses_it_and_gives_weights_to_plain_layers() -> None:
    recipe = recipes.get(recipes.DEFAULT)
    width = recipe.frontend.width
    x = np.random.default_rng(4).standard_normal((6, 16, width)).astype(np.float32)
    data = given.dataset(given.part(x, np.arange(6) % 2), None)
    work = session.Work(recipe.name, settings.resolve(recipe).but({"epochs": 1}), seed=1)
    trainer.prepare(0, threads=1)
    first, again = (trained(data, work) for _ in range(2))
    assert is_fast(first)
    plain = recipe.build((16, width), first.output_shape[-1], recipe.params)
    plain.set_weights(first.get_weights())
    np.testing.assert_allclose(plain(x), first(x), atol=1e-6)
    for mine, theirs in zip(again.variables, first.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def trained(data: Dataset, work: session.Work) -> keras.Model:
    model = session.build(data, work)
    trainer.fit(model, data, work.settings.train, seed=work.seed)
    return model
