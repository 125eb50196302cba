"""A recording, part by part, into windows that a network hears, and the rows that they vote on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import AudioError, SerError, UsageError
from ser_cli.model.readings import readings
from ser_cli.model.sources import Waveform
from ser_cli.sound import audio
from ser_cli.sound.band import is_narrow
from ser_cli.sound.detector import speaks
from ser_cli.sound.files import Found
from ser_cli.sound.limits import CLIP, USUAL, Limits
from ser_cli.sound.mixer import SHORT_S, is_silent
from ser_cli.sound.passages import passages
from ser_cli.sound.segments import ROUNDING_S

if TYPE_CHECKING:
    from ser_cli.sound.frontend import Frontend
    from ser_cli.sound.reading import Reading
    from ser_cli.types import Floats, Joining, Turn

OVERLAP = 0.5  # of the windows that a long recording is cut into
WINDOW_S, STEP_S = 4.0, 1.0  # of a timeline: seconds
WHOLE_ONLY = "a timeline is of whole recordings, and a table names parts of it"
MONO = ("mono",)  # flag of a recording that has one channel, where each was asked for
CUT_IT = "--window 4 --step 1 cuts the parts; or leave out start,end"
PAST_END = ("past end",)  # flag of a part that goes on when its recording has ended
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
        channel: The one that is heard, from 0; None mixes all.
        voice: What rows call who is heard in it.
        each: Whether every channel is heard by itself.
        track: Number of the audio track, from 0; None is the first that holds sound.
        joining: How windows are joined to a timeline; None leaves them as they are.
        hear_all: Whether windows without speech have a vote, too.
        watch: Told the seconds that were read of the present recording; an error that it raises
            ends that one.
    """

    frontend: Frontend
    context: float
    window: float | None = None
    step: float | None = None
    limits: Limits = USUAL
    channel: int | None = None
    voice: str = ""
    each: bool = False
    track: int | None = None
    joining: Joining | None = None
    hear_all: bool = False
    watch: Callable[[float], None] | None = None


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
        speaker: Who speaks, if that is known.
        error: Why it could not be heard ("" if it could).
    """

    file: str
    start: float
    end: float
    flags: tuple[str, ...] = ()
    speaker: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a recording, and why it could not be heard, or not to its end ("" if it could).

    `left` are the parts of which nothing was heard then.
    """

    file: str
    error: str = ""
    left: tuple[Turn, ...] = ()


Event = Piece | Stretch | Done


def check(window: float | None, step: float | None) -> None:
    """Refuse lengths of window and step, in seconds, that make no sense.

    Raises:
        UsageError: One is too short, or there is a step without a window, or a longer one.
    """
    if step is not None and window is None:
        raise UsageError("a step needs a window", hint="--window SECONDS --step SECONDS")
    for name, seconds in (("window", window), ("step", step)):
        if seconds is not None and not SHORTEST_S <= seconds < math.inf:
            raise UsageError(
                f"the {name} must be at least {SHORTEST_S} s, not {seconds}",
                hint="--window 3 --step 1",
            )
    if window and step and step > window:
        raise UsageError(
            f"a step of {step:g} s leaves gaps between windows of {window:g} s",
            hint=f"--window {window:g} --step {window:g}",
        )


def hear(item: Found | BinaryIO | Waveform, plan: Plan) -> Iterator[Event]:
    """Read a recording and cut it; whatever goes wrong with it is data, not an end."""
    parts = item.parts if isinstance(item, Found) else ()
    error, left = "", deque(parts)
    try:
        for reading, voice in readings(item, plan):
            left = deque(parts)
            ear = _Ear(reading, plan, voice)
            yield from _parts(reading, plan, ear, left) if parts else _stretches(reading, plan, ear)
    except AudioError as refused:
        if isinstance(item, Waveform):
            raise
        error = str(refused)
    except SerError as refused:
        error = str(refused)
    except Exception as surprise:  # one file must not end a run over thousands
        error = f"{type(surprise).__name__}: {surprise}"
    yield Done(str(getattr(item, "name", "audio stream")), error, tuple(left) if error else ())


def _stretches(reading: Reading, plan: Plan, ear: _Ear) -> Iterator[Event]:
    if plan.joining:
        yield from _passages(reading, plan, ear)
    elif plan.window is None:
        yield from ear.pieces(reading)
        yield ear.stretch(0.0, reading.seconds)
    else:
        yield from _windows(reading, 0, plan, ear)


def _windows(parts: Iterable[Floats], first: int, plan: Plan, ear: _Ear) -> Iterator[Event]:
    """Hear windows of a waveform that begins with this sample of the recording."""
    assert plan.window
    cut = audio.window_samples(plan.window, plan.step or plan.window, plan.frontend.sample_rate)
    for at, wave in audio.sliding(parts, *cut):
        yield from ear.whole(first + at, wave)


