"""Show a network its clips as it may have to hear them: against their speaker's own statistics.

A network that is to work with an enrolled speaker and with a stranger sees both in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.model.enrolment import ENROLLED, Moments, Statistics
from ser_cli.training.evidence import MADE_UP

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from ser_cli.training.dataset import Part
    from ser_cli.types import Floats

DRAWS = 6  # per speaker: of ENROLLED recordings, and the last of all
OF_CORPUS = 1 / 3  # share of the changed clips that is shown against its corpus's statistics


class Views:
    """Statistics of the speakers and corpora of a training part."""

    def __init__(self, train: Part, *, seed: int) -> None:
        """Learn them from the recordings, not from their augmented copies."""
        rng = np.random.default_rng(seed)
        recorded = train.clips[: train.recorded]
        self._found: list[Statistics] = []
        homes = _groups([clip.corpus for clip in recorded])
        speakers = _groups([clip.speaker or clip.corpus for clip in recorded])
        corpus = {name: [self._add(train, places)] for name, places in homes.items()}
        speaker = {
            name: [self._add(train, draw) for draw in _draws(places, rng)]
            for name, places in speakers.items()
        }
        # What has been made up may be heard against anybody's.
        anybody = [*rng.integers(0, len(self._found), DRAWS)]
        corpus |= dict.fromkeys(MADE_UP, anybody[:1])
        speaker |= dict.fromkeys(MADE_UP, anybody)
        self._corpus = np.array([corpus[clip.corpus] for clip in train.clips])
        self._speaker = np.array([speaker[clip.speaker or clip.corpus] for clip in train.clips])
        self._mean = np.array([one.mean for one in self._found], np.float32)
        self._scale = np.array([one.scale for one in self._found], np.float32)

    def show(self, x: Floats, places: NDArray[np.int64], rng: Generator, *, share: float) -> Floats:
        """Return a batch (n, T, F) with this share of its clips against statistics of their own."""
        kind = rng.random(len(x))
        draw = rng.integers(0, DRAWS, len(x))
        chosen = np.where(
            kind < share * OF_CORPUS, self._corpus[places, 0], self._speaker[places, draw]
        )
        changed = (x - self._mean[chosen][:, None]) / self._scale[chosen][:, None]
        return np.where((kind < share)[:, None, None], changed, x)

    def _add(self, train: Part, places: NDArray[np.int64]) -> int:
        self._found.append(Moments.of(train.inputs(places)).statistics())
        return len(self._found) - 1


def _groups(names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    return {name: np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)}


def _draws(places: NDArray[np.int64], rng: Generator) -> list[NDArray[np.int64]]:
    size = min(ENROLLED, len(places))
    some = [np.sort(rng.choice(places, size, replace=False)) for _ in range(DRAWS - 1)]
    return [*some, places]
