"""Windows of a recording -> when somebody speaks, and how it sounds then: `--timeline`.

Where windows overlap, their probabilities are averaged; neighbours that sound alike become one
row, and what is too short to be told from chance goes to the neighbour that it sounds more like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.model.votes import emotion_of, is_unheard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Joining, Prediction


@dataclass(slots=True)
class _Run:
    """Seconds that sound alike, the sum of their probabilities over time, and what was odd."""

    start: float
    end: float
    total: NDArray[np.float64]
    first: Prediction  # of the windows that cover it
    flags: tuple[str, ...]
    is_odd: bool

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def best(self) -> int:
        return int(self.total.argmax())

    def join(self, other: _Run) -> None:
        """Take the one that follows."""
        self.end = other.end
        self.total = self.total + other.total
        self.flags = tuple(dict.fromkeys(self.flags + other.flags))
        self.is_odd |= other.is_odd


def timelines(
    rows: Iterable[Prediction], classes: Sequence[str], joining: Joining, min_confidence: float = 0
) -> list[Prediction]:
    """Join the windows of one recording, those of each speaker by themselves; see `timeline`."""
    of: dict[str, list[Prediction]] = {}
    for row in rows:
        of.setdefault(row.speaker, []).append(row)
    found = [timeline(own, classes, joining, min_confidence) for own in of.values()]
    return sorted((row for own in found for row in own), key=lambda row: row.start)


def timeline(
    rows: Iterable[Prediction], classes: Sequence[str], joining: Joining, min_confidence: float = 0
) -> Iterator[Prediction]:
    """Join the windows of one recording.

    Args:
        rows: Of windows, in their order; those in which nobody speaks, and errors, are left out
            of what is joined, and errors passed on.
        classes: Names of the probabilities.
        joining: How.
        min_confidence: Below it, the emotion of a row is "uncertain".

    Yields:
        A row for each stretch; as early as what follows cannot change it.
    """
    last: _Run | None = None
    for passage in _passages(rows):
        if passage[0].status == "error":
            if last:
                yield _row(last, classes, min_confidence)
            yield from passage
            last = None
            continue
        for run in _joined(_cells(passage, joining.smoothing_s), joining.shortest_s):
            if last and last.best == run.best and run.start - last.end <= joining.pause_s:
                last.join(run)
                continue
            if last:
                yield _row(last, classes, min_confidence)
            last = run
    if last:
        yield _row(last, classes, min_confidence)


def _passages(rows: Iterable[Prediction]) -> Iterator[list[Prediction]]:
    """Yield the windows between two pauses together."""
    held: list[Prediction] = []
    for row in rows:
        if is_unheard(row):
            continue
        apart = held and (row.status == "error" or not row.start <= held[-1].end)
        if apart:
            yield held
            held = []
        if row.status == "error":
            yield [row]
        else:
            held.append(row)
    if held:
        yield held


def _cells(passage: Sequence[Prediction], smoothing_s: float) -> list[_Run]:
    """Return the seconds between two borders of windows, with the mean of all that cover them."""
    starts, ends = (np.array([getattr(row, side) for row in passage]) for side in ("start", "end"))
    given = np.array([row.probabilities for row in passage], np.float64)
    borders = np.append(np.unique(starts), ends.max())
    middles = (borders[:-1] + borders[1:]) / 2

    def covering(reach: float) -> Iterator[slice]:  # windows are in order, so these stand together
        firsts = np.searchsorted(ends, middles - reach)
        yield from map(slice, firsts, np.searchsorted(starts, middles + reach, "right"))

    cells = []
    spans = zip(borders[:-1], borders[1:], covering(0.0), covering(smoothing_s / 2), strict=True)
    for first, last, here, around in spans:
        own = passage[here]
        flags = tuple(dict.fromkeys(flag for row in own for flag in row.flags if flag != "long"))
        is_odd = any(row.status == "warning" for row in own)
        total = given[around].mean(axis=0) * (last - first)
        cells.append(_Run(float(first), float(last), total, own[0], flags, is_odd))
    return cells


def _joined(cells: list[_Run], shortest_s: float) -> list[_Run]:
    """Join neighbours that sound alike; then each run that is too short with a neighbour."""
    runs: list[_Run] = []
    for cell in cells:
        runs.append(cell)
        _join_alike(runs, len(runs) - 1)
    while len(runs) > 1 and min(lengths := [run.seconds for run in runs]) < shortest_s:
        place = lengths.index(min(lengths))
        sides = [at for at in (place - 1, place + 1) if 0 <= at < len(runs)]
        nearer = max(sides, key=lambda at: float(runs[place].total[runs[at].best]))
        first = min(place, nearer)
        runs[first].join(runs.pop(first + 1))
        _join_alike(runs, first + 1)
        _join_alike(runs, first)
    return runs


def _join_alike(runs: list[_Run], place: int) -> None:
    """Join a run with the one before, if they sound alike."""
    if 0 < place < len(runs) and runs[place - 1].best == runs[place].best:
        runs[place - 1].join(runs.pop(place))


def _row(run: _Run, classes: Sequence[str], min_confidence: float) -> Prediction:
    mean = (run.total / run.total.sum()).astype(np.float32)
    return replace(
        run.first,
        start=run.start,
        end=run.end,
        emotion=emotion_of(mean, classes, min_confidence),
        confidence=float(mean.max()),
        probabilities=mean,
        flags=run.flags,
        status="warning" if run.is_odd else "ok",
    )
