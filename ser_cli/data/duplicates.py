"""Find recordings that are the same sound: under another name, codec or level, or a part of one.

Frames whose fingerprints agree in half of their bits, but for one, vote for how two recordings may
lie on each other; of what most of them vote for, all bits of the overlap are counted.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as remember
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import workers
from ser_cli.data import cache, corpora
from ser_cli.data.store import atomic_write
from ser_cli.errors import ArtifactsError
from ser_cli.sound.soundprint import SOUNDPRINT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Clip, Floats, Progress, Segment

    Prints = Mapping[Segment, Floats]

STEP = 4  # of the frames of a known recording, every how many is kept
# Measured on all pairs of RAVDESS: copies by MP3, Opus, GSM or A-law differ in at most .27 of
# their bits, other recordings of the same voice, words and tune in at least .29.
MOST_WRONG = 0.26  # share of the bits
MOST_BYTES = 2**30  # of a file of fingerprints: three million recordings
FEWEST = 8  # kept frames that must overlap: .8 s of sound, as each looks back
COMMON = 1_000, 200  # frames, and times the mean, above which equal halves are too common to tell
CANDIDATES = 8

_HALF = 16
_FLIPS = np.concatenate([[0], 1 << np.arange(_HALF)]).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class Known:
    """Fingerprints of known recordings: every STEP-th frame that is loud enough.

    Attributes:
        bits: (n,) uint32 of each frame.
        at: (n,) uint32, its number in the recording.
        starts: (N + 1,) where each recording's frames begin.
    """

    bits: NDArray[np.uint32]
    at: NDArray[np.uint32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, prints: Iterable[Floats]) -> Known:
        """Keep what is needed of fingerprints (t, 3)."""
        bits, at, sizes = [], [], [0]
        for print_ in prints:
            every = print_[::STEP]
            loud = every[:, 2] > 0
            bits.append(_packed(every)[loud])
            at.append((np.flatnonzero(loud) * STEP).astype(np.uint32))
            sizes.append(len(bits[-1]))
        return cls(
            np.concatenate([np.zeros(0, np.uint32), *bits]),
            np.concatenate([np.zeros(0, np.uint32), *at]),
            np.cumsum(sizes, dtype=np.int64),
        )

    @classmethod
    def read(cls, file: Path) -> Known:
        """Read what `write` wrote.

        Raises:
            ArtifactsError: It is not such a file.
        """
        try:
            with zipfile.ZipFile(file) as zipped:  # not a lone array, which np.load takes too
                size = sum(entry.file_size for entry in zipped.infolist())
            if size > MOST_BYTES:
                raise ValueError(f"{size / 1e6:,.0f} MB")
            with np.load(file, allow_pickle=False) as kept:
                found = cls(kept["bits"], kept["at"], kept["starts"])
            found.check()
        except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
            raise ArtifactsError(
                f"{file} does not hold fingerprints: {error}", hint="train again: ser train"
            ) from error
        return found

    def check(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: They do not.
        """
        arrays = (self.bits, self.at, self.starts)
        kinds = [f"{array.dtype}" for array in arrays if array.ndim == 1]
        if kinds != ["uint32", "uint32", "int64"]:
            raise ValueError("its arrays are of other kinds")
        ends = len(self.starts) and (self.starts[0], self.starts[-1]) == (0, len(self.bits))
        if not ends or (np.diff(self.starts) < 0).any() or len(self.at) != len(self.bits):
            raise ValueError("its arrays do not fit together")

    def only(self, chosen: Sequence[bool]) -> Known:
        """Return the same without what is known of all but the chosen recordings."""
        sizes = np.diff(self.starts)
        kept = np.repeat(np.asarray(chosen, bool), sizes)
        starts = np.concatenate([[0], np.cumsum(np.where(chosen, sizes, 0))]).astype(np.int64)
        return Known(self.bits[kept], self.at[kept], starts)

    def write(self, file: Path) -> None:
        """Write it, some 300 bytes a recording."""
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, bits=self.bits, at=self.at, starts=self.starts)


