"""Keras's Conv1D as wide ones are best trained on a processor: the same layer and weights.

Winograd's minimal filtering, "Fast Algorithms for Convolutional Neural Networks" (Lavin and Gray,
2016, arXiv:1509.09308): ten products give six outputs of five taps, which usually take thirty. A
tile of frames is a polynomial's coefficients; at ten points its values are multiplied by the
filter's. Float32 keeps five digits, with points as small as these.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from keras import layers

    from ser_cli.types import Floats

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.5, -1.5)  # and infinity
TILE = len(POINTS) + 1
WIDE = 2**16  # input times output channels: with fewer, turning tiles costs what it saves
TAPS = range(3, 8)


def speed_up(model: keras.Model) -> None:
    """Let every wide Conv1D of a network that is to be trained run so; its weights stay.

    Elsewhere than on Linux nothing is changed: TensorFlow's compiler, without which tiles are
    turned too slowly, was not tried there.
    """
    from keras import layers

    if platform.system() != "Linux":
        return
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Conv1D) and _is_wide(layer):
            layer.call = _Call(layer)


def _is_wide(layer: layers.Conv1D) -> bool:
    taps, channels, filters = layer.kernel.shape
    plain = (layer.strides, layer.dilation_rate, layer.groups) == ((1,), (1,), 1)
    here = layer.padding == "same" and layer.data_format == "channels_last"
    return plain and here and taps in TAPS and channels * filters >= WIDE


class _Call:
    """What stands in for the call of a Conv1D."""

    def __init__(self, layer: layers.Conv1D) -> None:
        import tensorflow as tf

        self._layer = layer
        self._compiled = tf.function(self._compute, jit_compile=True)

    def __call__(self, inputs: tf.Tensor) -> Any:
        """Return (B, T, F) of inputs (B, T, C)."""
        import tensorflow as tf

        layer = self._layer
        weights = (layer.kernel, layer.bias) if layer.use_bias else (layer.kernel,)
        return self._compiled(inputs, *map(tf.convert_to_tensor, weights))

    def _compute(self, inputs: tf.Tensor, kernel: tf.Tensor, bias: Any = 0.0) -> Any:
        return self._layer.activation(convolve(inputs, kernel) + bias)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the filtered frames (B, T, F), as many as there are, zeros before and after them.

    Args:
        inputs: (B, T, C).
        kernel: (r, C, F), r of `TAPS`.
    """
    import tensorflow as tf

    taps, channels, filters = kernel.shape
    to_outputs, of_kernel, of_tile = _matrices(taps)
    tiles = _tiles(inputs, taps)
    turned = tf.reshape(of_tile @ tf.reshape(tiles, (TILE, -1)), (TILE, -1, channels))
    values = tf.reshape(of_kernel @ tf.reshape(kernel, (taps, -1)), (TILE, channels, filters))
    outputs = to_outputs @ tf.reshape(turned @ values, (TILE, -1))
    step, length = TILE - taps + 1, inputs.shape[1]
    outputs = tf.reshape(outputs, (step, -1, tiles.shape[2], filters))
    outputs = tf.transpose(outputs, (1, 2, 0, 3))
    return tf.reshape(outputs, (-1, step * tiles.shape[2], filters))[:, :length]


def _tiles(inputs: tf.Tensor, taps: int) -> tf.Tensor:
    """Return overlapping stretches of the frames, zeros before and after, (n, B, tiles, C)."""
    import tensorflow as tf

    length, channels = inputs.shape[1:]
    step, before = TILE - taps + 1, (taps - 1) // 2  # a tile gives so many outputs
    # Made of blocks of as many frames, which neighbours share.
    tiles, blocks = -(-length // step), -(-TILE // step)
    after = (tiles + blocks - 1) * step - length - before
    padded = tf.pad(inputs, ((0, 0), (before, after), (0, 0)))
    apart = tf.reshape(padded, (-1, tiles + blocks - 1, step, channels))
    apart = tf.transpose(apart, (2, 0, 1, 3))
    return tf.concat([apart[:, :, i : i + tiles] for i in range(blocks)], 0)[:TILE]


def _matrices(taps: int) -> tuple[Floats, Floats, Floats]:
    """Return what makes outputs (m, n), turns a kernel (n, r) and turns a tile (n, n)."""
    made = _values(TILE - taps + 1).T, _values(taps), np.linalg.inv(_values(TILE)).T
    to_outputs, of_kernel, of_tile = (np.asarray(matrix, np.float32) for matrix in made)
    return to_outputs, of_kernel, of_tile


def _values(width: int) -> Floats:
    """Return what a polynomial's coefficients give at each point, (n, width)."""
    at_infinity = np.eye(width)[-1:]
    return np.concatenate([np.vander(POINTS, width, increasing=True), at_infinity])
