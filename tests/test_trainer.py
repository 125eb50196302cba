"""The training loop: repeatable, resumable, and it keeps the epoch that dev liked best."""

from __future__ import annotations

import io
import itertools
import math
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import given
import numpy as np
import pytest

from ser_cli.export.keras_network import KerasNetwork
from ser_cli.model import network as networks
from ser_cli.training import evidence, trainer
from ser_cli.training.dataset import Part
from ser_cli.types import Clip, TrainSettings

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from ser_cli.types import Floats

FRAMES, COLUMNS, CLASSES = 6, 5, 3
SETTINGS = TrainSettings(
    epochs=4,
    patience=10,
    batch_size=8,
    learning_rate=0.01,
    class_weights=True,
    schedule="cosine",
    min_learning_rate=0.0,
    plateau_factor=0.5,
    plateau_patience=1,
    mask_frames=2,
    mask_columns=2,
)


class KilledError(Exception):
    """What ends a training from outside."""


def batch(seed: int, n: int = 30, labels: tuple[int, ...] = (0, 1, 2)) -> Part:
    """Clips whose class lifts one column, drowned in some noise."""
    rng = np.random.default_rng(seed)
    y = np.array([labels[i % len(labels)] for i in range(n)], np.int64)
    x = rng.standard_normal((n, FRAMES, COLUMNS)).astype(np.float32)
    x[np.arange(n), :, y] += 2
    return given.part(x, y)


def network(seed: int = 0) -> keras.Model:
    """Everything with a state of its own: batch statistics, and dropout's generator."""
    import keras

    trainer.prepare(seed, threads=1)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FRAMES, COLUMNS)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def fit(
    *,
    seed: int = 0,
    dev: Part | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[trainer.Epoch], None] | None = None,
    train: Part | None = None,
    **changes: Any,
) -> tuple[trainer.Fit, list[Any]]:
    settings = replace(SETTINGS, **changes)
    model = trainer.compiled(network(seed), settings)
    done = trainer.fit(
        model,
        given.dataset(train or batch(0), dev),
        settings,
        seed=seed,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )
    return done, model.get_weights()


