"""The frozen dataclasses that travel between the steps. No logic.

Arrays are float32 unless said otherwise. Shapes: n samples, T frames, F features,
N clips, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras
    import numpy as np
    import optuna
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Params = Mapping[str, Any]
# Told how much of what is done, and what it is: done, total (0 if unknown), note.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording, and what its corpus knows about it ("" where it does not)."""

    path: Path
    emotion: str = ""
    speaker: str = ""
    corpus: str = ""
    split: str = ""
    channel: str = ""
    intensity: str = ""
    statement: str = ""
    repetition: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Audio:
    """A decoded recording: waveform (n,) mono in about -1..1, and what was odd about the file."""

    waveform: Floats
    sample_rate: int
    flags: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Recipe:
    """One complete system: features, network, training settings and search space.

    Attributes:
        name: What `--recipe` takes.
        source: Title of the document that describes the system.
        sample_rate: Hz.
        duration: Seconds every waveform is cut or padded to; None leaves it as it is.
        labels: The classes it knows, sorted.
        features: F, the width of a frame.
        columns: (F,) their names; see `sound.naming`.
        frames: T, fixed; None when it is learned from the training clips (95th percentile).
        scale: What the scaler standardises: each column of a frame, each cell of the
            (T, F) matrix, or nothing.
        version: Raised when `extract` or `augment` change meaning, so that caches follow.
        extract: waveform (n,) -> features (t, F).
        augment: waveform (n,), generator, number of the copy from 1 -> a changed waveform (m,).
        build: (T, F), C, params -> an uncompiled keras.Model with softmax output.
        defaults: Every setting of `build` and of the training loop.
        search: Optuna trial -> the settings it varies.
    """

    name: str
    source: str
    sample_rate: int
    duration: float | None
    labels: tuple[str, ...]
    features: int
    columns: tuple[str, ...]
    frames: int | None
    scale: Literal["frame", "cell", "none"]
    version: int
    extract: Callable[[Floats], Floats]
    augment: Callable[[Floats, np.random.Generator, int], Floats]
    build: Callable[[tuple[int, int], int, Params], keras.Model]
    defaults: Params
    search: Callable[[optuna.Trial], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """What turns features (t, F) into a network's input: the three shared files as plain arrays.

    Attributes:
        max_len: T, frames a clip is padded or cut to.
        mean: Means to subtract, (F,) for scale "frame", (T * F,) for "cell", (0,) for "none".
        scale: Standard deviations to divide by, same shape.
        classes: Label of each output, sorted.
    """

    max_len: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips as a network takes them: x (N, T, F), y (N,) int64, and the clips themselves."""

    x: Floats
    y: NDArray[np.int64]
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The three parts of a split, padded and scaled by statistics of the training part alone."""

    train: Batch
    dev: Batch
    test: Batch
    preprocessor: Preprocessor


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of `ser predict`: a file, or a window of it, and its emotion.

    `start` and `end` are seconds; `probabilities` is (C,) or None where status is "error".
    """

    file: str
    start: float
    end: float
    emotion: str
    confidence: float
    probabilities: Floats | None
    status: Literal["ok", "warning", "error"] = "ok"
    flags: tuple[str, ...] = field(default=())
    error: str = ""