class Finder:
    """Looks recordings up among known ones."""

    def __init__(self, known: Known) -> None:
        """Sort the known frames by each half of their bits."""
        self._known = known
        self._owner = np.repeat(np.arange(len(known.starts) - 1), np.diff(known.starts))
        self._tables = [_Table(half) for half in _halves(known.bits)]

    def match(self, print_: Floats) -> int | None:
        """Return the number of the known recording that this fingerprint (t, 3) is of, if any."""
        loud = np.flatnonzero(print_[:, 2] > 0)
        bits = _packed(print_)
        tried = self._proposals(bits[loud], loud)
        found = [(self._wrong(bits, owner, shift), owner) for owner, shift in tried]
        wrong, owner = min(found, default=(1.0, -1))
        return owner if wrong <= MOST_WRONG else None

    def _proposals(
        self, bits: NDArray[np.uint32], at: NDArray[np.int64]
    ) -> Iterable[tuple[int, int]]:
        """Yield recordings, and by how many frames they would be shifted against this one."""
        pairs = [table.pairs(half) for table, half in zip(self._tables, _halves(bits), strict=True)]
        mine, theirs = np.concatenate(pairs, axis=1)
        shifts = at[mine] - self._known.at[theirs].astype(np.int64)
        votes = self._owner[theirs] * 2**32 + shifts + 2**31
        found, counts = np.unique(votes, return_counts=True)
        for vote in found[np.argsort(-counts, kind="stable")[:CANDIDATES]]:
            yield int(vote >> 32), int(vote % 2**32 - 2**31)

    def _wrong(self, bits: NDArray[np.uint32], owner: int, shift: int) -> float:
        """Return the share of bits that differ in the overlap; 1 where that is too short."""
        own = slice(self._known.starts[owner], self._known.starts[owner + 1])
        places = self._known.at[own].astype(np.int64) + shift
        inside = (places >= 0) & (places < len(bits))
        if inside.sum() < FEWEST:
            return 1.0
        differing = self._known.bits[own][inside] ^ bits[places[inside]]
        return float(np.bitwise_count(differing).mean()) / (2 * _HALF)


class _Table:
    """Frames by a half of their bits."""

    def __init__(self, halves: NDArray[np.uint32]) -> None:
        self._order = np.argsort(halves, kind="stable")
        self._starts = np.searchsorted(halves[self._order], np.arange(2**_HALF + 1))
        self._most = max(COMMON[0], COMMON[1] * len(halves) // 2**_HALF)

    def pairs(self, halves: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return places (2, m) in `halves` and in the table of frames alike but for one bit."""
        probes = halves[:, None] ^ _FLIPS
        first, last = self._starts[probes.ravel()], self._starts[probes.ravel() + 1]
        sizes = np.where(last - first <= self._most, last - first, 0)
        mine = np.repeat(np.arange(len(halves)).repeat(len(_FLIPS)), sizes)
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.stack([mine, self._order[np.repeat(first, sizes) + within]])


def prints(
    clips: Sequence[Clip], *, jobs: int = workers.CORES, progress: Progress | None = None
) -> Prints:
    """Return the fingerprints (t, 3) of all clips that can be read."""
    made = cache.extract(clips, SOUNDPRINT, jobs=jobs, progress=progress)
    return {clip.segment: print_ for clip, print_ in zip(made.clips, made.features, strict=True)}


def recognised(prints: Prints) -> dict[Segment, str]:
    """Return which clips are recordings of a corpus that comes with its fingerprints.

    Each by the name that its corpus gives it, whatever the file is called.
    """
    found = {}
    for finder, names in _indices() if prints else ():
        for segment, print_ in prints.items():
            place = finder.match(print_)
            if place is not None:
                found[segment] = names[place]
    return found


@remember
def _indices() -> tuple[tuple[Finder, tuple[str, ...]], ...]:
    """Return the fingerprints of the corpora that come with theirs, and their clips' names."""
    sources = [c.source for c in corpora.known() if c.source and c.source.soundprints.is_file()]
    return tuple((Finder(Known.read(s.soundprints)), tuple(s.digests())) for s in sources)


def _packed(print_: Floats) -> NDArray[np.uint32]:
    upper, lower = print_[:, :2].astype(np.uint32).T
    packed: NDArray[np.uint32] = np.left_shift(upper, np.uint32(_HALF)) | lower
    return packed


def _halves(bits: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    upper = np.right_shift(bits, np.uint32(_HALF), dtype=np.uint32)
    return upper, np.bitwise_and(bits, np.uint32(2**_HALF - 1), dtype=np.uint32)
