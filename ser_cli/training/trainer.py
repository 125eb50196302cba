"""The training loop: one for all recipes, reproducible, resumable at every epoch."""

from __future__ import annotations

import contextlib
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops, optimizers
from numpy.typing import NDArray

from ser_cli.data.store import atomic_write
from ser_cli.errors import DataError
from ser_cli.export.keras_network import KerasNetwork
from ser_cli.remarks import remark
from ser_cli.sound.augment import mask
from ser_cli.training import evidence, fast_lstm, losses, pace, voices
from ser_cli.training.committee import Learner
from ser_cli.training.dataset import Dataset, Part
from ser_cli.training.pace import Pace
from ser_cli.training.schedule import learning_rate
from ser_cli.training.views import Views
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    from ser_cli.types import Floats

Epoch = dict[str, float]
State = list[NDArray[Any]]  # of weights, optimizer and dropout's generators


class DivergedError(DataError):
    """The steps of a training were so large that its weights are no numbers any more."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"the training has diverged: the loss of epoch {epoch} is no number",
            hint="a lower rate: --learning-rate 1e-4",
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training left: an entry per epoch, and the epoch (from 1) whose weights were kept.

    `seconds` counts all its pieces, however often it was cut off.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float = field(compare=False)


def fit(
    model: keras.Model,
    data: Dataset,
    settings: TrainSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_pace: Pace | None = None,
) -> Fit:
    """Train a network and leave in it the weights of its best epoch on dev (highest UAR).

    Without dev clips the last epoch is kept. Dev clips also say how far each member of a network
    that has some is believed.

    Args:
        model: From `compiled`.
        data: Clips to learn from, and to choose the epoch by.
        settings: Of the training.
        seed: Of order, masks and mixtures; dropout takes keras's own seed.
        checkpoint: File that is written after every epoch and resumed from if present.
        on_epoch: Told each finished epoch; what it raises ends the training.
        on_pace: Told once, after some steps, for how many seconds it goes on at most; likewise.

    Raises:
        DivergedError: The loss is no number any more.
    """
    voices.take_off(model, data.train)  # of these clips, also where the network had others before
    state, has_dev = _State(model, checkpoint, settings.keep), len(data.dev.y) > 0
    lesson, learner = _Lesson(data.train, settings, seed), Learner(model)
    while not _finished(state.history, settings, has_dev=has_dev):
        rate = learning_rate(settings, state.history)
        epoch = len(state.history) + 1
        watch, on_pace = pace.Watch(on_pace, settings.epochs - epoch + 1), None
        row = _train_epoch(learner, lesson, epoch=epoch, rate=rate, watch=watch)
        if has_dev:
            learner.believe(data.dev, _weights(data.dev, settings))
            row |= _dev_scores(model, data)
        if not np.isfinite([*row.values()]).all():
            raise DivergedError(epoch)
        state.add(row)
        if on_epoch:
            on_epoch(row)
    best = best_epoch(state.history, settings.keep)
    state.restore_best()
    return Fit(tuple(state.history), best, state.seconds())


def compiled(
    model: keras.Model, settings: TrainSettings, loss: Any = "sparse_categorical_crossentropy"
) -> keras.Model:
    """Return the network ready to be trained: with loss and optimizer, and fast on a processor."""
    model = fast_lstm.speed_up(model)
    model.compile(optimizer=optimizers.Adam(settings.learning_rate), loss=loss)
    model.optimizer.build(model.trainable_variables)
    return model


def state(model: keras.Model) -> State:
    """Return a copy of all that training changes, to set the network back to."""
    return [np.array(ops.convert_to_numpy(variable)) for variable in _variables(model)]


def set_back(model: keras.Model, state: State) -> None:
    """Make a network what it was when `state` was called."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def halve(model: keras.Model) -> None:
    """Round the matrices of a network to half precision, so that files may keep them in it."""
    rounded = [
        value.astype(np.float16).astype(np.float32) if value.ndim > 1 else value
        for value in model.get_weights()
    ]
    model.set_weights(rounded)


