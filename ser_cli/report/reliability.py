"""Whether a confidence is what it says: how often labels of each confidence are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating[Any]]

BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Clips by the confidence of their label; bins of equal width, (low, high].

    Attributes:
        count: (BINS,) clips of each bin.
        confidence: (BINS,) sum of their confidences.
        right: (BINS,) how many of them are right.
    """

    count: Reals
    confidence: Reals
    right: Reals


def reliability(truth: NDArray[np.int64], probabilities: Reals) -> Reliability:
    """Return the bins of the top probability of truth (N,) and probabilities (N, C)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)

    def total(values: Reals) -> Reals:
        return np.bincount(bins, weights=values, minlength=BINS).astype(np.float64)

    return Reliability(total(np.ones(len(bins))), total(confidence), total(right.astype(float)))


def calibration_error(truth: NDArray[np.int64], probabilities: Reals) -> float:
    """Average over bins of |accuracy - confidence|, weighted by clips (ECE)."""
    bins = reliability(truth, probabilities)
    return float(np.abs(bins.right - bins.confidence).sum() / len(truth))