def _passages(reading: Reading, plan: Plan, ear: _Ear) -> Iterator[Event]:
    """Hear windows of the passages in which somebody speaks."""
    assert plan.joining
    rate = reading.sample_rate
    for first, wave in passages(reading, sample_rate=rate, pause_s=plan.joining.pause_s):
        yield from _windows([wave], first, plan, ear)


def _parts(reading: Reading, plan: Plan, ear: _Ear, left: deque[Turn]) -> Iterator[Event]:
    """Hear parts of a recording, and take away those that were."""
    if plan.joining:
        raise UsageError(f"{reading.name}: {WHOLE_ONLY}", hint=CUT_IT)
    spans = [_span(part, reading.sample_rate) for part in left]
    for wave in audio.spans(reading, spans):
        yield from _part(reading, left[0], wave, plan, ear)
        left.popleft()


def _span(part: Turn, rate: int) -> tuple[int, int]:
    """Return the samples of a part: one at least, and no more than are held in memory and one."""
    first = round(part.start * rate)
    most = first + round(CLIP.hours * 3600 * rate) + 1
    return first, most if part.end == math.inf else min(
        most, max(first + 1, round(part.end * rate))
    )


def _part(reading: Reading, part: Turn, wave: Floats, plan: Plan, ear: _Ear) -> Iterator[Event]:
    seconds = len(wave) / reading.sample_rate
    end = part.start + seconds
    error = ""
    if not len(wave):
        limit = " (--max-hours)" if "cut" in reading.flags() else ""
        error = f"ends at {reading.seconds:.2f} s{limit}, before its part from {part.start:g} s on"
    elif seconds > CLIP.hours * 3600:
        error = f"its part from {part.start:g} s on is longer than {CLIP.hours:g} h: name several"
    if error:
        reason = f"{reading.name}: {error}"
        yield Stretch(reading.name, part.start, part.end, (), part.speaker, reason)
        return
    is_cut = ROUNDING_S < part.end - end < math.inf
    ear.turn_to(part.speaker, PAST_END if is_cut else ())
    if plan.window is None:
        yield from ear.pieces([wave])
        yield ear.stretch(part.start, end if is_cut or part.end == math.inf else part.end)
    else:
        yield from _windows([wave], round(part.start * reading.sample_rate), plan, ear)


class _Ear:
    """Cuts stretches of a recording into what the network takes at once, where somebody speaks."""

    def __init__(self, reading: Reading, plan: Plan, voice: str) -> None:
        self._reading, self._plan, self._voice = reading, plan, voice
        self._speaker, self._odd = voice, tuple[str, ...]()
        step = plan.context * (1 - OVERLAP)
        self._cut = audio.window_samples(plan.context, step, reading.sample_rate)
        # Of passages it is known that somebody speaks.
        self._sure = plan.hear_all or plan.joining is not None
        self._loud = self._heard = self._wide = 0  # pieces of the present stretch

    def pieces(self, parts: Iterable[Floats]) -> Iterator[Piece]:
        """Yield the pieces of a stretch that have a vote in it."""
        rate = self._reading.sample_rate
        for _, wave in audio.sliding(parts, *self._cut):
            if is_silent(wave):
                continue
            self._loud += 1
            if self._sure or speaks(wave, sample_rate=rate):
                self._heard += 1
                self._wide += not is_narrow(wave, rate)
                yield Piece(self._plan.frontend.features(wave))

    def turn_to(self, speaker: str, odd: tuple[str, ...]) -> None:
        """Hear a part from now on: who speaks in it, if that is known, and what is odd about it."""
        self._speaker, self._odd = speaker or self._voice, odd

    def whole(self, at: int, wave: Floats) -> Iterator[Event]:
        """Yield the pieces of a stretch that begins with this sample, and then the stretch."""
        start = at / self._reading.sample_rate
        yield from self.pieces([wave])
        yield self.stretch(start, start + len(wave) / self._reading.sample_rate)

    def stretch(self, start: float, end: float) -> Stretch:
        """Return the stretch whose pieces these were."""
        odd = {
            "short": end - start < SHORT_S,
            "silent": not self._loud,
            "no speech": bool(self._loud and not self._heard),
            "narrow-band": bool(self._heard and not self._wide),
        }
        alone = self._plan.each and self._reading.channels == 1
        flags = tuple(name for name, found in odd.items() if found)
        flags += self._reading.flags(start, end) + self._odd + (MONO if alone else ())
        self._loud = self._heard = self._wide = 0
        return Stretch(self._reading.name, start, end, flags, "" if alone else self._speaker)
