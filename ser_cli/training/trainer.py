"""The training loop: one for all recipes, reproducible, resumable at every epoch."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data.store import atomic_write
from ser_cli.sound.augment import mask
from ser_cli.training.schedule import learning_rate

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from ser_cli.types import Batch, Floats, Params

    Epoch = dict[str, float]
    State = list[NDArray[Any]]  # of weights, optimizer and dropout's generators

DEV_BATCH = 64  # more would be no faster, and mfcc-cnn1d took half as much memory again


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training left: an entry an epoch, and the epoch (from 1) whose weights were kept.

    `seconds` counts all its pieces, however often it was cut off.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float = field(compare=False)


def fit(
    model: keras.Model,
    train: Batch,
    dev: Batch | None,
    settings: Params,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train a network and leave in it the weights of its best epoch on dev.

    Without dev the last epoch is kept.

    Args:
        model: Softmax output; compiled here unless it is.
        train: Clips to learn from.
        dev: Clips to choose the epoch by (highest UAR), or None.
        settings: epochs, patience, batch_size, class_weights (whether classes weigh the same
            however many clips they have), mask_frames, mask_columns, and what
            `schedule.learning_rate` takes.
        seed: Of order, masks and mixtures; dropout takes keras's own seed.
        checkpoint: File that is written after every epoch and continued from if present.
        on_epoch: Told each finished epoch; what it raises ends the training.
    """
    if not model.compiled:
        compiled(model, settings)
    state = _State(model, checkpoint)
    while not _finished(state.history, settings, has_dev=dev is not None):
        rate = learning_rate(settings, state.history)
        epoch = len(state.history) + 1
        row = _train_epoch(model, train, settings, seed=seed, epoch=epoch, rate=rate)
        if dev is not None:
            row |= _dev_scores(model, dev)
        state.add(row)
        if on_epoch:
            on_epoch(row)
    best = best_epoch(state.history)
    state.restore_best()
    return Fit(tuple(state.history), best, state.seconds())


def compiled(model: keras.Model, settings: Params) -> State:
    """Give a network its loss and optimizer, and return what it must be set back to."""
    from keras import losses, ops, optimizers

    model.compile(
        optimizer=optimizers.Adam(settings["learning_rate"]),
        loss=losses.SparseCategoricalCrossentropy(),
    )
    model.optimizer.build(model.trainable_variables)
    return [np.array(ops.convert_to_numpy(variable)) for variable in _variables(model)]


def set_back(model: keras.Model, state: State) -> None:
    """Make a network what it was when `compiled` returned this state."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def prepare(seed: int, threads: int = 0) -> None:
    """Make TensorFlow quiet, repeatable and no greedier than asked; call it before `build`.

    Args:
        seed: Of initial weights and dropout.
        threads: 0 for all cores. It cannot change once TensorFlow has computed something.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr():
        import keras
        import tensorflow as tf

        tf.config.get_visible_devices()
    # It warns of every new network that a study or a fold builds.
    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def best_epoch(history: list[Epoch]) -> int:
    """Return the number (from 1) of the epoch with the highest dev UAR; the last without dev."""
    if "dev_uar" not in history[-1]:
        return len(history)
    return 1 + max(range(len(history)), key=lambda i: history[i]["dev_uar"])


def probabilities(model: keras.Model, x: Floats) -> Floats:
    """Return softmax outputs (N, C) of features (N, T, F), in bounded batches."""
    parts = [model.predict_on_batch(x[at : at + DEV_BATCH]) for at in range(0, len(x), DEV_BATCH)]
    return np.concatenate(parts)


def class_weights(y: NDArray[np.int64], n_classes: int) -> Floats:
    """Return a weight a class (C,), inverse to its share, so that they average 1 over clips."""
    counts = np.bincount(y, minlength=n_classes)
    present = np.count_nonzero(counts)
    return (len(y) / (present * np.maximum(counts, 1))).astype(np.float32)


