"""What voices and corpora differ in, whatever is felt: directions a network need not look along.

Of each speaker's clips, what their emotions have in common with everybody's is taken off; what is
left in the mean is the voice (nuisance attribute projection, Solomonoff et al. 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ser_cli.recipes import ALONG_VOICES, OFF_VOICES

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from ser_cli.training.dataset import Part
    from ser_cli.types import Floats

OF_CORPORA = 3.0  # weight of how corpora differ, against how the speakers of each do
FEW = 3.0  # clips of a speaker of whom half is believed
LEAST = 0.01  # standard deviations of all features together: less is rounding, no voice


def take_off(model: keras.Model, train: Part) -> None:
    """Set the layers of a network that take off the directions of the voices, if it has them."""
    for along in (layer for layer in model.layers if layer.name.startswith(ALONG_VOICES)):
        found = directions(train, along.units, first=along.input.shape[-1])
        along.set_weights([found])
        off = along.name.replace(ALONG_VOICES, OFF_VOICES)
        model.get_layer(off).set_weights([-found.T])


def directions(train: Part, count: int, *, first: int) -> Floats:
    """Return the directions (first, count) in which speakers and corpora differ most.

    They are orthogonal, of length 1, and learned from the recordings, not from their augmented
    copies. Where there are fewer, the others are zeros.

    Args:
        train: Clips to learn from.
        count: How many directions.
        first: Of how many values of their inputs (T, F), laid out in a row.
    """
    recorded = train.clips[: train.recorded]
    inputs = train.inputs(np.arange(train.recorded)).reshape(train.recorded, -1)
    x = inputs[:, :first].astype(np.float64)
    homes = np.array([clip.corpus for clip in recorded])
    speakers = np.array([clip.speaker or clip.corpus for clip in recorded])
    voice = x - _of_emotions(x, train.y[: train.recorded], homes)
    parts = [_differences(voice[homes == home], speakers[homes == home]) for home in _once(homes)]
    _, sizes, found = np.linalg.svd(np.concatenate(parts), full_matrices=False)
    kept = (found[:count] * (sizes[:count, None] > LEAST)).T
    return np.pad(kept, ((0, 0), (0, count - kept.shape[1]))).astype(np.float32)


def _of_emotions(
    x: NDArray[np.float64], y: NDArray[np.int64], homes: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return, for each clip (N, F), the mean of its emotion over all corpora alike."""
    means = np.zeros_like(x)
    for emotion in np.unique(y):
        own = y == emotion
        each = [x[own & (homes == home)].mean(axis=0) for home in _once(homes[own])]
        means[own] = np.mean(each, axis=0)
    return means


def _differences(voice: NDArray[np.float64], speakers: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return how the speakers of a corpus differ from their mean, and it from all corpora's."""
    rows = []
    for name in _once(speakers):
        own = voice[speakers == name]
        rows.append(own.mean(axis=0) * np.sqrt(len(own) / (len(own) + FEW)))
    means = np.array(rows)
    mean = means.mean(axis=0)
    return np.vstack([(means - mean) / np.sqrt(len(means)), OF_CORPORA * mean])


def _once(names: NDArray[np.str_]) -> list[str]:
    return list(dict.fromkeys(names.tolist()))