def same(first: list[Any], second: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def killer(after: int) -> Callable[[trainer.Epoch], None]:
    def on_epoch(row: trainer.Epoch) -> None:
        if row["epoch"] == after:
            raise KilledError

    return on_epoch


def test_the_seed_decides_everything() -> None:
    dev = batch(1)
    (history, weights), again, other = fit(dev=dev), fit(dev=dev), fit(dev=dev, seed=1)
    assert history == again[0] and same(weights, again[1])
    assert history != other[0] and not same(weights, other[1])


def test_the_loss_falls_and_dev_is_learned() -> None:
    done, _ = fit(dev=batch(1), epochs=12)
    assert done.history[-1]["loss"] < 0.6 * done.history[0]["loss"]
    assert done.history[done.best_epoch - 1]["dev_uar"] > 0.8


def test_a_row_an_epoch() -> None:
    rows: list[trainer.Epoch] = []
    done, _ = fit(dev=batch(1), epochs=2, on_epoch=rows.append)
    assert tuple(rows) == done.history
    names = ["epoch", "learning_rate", "loss", "dev_loss", "dev_accuracy", "dev_uar"]
    assert [list(row) for row in rows] == [names] * 2
    assert [row["epoch"] for row in rows] == [1, 2]
    done, _ = fit(epochs=1)
    assert list(done.history[0]) == names[:3]


# Before the best epoch and after it; after the last, when only the weights were not restored yet;
# and in the middle of a plateau, of dev's loss or training's, that has lowered the rate once.
@pytest.mark.parametrize(
    ("after", "with_dev", "schedule"),
    [
        (2, True, "cosine"),
        (2, False, "cosine"),
        (4, True, "cosine"),
        (3, True, "plateau"),
        (3, False, "plateau"),
    ],
)
def test_a_killed_training_goes_on_as_if_nothing_was(
    tmp_path: Path, after: int, with_dev: bool, schedule: str
) -> None:
    dev = batch(1) if with_dev else None
    rate = {"cosine": 0.01, "plateau": 2.0}[schedule]  # too fast to get better every epoch
    settings: dict[str, Any] = {"schedule": schedule, "learning_rate": rate}
    whole, weights = fit(dev=dev, **settings)
    assert len({row["learning_rate"] for row in whole.history}) > 1
    checkpoint = tmp_path / "state.npz"
    with pytest.raises(KilledError):
        fit(dev=dev, checkpoint=checkpoint, on_epoch=killer(after), **settings)
    rows: list[trainer.Epoch] = []
    resumed, continued = fit(dev=dev, checkpoint=checkpoint, on_epoch=rows.append, **settings)
    assert [row["epoch"] for row in rows] == list(range(after + 1, 5))  # no epoch is done twice
    assert resumed == whole
    for a, b in zip(weights, continued, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, rtol=0)


def test_a_training_that_goes_on_counts_the_seconds_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(0.0, 10.0)  # at the start, at each checkpoint and at the end
    clock = types.SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr(trainer, "time", clock)
    assert fit(epochs=4)[0].seconds == 10.0
    checkpoint = tmp_path / "state.npz"
    with pytest.raises(KilledError):
        fit(checkpoint=checkpoint, on_epoch=killer(2))
    assert fit(checkpoint=checkpoint)[0].seconds == 20.0 + 30.0


def test_a_damaged_checkpoint_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tmp_path / "state.npz"
    expected, weights = fit(epochs=2, checkpoint=checkpoint)
    whole = checkpoint.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    other = io.BytesIO()
    np.savez(other, something=np.zeros(3))
    for left in (b"no archive", b"", whole[: len(whole) // 2], bytes(flipped), other.getvalue()):
        checkpoint.write_bytes(left)
        rows: list[trainer.Epoch] = []
        found, others = fit(epochs=2, checkpoint=checkpoint, on_epoch=rows.append)
        assert len(rows) == 2 and found == expected and same(weights, others)
    assert [f"{checkpoint} is damaged" in message for message in caplog.messages] == [True] * 5


def scripted(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """Let dev say what the test wants, epoch by epoch."""
    told = iter(scores)
    monkeypatch.setattr(
        trainer,
        "_dev_scores",
        lambda model, data: {"dev_loss": 1.0, "dev_accuracy": 0.5, "dev_uar": next(told)},
    )


def test_patience_counts_epochs_without_a_better_uar(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, 0.3, 0.5, 0.4, 0.5, 0.9)
    done, _ = fit(dev=batch(1), epochs=10, patience=2)
    # Equal is not better; the fifth, which would have been, is not reached.
    assert (len(done.history), done.best_epoch) == (4, 2)


def test_a_better_epoch_gives_new_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, 0.3, 0.2, 0.4, 0.1, 0.5, 0.1)
    done, _ = fit(dev=batch(1), epochs=6, patience=2)
    assert (len(done.history), done.best_epoch) == (6, 5)


def test_the_best_epochs_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, 0.3, 0.9, 0.4, 0.4)
    model = trainer.compiled(network(), SETTINGS)
    seen: list[Any] = []
    trainer.fit(
        model, given.dataset(batch(0), batch(1)), SETTINGS, seed=0,
        on_epoch=lambda row: seen.append(model.get_weights()),
    )  # fmt: skip
    assert same(model.get_weights(), seen[1])
    assert not same(seen[1], seen[3])


def test_without_dev_the_last_epoch_is_kept_and_patience_waits_for_nothing() -> None:
    model = trainer.compiled(network(), SETTINGS)
    seen: list[Any] = []
    done = trainer.fit(
        model, given.dataset(batch(0)), replace(SETTINGS, patience=1), seed=0,
        on_epoch=lambda row: seen.append(model.get_weights()),
    )  # fmt: skip
    assert (len(done.history), done.best_epoch) == (4, 4)
    assert same(model.get_weights(), seen[3])


def test_dev_scores_are_what_their_names_say() -> None:
    class Fixed:
        input_shape, output_shape = (None, 1, 3), (None, 3)

        def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
            return x[:, 0, :3]

    y = np.array([0, 0, 0, 1])  # class 2 does not occur
    x = np.full((4, 1, 3), 0.2, np.float32)
    x[[0, 1, 2, 3], 0, [0, 0, 1, 1]] = 0.6
    row = trainer._dev_scores(Fixed(), given.dataset(batch(0), given.part(x, y)))
    assert row["dev_accuracy"] == pytest.approx(3 / 4)
    assert row["dev_uar"] == pytest.approx((2 / 3 + 1) / 2)
    assert row["dev_loss"] == pytest.approx(-(3 * math.log(0.6) + math.log(0.2)) / 4, rel=1e-6)


def test_large_inputs_are_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = given.dataset(batch(3, 10))
    model = KerasNetwork(network())
    whole = model.probabilities(data.train.features, data.preprocessor)
    sizes, run = [], model.run

    def recorded(x: Floats) -> Floats:
        sizes.append(len(x))
        return run(x)

    monkeypatch.setattr(networks, "BATCH", 3)
    monkeypatch.setattr(model, "run", recorded)
    in_parts = model.probabilities(data.train.features, data.preprocessor)
    np.testing.assert_allclose(in_parts, whole, atol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-5)
    assert sizes == [3, 3, 3, 1]


def clips(y: NDArray[np.int64]) -> list[Clip]:
    return [Clip(Path(f"{n}.wav"), emotion=f"class {label}") for n, label in enumerate(y)]


def test_classes_weigh_the_same_however_many_clips_they_have() -> None:
    y = np.array([0] * 6 + [1] * 3 + [3] * 1)
    weights = evidence.weights(clips(y), {}, by_class=True)
    np.testing.assert_allclose(weights[[0, 6, 9]], [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    assert weights.mean() == pytest.approx(1)
    assert evidence.weights(clips(np.array([0, 1, 2])), {}, by_class=True).tolist() == [1, 1, 1]


def test_the_loss_is_weighed_by_class() -> None:
    class Recorder:
        output_shape = (None, 2)

        def __init__(self) -> None:
            self.optimizer: Any = type("Optimizer", (), {})()
            self.weights: dict[int, float] = {}

        def step(self, x: Any, y: Any, weights: Any, degraded: Any) -> float:
            self.weights |= dict(zip(y.tolist(), weights.tolist(), strict=True))
            return 2.0

    recorder: Any = Recorder()
    train = given.part(np.zeros((12, 2, 2), np.float32), np.array([0] * 9 + [1] * 3))
    row = trainer._train_epoch(recorder, trainer._Lesson(train, SETTINGS, 0), epoch=3, rate=0.1)
    assert recorder.weights == pytest.approx({0: 12 / 18, 1: 12 / 6})
    assert row["loss"] == 2.0  # a mean over clips, although the last batch is smaller
    assert recorder.optimizer.learning_rate == row["learning_rate"] == 0.1


def test_every_clip_is_seen_once_an_epoch_in_another_order() -> None:
    class Recorder:
        output_shape = (None, 3)

        def __init__(self) -> None:
            self.optimizer: Any = type("Optimizer", (), {})()
            self.seen: list[float] = []

        def step(self, x: Any, y: Any, weights: Any, degraded: Any) -> float:
            self.seen += x[:, 0, 0].tolist()
            return 1.0

    x = np.tile(np.arange(20, dtype=np.float32)[:, None, None], (1, 2, 2))
    train = given.part(x, np.arange(20) % 3)
    plain = replace(SETTINGS, mask_frames=0, mask_columns=0)
    orders = []
    for seed, epoch in ((0, 1), (0, 2), (1, 1), (0, 1)):
        recorder: Any = Recorder()
        lesson = trainer._Lesson(train, plain, seed)
        trainer._train_epoch(recorder, lesson, epoch=epoch, rate=0.1)
        assert sorted(recorder.seen) == list(range(20))
        orders.append(recorder.seen)
    assert orders[0] == orders[3] and orders[0] != orders[1] and orders[0] != orders[2]


def test_masks_cover_training_clips_and_leave_the_data_alone() -> None:
    train = given.part(np.ones((16, FRAMES, COLUMNS), np.float32), np.arange(16) % 3)
    fit(train=train, epochs=1, mask_frames=3, mask_columns=3)
    assert (train.inputs(np.arange(16)) == 1).all()


def test_the_schedule_sets_the_rate_of_each_epoch() -> None:
    done, _ = fit(epochs=3)
    expected = [0.01 * 0.5 * (1 + math.cos(math.pi * k / 3)) for k in range(3)]
    assert [row["learning_rate"] for row in done.history] == expected


def test_classes_may_weigh_as_many_clips_as_they_have() -> None:
    few = batch(0, labels=(0, 0, 0, 1, 2))
    (weighted, first), (plain, second) = (
        fit(train=few, epochs=1, class_weights=chosen) for chosen in (True, False)
    )
    assert weighted.history != plain.history and not same(first, second)


def test_best_epoch() -> None:
    rows = [{"dev_uar": score} for score in (0.1, 0.6, 0.2, 0.6)]
    assert trainer.best_epoch(rows) == 2  # the first of equals
    assert trainer.best_epoch([{"loss": 3.0}, {"loss": 4.0}]) == 2
    assert trainer.best_epoch(rows, "last") == len(rows)


def test_the_last_epoch_may_be_kept_whatever_dev_says(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.9, 0.1, 0.2])
    monkeypatch.setattr(trainer, "_dev_scores", lambda *_: {"dev_uar": next(scores)})
    done, kept = fit(dev=batch(1), epochs=4, patience=1, keep="last")
    assert (len(done.history), done.best_epoch) == (4, 4)
    _, without = fit(epochs=4)
    assert same(kept, without)


def test_matrices_are_rounded_to_half_precision_and_nothing_else() -> None:
    model = network()
    before = model.get_weights()
    trainer.halve(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        rounded = old.astype(np.float16).astype(np.float32) if old.ndim > 1 else old
        np.testing.assert_array_equal(new, rounded)
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
