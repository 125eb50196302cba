"""A recording cut into windows, and the network's outputs for them combined into rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import SerError, UsageError
from ser_cli.sound import audio
from ser_cli.sound.files import Found
from ser_cli.types import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Audio, Floats

UNCERTAIN = "uncertain"  # in place of an emotion
OVERLAP = 0.5  # of the windows that a long recording is cut into
SHORTEST_S = 0.05  # of window and step: less is no sound, and a hundred times the work


@dataclass(frozen=True, slots=True)
class Plan:
    """How recordings are cut; small, since it travels to worker processes.

    Attributes:
        frontend: Makes the features of each window.
        context: Seconds that the network takes at once.
        window: Seconds of a row; None makes one row per file.
        step: Seconds from row to row; None is the window.
    """

    frontend: Frontend
    context: float
    window: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, in seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A recording before it goes through the network.

    Attributes:
        file: Its name.
        rows: The rows wanted of it, and how many windows make each.
        windows: All windows, row after row.
        features: Of each window, (t, F).
        flags: What was odd about the file.
        error: Why there is nothing else.
    """

    file: str
    rows: tuple[tuple[Span, int], ...] = ()
    windows: tuple[Span, ...] = ()
    features: tuple[Floats, ...] = ()
    flags: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording after it did, with the probabilities (W, C) of its windows."""

    cut: Cut
    probabilities: Floats


def check(window: float | None, step: float | None) -> None:
    """Refuse lengths of window and step, in seconds, that make no sense.

    Raises:
        UsageError: One is too short, or there is a step without a window.
    """
    if step is not None and window is None:
        raise UsageError("a step needs a window", hint="--window SECONDS --step SECONDS")
    for name, seconds in (("window", window), ("step", step)):
        if seconds is not None and not SHORTEST_S <= seconds < math.inf:
            raise UsageError(f"the {name} must be at least {SHORTEST_S} s, not {seconds}")


def cut_file(source: Found | BinaryIO, plan: Plan) -> Cut:
    """Read a file and cut it; whatever goes wrong with it is data, not an end."""
    if not isinstance(source, Found):
        name = str(getattr(source, "name", "audio stream"))
    elif source.error:
        return Cut(source.file, error=source.error)
    else:
        name = source.file
    file = name if isinstance(source, Found) else source
    try:
        return cut(name, audio.load(file, sample_rate=plan.frontend.sample_rate), plan)
    except SerError as error:
        return Cut(name, error=str(error))
    except Exception as error:  # one file must not end a run over thousands
        return Cut(name, error=f"{type(error).__name__}: {error}")


def cut(name: str, sound: Audio, plan: Plan) -> Cut:
    """Cut a recording into the rows wanted, and these into what the network takes at once."""
    rows, spans, features = [], [], []
    for row, part in _windows(sound.waveform, sound.sample_rate, plan.window, plan.step):
        step = plan.context * (1 - OVERLAP)
        pieces = _windows(part, sound.sample_rate, plan.context, step)
        rows.append((row, len(pieces)))
        spans += [Span(row.start + span.start, row.start + span.end) for span, _ in pieces]
        features += [plan.frontend.features(piece) for _, piece in pieces]
    return Cut(name, tuple(rows), tuple(spans), tuple(features), sound.flags)


def predictions(
    heard: Heard, classes: Sequence[str], min_confidence: float = 0.0
) -> list[Prediction]:
    """Return a row for each stretch wanted: its windows' probabilities averaged.

    Args:
        heard: The recording.
        classes: Names of the probabilities.
        min_confidence: Below it, the emotion of a row is UNCERTAIN.
    """
    cut = heard.cut
    if cut.error:
        return [failed(cut.file, cut.error)]
    rows, at = [], 0
    for span, count in cut.rows:
        mean = heard.probabilities[at : at + count].mean(axis=0)
        at += count
        flags = (*cut.flags, "long") if count > 1 else cut.flags
        best = int(mean.argmax())
        rows.append(
            Prediction(
                file=cut.file,
                start=span.start,
                end=span.end,
                emotion=classes[best] if mean[best] >= min_confidence else UNCERTAIN,
                confidence=float(mean[best]),
                probabilities=mean,
                status="warning" if cut.flags else "ok",
                flags=flags,
            )
        )
    return rows


def failed(file: str, error: str) -> Prediction:
    """Return the row of a file that could not be predicted."""
    return Prediction(file, math.nan, math.nan, "", math.nan, None, "error", error=error)


def _windows(
    waveform: Floats, sample_rate: int, length: float | None, step: float | None
) -> list[tuple[Span, Floats]]:
    length = length or len(waveform) / sample_rate
    found = audio.windows(
        len(waveform), sample_rate=sample_rate, length=length, step=step or length
    )
    return [(Span(start, end), waveform[part]) for start, end, part in found]
