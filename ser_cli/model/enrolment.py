"""Hear new recordings against their own statistics: of a speaker, or of all of them together.

Voices and rooms differ from those a model has learned from, and shift all its features alike. What
some unlabelled recordings have in common, their means and deviations, is taken out of each. Few
recordings tell little, so their statistics are drawn towards the model's own (a normal prior): as
if PRIOR_MEAN and PRIOR_SCALE recordings more had been heard that are like the training clips.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.model.preprocess import transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ser_cli.types import Floats, Preprocessor

ENROLLED = 10  # recordings of a speaker, where it is learned or measured what they give
ENOUGH = 3  # fewer cost more than they gain (docs/results.md)
PRIOR_MEAN, PRIOR_SCALE = 2, 10  # recordings


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean (F,) and deviation (F,) of recordings, in units of a model's own scaling."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over n recordings, each of which counts once however many frames it has.

    Attributes:
        count: n.
        first: (F,) sum of their means.
        second: (F,) sum of their mean squares.
        failed: Why others could not be read.
    """

    count: int = 0
    first: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    second: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    failed: tuple[str, ...] = ()

    @classmethod
    def of(cls, x: Floats) -> Moments:
        """Return those of scaled features (n, T, F)."""
        exact = x.astype(np.float64)
        return cls(
            len(x), exact.mean(axis=1).sum(axis=0), np.square(exact).mean(axis=1).sum(axis=0)
        )

    def __add__(self, other: Moments) -> Moments:
        """Return those of both."""
        return Moments(
            self.count + other.count,
            self.first + other.first,
            self.second + other.second,
            self.failed + other.failed,
        )

    def statistics(self) -> Statistics:
        """Return mean and deviation, drawn towards 0 and 1."""
        mean = self.first / self.count
        variance = np.maximum(self.second / self.count - mean**2, 0)
        return Statistics(
            mean=mean * self.count / (self.count + PRIOR_MEAN),
            scale=np.sqrt((self.count * variance + PRIOR_SCALE) / (self.count + PRIOR_SCALE)),
        )


def measured(recordings: Sequence[Floats], preprocessor: Preprocessor) -> Moments:
    """Return the moments of the features (t, F) of some recordings, one at least."""
    return Moments.of(transform(recordings, preprocessor))


def adapted(preprocessor: Preprocessor, moments: Moments) -> Preprocessor:
    """Return a preprocessor for the speaker, or the conditions, of the recordings measured.

    Args:
        preprocessor: Of a model that was trained to hear so (`TrainSettings.adapt`).
        moments: Of the recordings.
    """
    found = moments.statistics()
    return replace(
        preprocessor,
        mean=preprocessor.mean + found.mean * preprocessor.scale,
        scale=preprocessor.scale * found.scale,
    )
