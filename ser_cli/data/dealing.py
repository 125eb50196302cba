"""Which speakers go into which part, so that every part has every emotion in its share.

Speakers differ: one says everything, another is angry and nothing else. Whoever deals them
unseen may leave a part without an emotion, so many ways are drawn and the evenest is taken.
Where an emotion is so rare that none of them puts it everywhere, its speakers are placed first.

S speakers, E emotions, P parts; counts (S, E) of clips; a part's number for each speaker, (S,).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Clip

    Ints = NDArray[np.int64]

DRAWS = 1000
STEPS = 20_000  # of the search for a way at all: more than enough for some dozen speakers
NOBODY = -1
_WHOLE = 1_000_000  # shares as integers, whose sum is the same on every machine


def deal(clips: Sequence[Clip], sizes: Sequence[int], *, seed: int) -> tuple[list[str], ...]:
    """Deal all speakers to parts of these sizes, each with every emotion if that is possible.

    Sizes are exceeded only where an emotion is in a part not otherwise; the last part gives.

    Args:
        clips: All with a speaker.
        sizes: Speakers of each part, all together.
        seed: Of the draws.
    """
    speakers, counts = _counted(clips)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(speakers)) for _ in range(DRAWS)]
    wanted = np.array(sizes)
    parts = _evenest(counts, wanted, np.full(len(speakers), NOBODY), orders)
    if _cost(counts, wanted, parts)[0]:
        first = _Search(counts > 0, len(sizes)).place(orders[0])
        if first is not None:
            parts = _evenest(counts, wanted, first, orders)
    return tuple(
        [who for who, own in zip(speakers, parts.tolist(), strict=True) if own == part]
        for part in range(len(sizes))
    )


def companies(clips: Sequence[Clip]) -> dict[str, str]:
    """Return whom each speaker belongs to: one of all those who share recordings, however far.

    Parties of a talk hear each other: they share a room, a line and what is spoken of.
    """
    first: dict[Path, str] = {}
    of = {clip.speaker: clip.speaker for clip in clips}

    def whose(who: str) -> str:
        while of[who] != who:
            of[who] = who = of[of[who]]
        return who

    for clip in clips:
        one, other = whose(first.setdefault(clip.path, clip.speaker)), whose(clip.speaker)
        of[max(one, other)] = min(one, other)
    return {who: whose(who) for who in of}


def _counted(clips: Sequence[Clip]) -> tuple[list[str], Ints]:
    speakers, who = np.unique([clip.speaker for clip in clips], return_inverse=True)
    emotions, what = np.unique([clip.emotion for clip in clips], return_inverse=True)
    counts = np.zeros((len(speakers), len(emotions)), np.int64)
    np.add.at(counts, (who, what), 1)
    return speakers.tolist(), counts


def _evenest(counts: Ints, sizes: Ints, placed: Ints, orders: Sequence[Ints]) -> Ints:
    """Return the best of the ways to fill up the parts; the first of equals."""
    ways = (_filled(placed, sizes, order) for order in orders)
    return min(ways, key=lambda parts: _cost(counts, sizes, parts))


def _filled(placed: Ints, sizes: Ints, order: Ints) -> Ints:
    """Give speakers that have no part one that has room, in this order."""
    parts = placed.copy()
    taken = np.bincount(placed[placed != NOBODY], minlength=len(sizes))
    room = np.repeat(np.arange(len(sizes)), np.maximum(sizes - taken, 0))
    free = order[placed[order] == NOBODY]
    parts[free] = room[: len(free)]
    return parts


def _cost(counts: Ints, sizes: Ints, parts: Ints) -> tuple[int, int]:
    """Count what is nowhere in a part, and how far emotions are from the parts' shares."""
    held = np.stack([counts[parts == part].sum(axis=0) for part in range(len(sizes))])
    people, total = len(counts), counts.sum(axis=0)
    off = _WHOLE * (held * people - sizes[:, None] * total) // (people * total)
    return int((held == 0).sum()), int((off**2).sum())


class _Search:
    """Places as many speakers as it takes for every part to have every emotion."""

    def __init__(self, says: NDArray[np.bool_], n_parts: int) -> None:
        self._says = says
        self._steps = 0
        self._parts = np.full(len(says), NOBODY)
        self._lacks = np.ones((n_parts, says.shape[1]), bool)

    def place(self, order: Ints) -> Ints | None:
        """Return the parts of those speakers; None where there is no way, or none is found."""
        self._steps += 1
        free = (self._parts == NOBODY)[:, None] & self._says
        spare = free.sum(axis=0) - self._lacks.sum(axis=0)
        if not self._lacks.any():
            return self._parts
        if self._steps > STEPS or spare[self._lacks.any(axis=0)].min() < 0:
            return None
        emotion = min(np.flatnonzero(self._lacks.any(axis=0)), key=lambda e: spare[e])
        part = np.flatnonzero(self._lacks[:, emotion])[0]
        for who in self._candidates(order, free[:, emotion], part):
            before = self._lacks[part].copy()
            self._parts[who], self._lacks[part] = part, before & ~self._says[who]
            if (found := self.place(order)) is not None:
                return found
            self._parts[who], self._lacks[part] = NOBODY, before
        return None

    def _candidates(self, order: Ints, able: NDArray[np.bool_], part: np.int64) -> list[int]:
        """Return who could fill a part's gap, whoever fills most of its gaps first."""
        gaps = (self._says & self._lacks[part]).sum(axis=1)
        return sorted(order[able[order]].tolist(), key=lambda who: -int(gaps[who]))
