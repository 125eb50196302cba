"""Uploads -> rows, as `ser predict` gives them: one for each, or a timeline of a long one.

What is read of a recording is told while it is read, and a visitor's time is watched there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import SerError
from ser_cli.model.trained import JOINING, Hearing, Model
from ser_cli.model.windows import STEP_S, WINDOW_S, hear
from ser_cli.sound import audio, source
from ser_cli.sound.files import Found
from ser_cli.sound.reading import decoded
from ser_cli.web import limits

if TYPE_CHECKING:
    from ser_cli.model.windows import Plan
    from ser_cli.sound.decode import Stream
    from ser_cli.types import Prediction

    Tell = Callable[[str, float, float], None]  # name, seconds read, seconds its header states

# One emotion for half a minute of talk says little, and a timeline of less is a row or two.
LONG_S = 30.0
BY_LENGTH, ROW, TIMELINE = "by length", "row", "timeline"  # what is made of a recording
_COUNTED_HZ = 8_000  # at which sound is counted that states no length


@dataclass(frozen=True, slots=True)
class Wish:
    """How a visitor wants recordings to be heard.

    Attributes:
        labels: Emotions to choose among; none stands for all.
        min_confidence: Below it, a row's emotion is "uncertain".
        rows: BY_LENGTH (a timeline of what is longer than LONG_S), ROW or TIMELINE, of all.
    """

    labels: tuple[str, ...] = ()
    min_confidence: float = 0.0
    rows: str = BY_LENGTH


@dataclass(frozen=True, slots=True)
class Listened:
    """What was heard in a recording: its rows, its length, and whether it is a timeline."""

    rows: tuple[Prediction, ...]
    seconds: float
    is_timeline: bool = False


class Work:
    """The time that all recordings of a visitor may take, and who is told how far it is."""

    def __init__(self, tell: Tell | None = None) -> None:
        """Begin now."""
        self._end = time.monotonic() + limits.WORK_S
        self._tell, self._name, self._stated = tell, "", 0.0
        self.seconds = 0.0  # read so far of the present recording
        self.refused: tuple[str, ...] = ()  # why recordings of the speaker could not be heard

    def over(self, uploads: Sequence[BinaryIO]) -> Iterator[BinaryIO | Found]:
        """Yield each recording when it is to be heard, and why not where there is no time left."""
        for upload in uploads:
            self._name, self._stated, self.seconds = upload.name, stated_s(upload), 0.0
            late = self._late()
            yield Found(upload.name, error=str(late)) if late else upload

    def watch(self, plan: Plan) -> Plan:
        """Return the plan with the bounds of this page, and watched."""
        return replace(plan, limits=limits.of_recording(), watch=self._watch)

    def _watch(self, seconds: float) -> None:
        if late := self._late():
            raise late
        self.seconds = seconds
        if self._tell:
            self._tell(self._name, seconds, self._stated)

    def _late(self) -> SerError | None:
        if time.monotonic() <= self._end:
            return None
        rest = f"its rest from {self.seconds:,.0f} s on" if self.seconds else "it"
        return SerError(
            f"{self._name}: {rest} is left out: all recordings together took longer than "
            f"{limits.WORK_S:,.0f} s; upload fewer at a time, or use `ser predict`",
            hint="ser predict",
        )


def prepared(model: Model, wish: Wish, speaker: Sequence[BinaryIO], work: Work) -> Model:
    """Return the model that hears as is wished, and against recordings of the speaker, if any.

    Raises:
        DataError: None of these can be read.
        SerError: Other visitors are served, and that takes too long.
    """
    heard = Model(model.artifacts, Hearing(wish.labels, wish.min_confidence))
    if not speaker:
        return heard
    with limits.turn():
        plan = work.watch(heard.plan())
        moments = heard.measure(event for item in work.over(speaker) for event in hear(item, plan))
        work.refused = moments.failed
        return heard.enrolled(moments)


def listen(
    uploads: Sequence[BinaryIO],
    model: Model,
    work: Work,
    *,
    rows: str = BY_LENGTH,
    known: Mapping[BinaryIO, Listened | None] | None = None,
) -> list[Listened]:
    """Hear recordings, each as a row or as a timeline.

    Args:
        uploads: The files.
        model: Hears them.
        work: The time they may take.
        rows: BY_LENGTH, ROW or TIMELINE.
        known: Timelines that were made before.

    Raises:
        SerError: Other visitors are served, and that takes too long.
    """
    found = {upload: own for upload, own in (known or {}).items() if own}
    with limits.turn():
        for upload in uploads:
            if upload not in found and _is_timeline(upload, rows):
                found[upload] = _timeline(upload, model, work)
        # All at once, also where one was added to others: the last digit of a probability
        # depends on which files go through the network together.
        short = [upload for upload in uploads if upload not in found]
        for upload, own in zip(short, _labelled(short, model, work), strict=True):
            found[upload] = Listened(tuple(own), own[-1].end)
    return [found[upload] for upload in uploads]


def _labelled(uploads: Sequence[BinaryIO], model: Model, work: Work) -> Iterator[list[Prediction]]:
    return model.label(work.over(uploads), work.watch(model.plan()))


def _timeline(upload: BinaryIO, model: Model, work: Work) -> Listened:
    plan = replace(model.plan(window=WINDOW_S, step=STEP_S), joining=JOINING)
    (rows,) = model.label(work.over([upload]), work.watch(plan))
    return Listened(tuple(rows), work.seconds, is_timeline=True)


def _is_timeline(upload: BinaryIO, rows: str) -> bool:
    return rows == TIMELINE or (rows == BY_LENGTH and is_long(upload))


def is_long(upload: BinaryIO) -> bool:
    """Tell whether a recording is longer than LONG_S; what cannot be read is not."""
    if seconds := stated_s(upload):
        return seconds > LONG_S
    bounds = replace(limits.of_recording(), hours=LONG_S / 3600)
    try:
        reading = audio.read(upload, sample_rate=_COUNTED_HZ, limits=bounds)
        deque(reading, maxlen=0)
    except SerError:
        return False
    return reading.is_cut


def stated_s(upload: BinaryIO) -> float:
    """Return the seconds that a header states; 0 where there are none, or nothing can be read."""

    def told(stream: Stream) -> Iterator[float]:
        yield stream.stated_s

    try:
        (seconds,) = decoded(source.opened(upload, limits.of_recording()), told)
    except SerError:
        return 0.0
    return seconds
