"""The convolution that trains fast gives what Keras's gives, and so do its gradients."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ser_cli.training import convolution, trainer

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats

CHANNELS = FILTERS = 256  # the fewest that count as wide
LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="Keras's own elsewhere")


def networks(frames: int = 17, **given: Any) -> tuple[keras.Model, keras.Model]:
    """Return Keras's Conv1D alone, and the same made fast; the same weights."""
    import keras
    from keras import layers

    made = []
    settings = {"filters": FILTERS, "kernel_size": 5, "padding": "same", **given}
    for _ in range(2):
        keras.utils.set_random_seed(0)
        layer = layers.Conv1D(bias_initializer="random_normal", **settings)
        made.append(keras.Sequential([keras.Input((frames, CHANNELS)), layer]))
    convolution.speed_up(made[1])
    return made[0], made[1]


def is_fast(model: keras.Model) -> bool:
    return isinstance(model.layers[-1].call, convolution._Call)


def gradients(model: keras.Model, x: Floats) -> list[Any]:
    """Return the output, and what x, kernel and bias do to it."""
    import tensorflow as tf

    heard = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(heard)
        outputs = model(heard)
        loss = tf.reduce_sum(tf.sin(outputs))
    variables = [v.value for v in model.trainable_variables]
    return [outputs, *tape.gradient(loss, [heard, *variables])]


def noise(*shape: int) -> Floats:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@LINUX
@pytest.mark.parametrize("taps", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("frames", [1, 6, 17])
@pytest.mark.parametrize("given", [{}, {"activation": "relu"}, {"use_bias": False}])
def test_outputs_and_gradients_are_those_of_keras(
    taps: int, frames: int, given: dict[str, Any]
) -> None:
    plain, fast = networks(frames, kernel_size=taps, **given)
    assert is_fast(fast) and not is_fast(plain)
    x = noise(3, frames, CHANNELS)
    expected, found = gradients(plain, x), gradients(fast, x)
    assert len(found) == len(expected) == (3 if "use_bias" in given else 4)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * float(np.abs(theirs).max()))


@LINUX
def test_it_learns_as_keras_does_from_batches_of_any_size() -> None:
    from keras import losses, optimizers

    losses_of = []
    for model in networks(activation="softmax"):
        model.compile(optimizers.Adam(1e-3), losses.SparseCategoricalCrossentropy())
        x, y = noise(5, 17, CHANNELS), np.arange(5 * 17).reshape(5, 17) % FILTERS
        sizes = (5, 3, 4, 5, 1) * 3
        losses_of.append([float(model.train_on_batch(x[:n], y[:n])) for n in sizes])
    np.testing.assert_allclose(losses_of[1], losses_of[0], rtol=1e-3)
    assert losses_of[1][-2] < 0.8 * losses_of[1][0]


@LINUX
@pytest.mark.parametrize(
    "other",
    [
        {"filters": FILTERS - 1},
        {"padding": "valid"},
        {"padding": "causal"},
        {"strides": 2},
        {"dilation_rate": 2},
        {"groups": 2},
        {"kernel_size": 1},
        {"kernel_size": 9},
    ],
)
def test_what_is_not_wide_and_plain_stays_keras(other: dict[str, Any]) -> None:
    assert is_fast(networks()[1])
    assert not is_fast(networks(**other)[1])


def test_elsewhere_it_stays_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert not is_fast(networks()[1])


@LINUX
def test_training_uses_it_and_what_is_saved_does_not_know(tmp_path: Any) -> None:
    import keras

    model, _ = networks()
    trainer.compiled(model, {"learning_rate": 0.1})
    assert is_fast(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    x = noise(2, 17, CHANNELS)
    assert not is_fast(loaded)
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-4)
