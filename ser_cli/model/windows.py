"""A recording, part by part, into windows that a network hears, and the rows that they vote on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.data.turns import stem
from ser_cli.errors import AudioError, SerError, UsageError
from ser_cli.model.sources import Waveform
from ser_cli.remarks import listed
from ser_cli.sound import audio, source
from ser_cli.sound.band import is_narrow
from ser_cli.sound.detector import speaks
from ser_cli.sound.files import Found
from ser_cli.sound.limits import USUAL, Limits
from ser_cli.sound.mixer import SHORT_S, is_silent
from ser_cli.sound.passages import passages
from ser_cli.sound.reading import Reading

if TYPE_CHECKING:
    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Floats, Joining, Turn

OVERLAP = 0.5  # of the windows that a long recording is cut into
WINDOW_S, STEP_S = 4.0, 1.0  # of a timeline: seconds
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
        voices: Who is heard: names, and the channel of each, from 0; None mixes all.
        track: Number of the audio track, from 0; None is the first that holds sound.
        turns: When who speaks, by the stem of the recording ("" for any): rows of that alone.
        joining: How windows are joined to a timeline; None leaves them as they are.
        hear_all: Whether windows without speech have a vote, too.
    """

    frontend: Frontend
    context: float
    window: float | None = None
    step: float | None = None
    limits: Limits = USUAL
    voices: tuple[tuple[str, int | None], ...] = (("", None),)
    track: int | None = None
    turns: Mapping[str, tuple[Turn, ...]] = field(default_factory=dict)
    joining: Joining | None = None
    hear_all: bool = False


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
    """

    file: str
    start: float
    end: float
    flags: tuple[str, ...] = ()
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a recording, and why it could not be heard, or not to its end ("" if it could)."""

    file: str
    error: str = ""


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
    name = item.file if isinstance(item, Found) else str(getattr(item, "name", "audio stream"))
    error = ""
    try:
        for voice, channel in plan.voices:
            yield from _stretches(_reading(item, plan, channel), plan, voice)
    except AudioError as refused:
        if isinstance(item, Waveform):
            raise
        error = str(refused)
    except SerError as refused:
        error = str(refused)
    except Exception as surprise:  # one file must not end a run over thousands
        error = f"{type(surprise).__name__}: {surprise}"
    yield Done(name, error)


def _reading(item: Found | BinaryIO | Waveform, plan: Plan, channel: int | None) -> Reading:
    if isinstance(item, Waveform):
        found = source.from_array(item.samples, item.sample_rate, item.name)
    elif isinstance(item, Found):
        if item.error:
            raise AudioError(item.error)
        found = source.opened(item.file, plan.limits, track=plan.track)
    else:
        found = source.opened(item, plan.limits, track=plan.track)
    rate = plan.frontend.sample_rate
    return Reading(found, rate, limits=plan.limits, channel=channel)


def _stretches(reading: Reading, plan: Plan, voice: str) -> Iterator[Event]:
    ear = _Ear(reading, plan, voice)
    if plan.turns:
        yield from _turns(reading, _turns_of(reading.name, plan), ear)
    elif plan.joining:
        yield from _passages(reading, plan, ear)
    elif plan.window is None:
        yield from ear.pieces(reading)
        yield ear.stretch(0.0, reading.seconds)
    else:
        cut = audio.window_samples(plan.window, plan.step or plan.window, reading.sample_rate)
        for at, wave in audio.sliding(reading, *cut):
            yield from ear.whole(at, wave)


def _passages(reading: Reading, plan: Plan, ear: _Ear) -> Iterator[Event]:
    """Hear windows of the passages in which somebody speaks."""
    assert plan.joining and plan.window and plan.step
    rate = reading.sample_rate
    cut = audio.window_samples(plan.window, plan.step, rate)
    for first, wave in passages(reading, sample_rate=rate, pause_s=plan.joining.pause_s):
        for at, window in audio.sliding([wave], *cut):
            yield from ear.whole(first + at, window)


def _turns_of(name: str, plan: Plan) -> tuple[Turn, ...]:
    if found := plan.turns.get(stem(name)) or plan.turns.get(""):
        return found
    others = listed([repr(other) for other in plan.turns])
    raise AudioError(f"{name}: nobody says who speaks when in {stem(name)!r}, but in {others}")


def _turns(reading: Reading, turns: tuple[Turn, ...], ear: _Ear) -> Iterator[Event]:
    """Hear each turn of a speaker."""
    rate = reading.sample_rate
    spans = [(round(turn.start * rate), round(turn.end * rate)) for turn in turns]
    for turn, wave in zip(turns, audio.spans(reading, spans), strict=True):
        if not len(wave):
            raise AudioError(f"{reading.name}: ends before the turn at {turn.start:g} s")
        yield from ear.whole(round(turn.start * rate), wave, turn.speaker)


class _Ear:
    """Cuts stretches of a recording into what the network takes at once, where somebody speaks."""

    def __init__(self, reading: Reading, plan: Plan, voice: str) -> None:
        self._reading, self._plan, self._voice = reading, plan, voice
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

    def whole(self, at: int, wave: Floats, speaker: str = "") -> Iterator[Event]:
        """Yield the pieces of a stretch that begins with this sample, and then the stretch."""
        start = at / self._reading.sample_rate
        yield from self.pieces([wave])
        yield self.stretch(start, start + len(wave) / self._reading.sample_rate, speaker)

    def stretch(self, start: float, end: float, speaker: str = "") -> Stretch:
        """Return the stretch whose pieces these were."""
        odd = {
            "short": end - start < SHORT_S,
            "silent": not self._loud,
            "no speech": bool(self._loud and not self._heard),
            "narrow-band": bool(self._heard and not self._wide),
        }
        flags = tuple(name for name, found in odd.items() if found)
        self._loud = self._heard = self._wide = 0
        flags += self._reading.flags(start, end)
        return Stretch(self._reading.name, start, end, flags, speaker or self._voice)