def prepare(seed: int, threads: int = 0) -> None:
    """Make TensorFlow repeatable and no greedier than asked; call it before a network is built.

    Args:
        seed: Of initial weights and dropout.
        threads: 0 for all cores. It cannot change once TensorFlow has computed something.
    """
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def best_epoch(history: list[Epoch], keep: str = "best") -> int:
    """Return the number (from 1) of the epoch with the highest dev UAR; the last without dev."""
    if keep == "last" or "dev_uar" not in history[-1]:
        return len(history)
    return 1 + max(range(len(history)), key=lambda i: history[i]["dev_uar"])


def _weights(part: Part, settings: TrainSettings) -> Floats:
    return evidence.weights(part.clips, settings.weights, by_class=settings.class_weights)


class _Lesson:
    """What the epochs of a training have in common: weights, targets and views of its clips."""

    def __init__(self, train: Part, settings: TrainSettings, seed: int) -> None:
        self.train, self.settings, self.seed = train, settings, seed
        self.weights = _weights(train, settings)
        self.targets = losses.targets(train, settings)
        self._views = Views(train, seed=seed) if settings.adapt else None

    def batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        """Return the inputs of some clips as this epoch shows them."""
        x, settings = self.train.inputs(chosen), self.settings
        if self._views:
            x = self._views.show(x, chosen, rng, share=settings.adapt)
        return mask(x, rng, frames=settings.mask_frames, columns=settings.mask_columns)


def _train_epoch(
    learner: Learner, lesson: _Lesson, *, epoch: int, rate: float, watch: pace.Watch | None = None
) -> Epoch:
    rng = np.random.default_rng([lesson.seed, epoch])
    learner.optimizer.learning_rate = rate
    order, size, total = rng.permutation(len(lesson.train.y)), lesson.settings.batch_size, 0.0
    for at in range(0, len(order), size):
        chosen = order[at : at + size]
        total += len(chosen) * learner.step(
            lesson.batch(chosen, rng),
            lesson.targets[chosen],
            lesson.weights[chosen],
            lesson.train.degraded[chosen],
        )
        if watch:
            watch.step((at + len(chosen)) / len(order))
    return {"epoch": epoch, "learning_rate": rate, "loss": total / len(order)}


def _dev_scores(model: keras.Model, data: Dataset) -> Epoch:
    truth = data.dev.y
    outputs = KerasNetwork(model).probabilities(data.dev.features, data.preprocessor)
    right = outputs.argmax(axis=1) == truth
    recalls = [right[truth == label].mean() for label in np.unique(truth)]
    likelihood = np.maximum(outputs[np.arange(len(truth)), truth], 1e-7)
    return {
        "dev_loss": float(-np.log(likelihood).mean()),
        "dev_accuracy": float(right.mean()),
        "dev_uar": float(np.mean(recalls)),
    }


def _finished(history: list[Epoch], settings: TrainSettings, *, has_dev: bool) -> bool:
    if len(history) >= settings.epochs:
        return True
    if settings.keep == "last" or not has_dev or not history:
        return False
    return len(history) - best_epoch(history) >= settings.patience


def _variables(model: keras.Model) -> list[Any]:
    """Return all that training changes, dropout's generators among it."""
    return [*model.variables, *model.optimizer.variables]


class _State:
    """Weights, optimizer, dropout's generators, history, best weights and time, kept on disk."""

    def __init__(self, model: keras.Model, checkpoint: Path | None, keep: str) -> None:
        self._model = model
        self._keep = keep
        self._checkpoint = checkpoint
        self.history: list[Epoch] = []
        self._best: list[Any] = []
        self._earlier, self._started = 0.0, time.monotonic()
        if checkpoint is not None and checkpoint.is_file():
            self._read(checkpoint)

    def add(self, row: Epoch) -> None:
        self.history.append(row)
        if best_epoch(self.history, self._keep) == len(self.history):
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
        """Resume from a checkpoint; with one that is damaged, begin anew and say so."""
        variables, n_weights = _variables(self._model), len(self._model.get_weights())
        try:
            with np.load(checkpoint, allow_pickle=False) as saved:
                history = json.loads(str(saved["history"]))
                earlier = float(saved["seconds"])
                values = [saved[f"v{i}"] for i in range(len(variables))]
                best = [saved[f"b{i}"] for i in range(n_weights)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            remark(f"{checkpoint} is damaged: the training begins at its first epoch")
            return
        set_back(self._model, values)
        self.history, self._best, self._earlier = history, best, earlier
