"""Two systems on the same clips: is one better, or is it chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Paired:
    """What a comparison of A and B shows; rates 0..1.

    Attributes:
        n: Clips that both were asked about.
        uar_a: Of A.
        uar_b: Of B.
        difference: UAR of B less that of A.
        low: Lower end of its 95 % interval.
        high: Upper end.
        resampled: What the interval drew: "speakers" (with all their clips) or "clips".
        only_a: Clips that only A labels right.
        only_b: Clips that only B labels right.
        p: Of McNemar's exact test: how likely so uneven a count is if both are equally often
            right. It takes clips for independent; where the speakers are few, trust the interval.
    """

    n: int
    uar_a: float
    uar_b: float
    difference: float
    low: float
    high: float
    resampled: str
    only_a: int
    only_b: int
    p: float


def compare(
    truth: NDArray[np.int64],
    said_a: NDArray[np.int64],
    said_b: NDArray[np.int64],
    *,
    speakers: Sequence[str],
    seed: int = 0,
) -> Paired:
    """Compare two systems' labels of the same clips.

    Args:
        truth: (N,) class index of each clip.
        said_a: (N,) that A chose.
        said_b: (N,) that B chose.
        speakers: (N,) who speaks; "" where it is not known.
        seed: Of the bootstrap.

    Raises:
        DataError: There is no clip.
    """
    if not len(truth):
        raise DataError(
            "there is no clip that both models can be asked about",
            hint="--data with clips of emotions that both know",
        )
    from scipy.stats import binomtest

    right_a, right_b = said_a == truth, said_b == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    by_speaker = all(speakers) and len(set(speakers)) > 1
    units = np.unique(speakers, return_inverse=True)[1] if by_speaker else np.arange(len(truth))
    draws = _differences(truth, right_a, right_b, units, np.random.default_rng(seed))
    low, high = np.percentile(draws, PERCENTILES)
    ones = np.ones(len(truth))
    uar_a, uar_b = _uar(truth, right_a, ones), _uar(truth, right_b, ones)
    discordant = only_a + only_b
    return Paired(
        n=len(truth),
        uar_a=uar_a,
        uar_b=uar_b,
        difference=uar_b - uar_a,
        low=float(low),
        high=float(high),
        resampled="speakers" if by_speaker else "clips",
        only_a=only_a,
        only_b=only_b,
        p=float(binomtest(only_b, discordant).pvalue) if discordant else 1.0,
    )


def as_record(paired: Paired) -> dict[str, Any]:
    """Return the comparison as plain values, for JSON."""
    return asdict(paired)


def _differences(
    truth: NDArray[np.int64],
    right_a: NDArray[np.bool_],
    right_b: NDArray[np.bool_],
    units: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return UAR of B less that of A in each draw of units, with replacement."""
    count = int(units.max()) + 1
    found = []
    for _ in range(RESAMPLES):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[units]
        found.append(_uar(truth, right_b, weight) - _uar(truth, right_a, weight))
    return np.array(found)


def _uar(truth: NDArray[np.int64], right: NDArray[np.bool_], weight: Any) -> float:
    total = np.bincount(truth, weights=weight)
    hits = np.bincount(truth, weights=weight * right)
    return float(np.mean(hits[total > 0] / total[total > 0]))
