"""Temperature scaling: make a probability mean what it states, without changing any label.

After Guo et al., On Calibration of Modern Neural Networks (ICML 2017). It works on
probabilities, so it fits any network that ends in softmax.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_cli.errors import DataError

LOWEST, HIGHEST = 0.25, 10.0

# A float32 softmax underflows to 0, whose logarithm is no number.
_SMALLEST = float(np.finfo(np.float32).tiny)
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 40  # narrows ln(LOWEST)..ln(HIGHEST) to 2e-8


def calibrate(probabilities: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float32]:
    """Return p^(1/T), normalised: flatter for T > 1, sharper for T < 1, the order unchanged.

    Args:
        probabilities: (..., C) in 0..1.
        temperature: T > 0, from `fit_temperature`; 1 changes nothing.

    Raises:
        ValueError: The temperature is not a positive number.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be positive and finite, not {temperature}")
    return np.exp(_log_softmax(_logs(probabilities), temperature)).astype(np.float32)


def fit_temperature(probabilities: NDArray[np.floating[Any]], truth: NDArray[np.int64]) -> float:
    """Find the temperature in 0.25..10 that makes the truth most likely.

    Fit it on dev clips, never on test. The loss is convex in 1/T, so it has one valley and a
    golden-section search over ln T finds it.

    Args:
        probabilities: (N, C) of clips the network was not trained on.
        truth: (N,) class index of each.

    Raises:
        DataError: There is no clip.
        ValueError: A probability is not finite.
    """
    if len(truth) == 0:
        raise DataError("there is no clip to calibrate on", hint="train with a dev part")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity")
    logs = _logs(probabilities)
    low, high = float(np.log(LOWEST)), float(np.log(HIGHEST))
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if _loss(logs, truth, left) < _loss(logs, truth, right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _logs(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))


def _log_softmax(logs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    scaled = (logs - logs.max(axis=-1, keepdims=True)) / temperature
    normalised: NDArray[np.float64] = scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return normalised


def _loss(logs: NDArray[np.float64], truth: NDArray[np.int64], log_temperature: float) -> float:
    chosen = _log_softmax(logs, float(np.exp(log_temperature)))[np.arange(len(truth)), truth]
    return -float(chosen.mean())
