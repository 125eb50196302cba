"""A recording, part by part, into windows that a network hears, and the rows that they vote on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import AudioError, SerError, UsageError
from ser_cli.model.sources import Waveform
from ser_cli.sound import audio, source
from ser_cli.sound.files import Found
from ser_cli.sound.limits import USUAL, Limits
from ser_cli.sound.mixer import SHORT_S, is_silent
from ser_cli.sound.reading import Reading

if TYPE_CHECKING:
    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Floats

OVERLAP = 0.5  # of the windows that a long recording is cut into
SHORTEST_S = 0.05  # of window and step: less is no sound, and a hundred times the work


@dataclass(frozen=True, slots=True)
class Plan:
    """How recordings are read and cut; small, since it travels to worker processes.

    Attributes:
        frontend: Makes the features of each window.
        context: Seconds that the network takes at once.
        window: Seconds of a row; None makes one row per file.
        step: Seconds from row to row; None is the window.
        limits: What is heard of a recording at most.
        channel: The one to hear, from 0; None mixes all.
    """

    frontend: Frontend
    context: float
    window: float | None = None
    step: float | None = None
    limits: Limits = USUAL
    channel: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What goes through the network at once, and has a vote in the row that follows it.

    Attributes:
        features: (t, F).
    """

    features: Floats


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds of a recording that become a row, once the pieces before have voted.

    Attributes:
        file: Name of the recording.
        start: Seconds.
        end: Seconds.
        flags: What was odd about it.
    """

    file: str
    start: float
    end: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a recording, and why it could not be heard, or not to its end ("" if it could)."""

    file: str
    error: str = ""


Event = Piece | Stretch | Done


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


def hear(item: Found | BinaryIO | Waveform, plan: Plan) -> Iterator[Event]:
    """Read a recording and cut it; whatever goes wrong with it is data, not an end."""
    name = item.file if isinstance(item, Found) else str(getattr(item, "name", "audio stream"))
    error = ""
    try:
        yield from _stretches(_reading(item, plan), plan)
    except AudioError as refused:
        if isinstance(item, Waveform):
            raise
        error = str(refused)
    except SerError as refused:
        error = str(refused)
    except Exception as surprise:  # one file must not end a run over thousands
        error = f"{type(surprise).__name__}: {surprise}"
    yield Done(name, error)


def _reading(item: Found | BinaryIO | Waveform, plan: Plan) -> Reading:
    if isinstance(item, Waveform):
        found = source.from_array(item.samples, item.sample_rate, item.name)
    elif isinstance(item, Found):
        if item.error:
            raise AudioError(item.error)
        found = source.opened(item.file, plan.limits)
    else:
        found = source.opened(item, plan.limits)
    rate = plan.frontend.sample_rate
    return Reading(found, rate, limits=plan.limits, channel=plan.channel)


def _stretches(reading: Reading, plan: Plan) -> Iterator[Event]:
    rate, ear = reading.sample_rate, _Ear(reading, plan)
    if plan.window is None:
        yield from ear.pieces(reading)
        yield ear.stretch(0.0, reading.seconds)
        return
    size, hop = audio.window_samples(plan.window, plan.step or plan.window, rate)
    for at, wave in audio.sliding(reading, size, hop):
        yield from ear.pieces([wave])
        yield ear.stretch(at / rate, (at + len(wave)) / rate)


class _Ear:
    """Cuts stretches of a recording into what the network takes at once, where there is sound."""

    def __init__(self, reading: Reading, plan: Plan) -> None:
        self._reading, self._plan = reading, plan
        step = plan.context * (1 - OVERLAP)
        self._cut = audio.window_samples(plan.context, step, reading.sample_rate)
        self._heard = 0

    def pieces(self, parts: Iterable[Floats]) -> Iterator[Piece]:
        """Yield the pieces of a stretch that have a vote in it."""
        for _, wave in audio.sliding(parts, *self._cut):
            if not is_silent(wave):
                self._heard += 1
                yield Piece(self._plan.frontend.features(wave))

    def stretch(self, start: float, end: float) -> Stretch:
        """Return the stretch whose pieces these were."""
        odd = {"short": end - start < SHORT_S, "silent": not self._heard}
        flags = tuple(name for name, found in odd.items() if found)
        self._heard = 0
        return Stretch(self._reading.name, start, end, flags + self._reading.flags(start, end))
