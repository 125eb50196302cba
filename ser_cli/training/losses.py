"""What a network is told of a clip, and how far off its answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.training.dataset import Part
    from ser_cli.types import TrainSettings

UNKNOWN = -1.0  # a class that a clip's corpus does not have


def of(train: Part, settings: TrainSettings) -> Any:
    """Return the loss that fits what `targets` returns."""
    return keras.losses.SparseCategoricalCrossentropy() if _plain(train, settings) else among_known


def targets(train: Part, settings: TrainSettings) -> NDArray[Any]:
    """Return what each clip is: the index of its class (N,), or what `among_known` takes (N, C).

    A sound without speech is every class alike, and a machine's voice what is no feeling.
    """
    if _plain(train, settings):
        return train.y
    rows = np.where(train.known, np.float32(0), np.float32(UNKNOWN))
    spoken = np.flatnonzero(train.y >= 0)
    smoothed = np.where(train.y >= 0, settings.label_smoothing, 1.0)[:, None]
    share = smoothed / train.unmoved.sum(axis=1, keepdims=True)
    rows[train.unmoved] = np.broadcast_to(share, rows.shape)[train.unmoved]
    rows[spoken, train.y[spoken]] += 1 - settings.label_smoothing
    return rows


def among_known(targets: Any, probabilities: Any) -> Any:
    """Cross-entropy of softmax outputs (N, C) among the classes that a clip can be.

    Args:
        targets: (N, C) share of each class, which sum to 1; UNKNOWN where the clip's corpus does
            not have the class, whose probability then counts neither for nor against it.
        probabilities: (N, C).

    Returns:
        (N,).
    """
    known = ops.cast(targets > UNKNOWN, probabilities.dtype)
    probabilities = ops.clip(probabilities, keras.config.epsilon(), 1.0)
    together = ops.log(ops.sum(probabilities * known, axis=-1))
    return together - ops.sum(ops.log(probabilities) * targets * known, axis=-1)


def _plain(train: Part, settings: TrainSettings) -> bool:
    return bool(train.known.all() and (train.y >= 0).all()) and not settings.label_smoothing
