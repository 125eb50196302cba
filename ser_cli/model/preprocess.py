"""Features (t, F) of any length -> a network's input (N, T, F): pad, then standardise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ser_cli.errors import DataError
from ser_cli.types import Preprocessor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

LENGTH_PERCENTILE = 95  # of the training clips' frames becomes max_len


def pad(features: Floats, max_len: int) -> Floats:
    """Return features (t, F) as (max_len, F): zeros after a short clip, a long one cut."""
    padded = np.zeros((max_len, features.shape[1]), np.float32)
    padded[: len(features)] = features[:max_len]
    return padded


def length(features: Sequence[Floats]) -> int:
    """Return the frames that 95 % of the clips (t, F) do not exceed."""
    return int(np.percentile([len(clip) for clip in features], LENGTH_PERCENTILE))


def fit(
    features: Sequence[Floats],
    *,
    scale: Literal["frame", "cell", "none"],
    frames: int | None,
    classes: Sequence[str],
    weights: Sequence[float] | None = None,
) -> Preprocessor:
    """Learn length, means and deviations from the training clips.

    Clips are padded first, so silence after a short one counts in the statistics, as in the
    reference notebook. The statistics equal scikit-learn's StandardScaler.

    Args:
        features: (t, F) of each training clip.
        scale: One mean for each of the F columns ("frame"), for each of the T * F cells
            ("cell"), or no scaling ("none").
        frames: T; None takes the 95th percentile of the clips' lengths.
        classes: Labels, sorted.
        weights: Of each clip in means and deviations; None is 1 for all.

    Raises:
        DataError: There are no clips.
    """
    if not features:
        raise DataError("the training part is empty", hint="mark clips train, or add some")
    max_len = frames or length(features)
    if scale == "none":
        return Preprocessor(max_len, np.zeros(0), np.zeros(0), tuple(classes))
    mean, variance, count = _moments(features, max_len, weights, by_frame=scale == "frame")
    return Preprocessor(max_len, mean, _deviation(mean, variance, count), tuple(classes))


def transform(features: Sequence[Floats], preprocessor: Preprocessor) -> Floats:
    """Return clips (t, F) padded and standardised as (N, T, F)."""
    mean, scale, max_len = preprocessor.mean, preprocessor.scale, preprocessor.max_len
    if not features:
        return np.empty((0, max_len, 0), np.float32)
    width = features[0].shape[1]
    if len(mean) > width:  # one mean a cell
        mean, scale = mean.reshape(-1, width), scale.reshape(-1, width)
    batch = np.empty((len(features), max_len, width), np.float32)
    for row, clip in zip(batch, features, strict=True):
        padded = pad(clip, max_len)
        row[:] = (padded - mean) / scale if len(mean) else padded
    return batch


def encode(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the index of each label in `classes`, (N,).

    Raises:
        DataError: A label is not one of the classes.
    """
    index = {name: number for number, name in enumerate(classes)}
    unknown = sorted(set(labels) - index.keys())
    if unknown:
        raise DataError(
            f"label {unknown[0]!r} is not one of the classes", hint="known: " + ", ".join(classes)
        )
    return np.array([index[label] for label in labels], np.int64)


def _moments(
    features: Sequence[Floats], max_len: int, weights: Sequence[float] | None, *, by_frame: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return mean and variance of the padded clips, flat, and how many values made each.

    Two passes over one clip at a time: exact, and without a float64 copy of everything.
    """
    each = np.ones(len(features)) if weights is None else np.asarray(weights, np.float64)
    count = float(each.sum()) * (max_len if by_frame else 1)

    def average(cells: NDArray[np.float64]) -> NDArray[np.float64]:
        return (cells.sum(axis=0) if by_frame else cells) / count

    total = np.zeros((max_len, features[0].shape[1]))
    for clip, weight in zip(features, each, strict=True):
        total += weight * pad(clip, max_len)
    mean = average(total)
    total[:] = 0
    for clip, weight in zip(features, each, strict=True):
        total += weight * np.square(pad(clip, max_len) - mean)
    return mean.ravel(), average(total).ravel(), count


def _deviation(
    mean: NDArray[np.float64], variance: NDArray[np.float64], count: float
) -> NDArray[np.float64]:
    """Return standard deviations, 1 where a column is constant but for rounding.

    The bound is scikit-learn's (`_is_constant_feature`).
    """
    rounding = count * np.finfo(np.float64).eps
    constant = variance <= rounding * variance + (rounding * mean) ** 2
    return np.where(constant, 1.0, np.sqrt(variance))
