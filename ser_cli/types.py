"""The frozen dataclasses that travel between the steps. No logic.

Arrays are float32 unless stated otherwise. Shapes: n samples, T frames, F features,
N clips, W windows, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Params = Mapping[str, Any]
Failures = tuple[tuple[Path, str], ...]  # path and reason of what could not be read


class Progress(Protocol):
    """Is told how far long work is."""

    def __call__(self, done: int, total: int, note: str, unit: str = "clips", /) -> None:
        """Take how many are done of how many (0 if unknown), a note, and what they are."""


class Segment(NamedTuple):
    """What of a file is heard: all of it, or a stretch. It tells a clip from all others.

    Attributes:
        path: The file.
        start: Seconds from its beginning, to the microsecond.
        end: Likewise; None is the file's end.
    """

    path: Path
    start: float = 0.0
    end: float | None = None

    @property
    def fragment(self) -> str:
        """As addresses state it (W3C Media Fragments): "#t=1.5,3"; "" for a whole file."""
        end = "" if self.end is None else f",{_plain(self.end)}"
        return f"#t={_plain(self.start)}{end}" if self.start or end else ""

    @property
    def name(self) -> str:
        """The file's name without its extension, and which part of it: "dialogue#t=1.5,3"."""
        return self.path.stem + self.fragment

    def __str__(self) -> str:
        """Return the path, and which part of it."""
        return f"{self.path}{self.fragment}"


def _plain(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording, and what its corpus knows about it ("" where it does not).

    Attributes:
        path: The file.
        emotion: In the one spelling of `corpora.normalise_label`.
        speaker: Qualified by its corpus ("ravdess/01"), so that speakers of two corpora differ.
        corpus: Name of the corpus.
        split: The part its table names: train, dev or test.
        facts: Whatever else the corpus knows (channel, intensity, sex, ...), by name.
        start: Seconds of the file at which it begins.
        end: At which it ends; None is the file's end.
    """

    path: Path
    emotion: str = ""
    speaker: str = ""
    corpus: str = ""
    split: str = ""
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    start: float = 0.0
    end: float | None = None

    @property
    def segment(self) -> Segment:
        """What is heard of the file; no two clips of a corpus have the same."""
        return Segment(self.path, self.start, self.end)


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
class Copy:
    """Which augmented copy of a clip is made: its number, from 1, and its own random draws."""

    number: int
    rng: np.random.Generator


# waveform (n,), which copy -> a changed waveform (m,).
Augment = Callable[["Floats", Copy], "Floats"]


class MakeUp(Protocol):
    """Makes up a sound (n,): which of many, its own random draws, and its rate in Hz."""

    __name__: str

    def __call__(self, number: int, rng: np.random.Generator, *, sample_rate: int) -> Floats:
        """Return the sound."""
        ...


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a network is trained, whatever the network.

    Attributes:
        epochs: At most.
        batch_size: Clips per step.
        learning_rate: Of Adam, at the start.
        keep: Which epoch's weights are kept: the one with the highest dev UAR, or the last.
        patience: Epochs without a higher dev UAR after which training stops, if that one is kept.
        schedule: "constant", "cosine" (half of one, down to the minimum over all epochs) or
            "plateau" (lowered whenever the loss has not fallen for some epochs).
        min_learning_rate: Lowest rate of a schedule.
        plateau_factor: What a plateau multiplies the rate by.
        plateau_patience: Epochs that make a plateau.
        class_weights: Whether classes weigh the same however many clips they have.
        mask_frames: Longest run of frames that is masked in each clip; see `augment.mask`.
        mask_columns: Longest run of columns.
        copies: Augmented copies of each training clip.
        label_smoothing: Share of a clip's evidence that goes to all emotions of its corpus alike.
        adapt: Share of the clips that is shown against statistics of its speaker or corpus, so
            that a speaker can be enrolled; see `model.enrolment`. 0: none can.
        blanks: Made-up sounds without speech that are learned from: they are no emotion more than
            another.
        synthesised: Made-up voices of machines that are learned from, as neutral or calm.
        weights: Corpus -> its weight against the others'; without any, every clip counts alike.
        refit: Whether a second network learns from dev as well, for as many epochs as the first
            was trained to; without it the first, which dev has calibrated, is kept.
        max_len: T, frames that clips are padded or cut to; None: the recipe's, or learned.
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    keep: Literal["best", "last"] = "best"
    patience: int = 10
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    min_learning_rate: float = 0.0
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    class_weights: bool = False
    mask_frames: int = 0
    mask_columns: int = 0
    copies: int = 0
    label_smoothing: float = 0.0
    adapt: float = 0.0
    blanks: int = 0
    synthesised: int = 0
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    refit: bool = False
    max_len: int | None = None


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """What turns features (t, F) into a network's input: the three shared files as plain arrays.

    Attributes:
        max_len: T, frames that clips are padded or cut to.
        mean: Means to subtract, (F,) for scale "frame", (T * F,) for "cell", (0,) for "none".
        scale: Standard deviations to divide by, same shape.
        classes: Label of each output, sorted.
    """

    max_len: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joining:
    """How windows are joined.

    Attributes:
        smoothing_s: Seconds over which probabilities are averaged once more; 0 for none.
        shortest_s: Seconds that a row lasts at least, unless nothing was said around it.
        pause_s: Seconds of silence that do not part two rows of one emotion.
    """

    smoothing_s: float = 0.0
    shortest_s: float = 1.0
    pause_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of a recording in seconds, and who speaks in it ("" where that is not known).

    One that goes on to the end of the recording ends at infinity.
    """

    start: float
    end: float
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of `ser predict`: a file, or a window of it, and its emotion.

    `start` and `end` are seconds; `probabilities` is (C,) or None where status is "error";
    `speaker` is who speaks, or the channel, where that was asked for.
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
    speaker: str = ""