def _train_epoch(
    model: keras.Model, train: Batch, settings: Params, *, seed: int, epoch: int, rate: float
) -> Epoch:
    rng = np.random.default_rng([seed, epoch])
    weights = np.ones(len(train.y), np.float32)
    if settings["class_weights"]:
        weights = class_weights(train.y, model.output_shape[-1])[train.y]
    model.optimizer.learning_rate = rate
    order, size, total = rng.permutation(len(train.y)), settings["batch_size"], 0.0
    for at in range(0, len(order), size):
        chosen = order[at : at + size]
        x = mask(
            train.x[chosen],
            rng,
            frames=settings["mask_frames"],
            columns=settings["mask_columns"],
        )
        loss = model.train_on_batch(x, train.y[chosen], sample_weight=weights[chosen])
        total += float(loss) * len(chosen)
    return {"epoch": epoch, "learning_rate": rate, "loss": total / len(order)}


def _dev_scores(model: keras.Model, dev: Batch) -> Epoch:
    outputs = probabilities(model, dev.x)
    right = outputs.argmax(axis=1) == dev.y
    recalls = [right[dev.y == label].mean() for label in np.unique(dev.y)]
    likelihood = np.maximum(outputs[np.arange(len(dev.y)), dev.y], 1e-7)
    return {
        "dev_loss": float(-np.log(likelihood).mean()),
        "dev_accuracy": float(right.mean()),
        "dev_uar": float(np.mean(recalls)),
    }


def _finished(history: list[Epoch], settings: Params, *, has_dev: bool) -> bool:
    if len(history) >= settings["epochs"]:
        return True
    return has_dev and bool(history) and len(history) - best_epoch(history) >= settings["patience"]


def _variables(model: keras.Model) -> list[Any]:
    """Return all that training changes, dropout's generators among it."""
    return [*model.variables, *model.optimizer.variables]


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep libraries from writing to the file descriptor behind Python's back.

    TensorFlow tells of absent graphics cards before it reads its own log level.
    """
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


class _State:
    """Weights, optimizer, dropout's generators, history, best weights and time, kept on disk."""

    def __init__(self, model: keras.Model, checkpoint: Path | None) -> None:
        self._model = model
        self._checkpoint = checkpoint
        self.history: list[Epoch] = []
        self._best: list[Any] = []
        self._earlier, self._started = 0.0, time.monotonic()
        if checkpoint is not None and checkpoint.is_file():
            self._read(checkpoint)

    def add(self, row: Epoch) -> None:
        self.history.append(row)
        if best_epoch(self.history) == len(self.history):
            self._best = self._model.get_weights()
        if self._checkpoint is not None:
            self._write(self._checkpoint)

    def seconds(self) -> float:
        """Return for how long was trained, before the checkpoint and since."""
        return self._earlier + time.monotonic() - self._started

    def restore_best(self) -> None:
        self._model.set_weights(self._best)

    def _write(self, checkpoint: Path) -> None:
        arrays: dict[str, Any] = {
            "history": np.array(json.dumps(self.history)),
            "seconds": self.seconds(),
        }
        arrays |= {f"v{i}": np.asarray(v) for i, v in enumerate(_variables(self._model))}
        arrays |= {f"b{i}": value for i, value in enumerate(self._best)}
        with atomic_write(checkpoint) as temporary:
            np.savez(temporary, **arrays)

    def _read(self, checkpoint: Path) -> None:
        """Go on from a checkpoint; with one that is damaged, begin anew."""
        variables, n_weights = _variables(self._model), len(self._model.get_weights())
        try:
            with np.load(checkpoint, allow_pickle=False) as saved:
                history = json.loads(str(saved["history"]))
                earlier = float(saved["seconds"])
                values = [saved[f"v{i}"] for i in range(len(variables))]
                best = [saved[f"b{i}"] for i in range(n_weights)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        set_back(self._model, values)
        self.history, self._best, self._earlier = history, best, earlier
