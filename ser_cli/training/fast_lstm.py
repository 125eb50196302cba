"""Keras's LSTM as it is best trained on a processor: the same layer, weights and numbers.

Keras adds to the gradients of both weight matrices at every frame. With the few clips of a batch
that is most of the work, and it need not be done inside the loop over frames at all: the inputs'
part is one product over all frames, and so is each gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from keras import layers

    Gradient = Any


def speed_up(model: keras.Model) -> None:
    """Let every LSTM of a network that is to be trained run so; its weights stay as they are.

    Where an LSTM is not the plain one (dropout inside, other activations), nothing is changed.
    """
    from keras import layers

    for layer in model._flatten_layers():
        if isinstance(layer, layers.LSTM) and _is_plain(layer):
            layer.inner_loop = _Loop(layer)


def _is_plain(layer: layers.LSTM) -> bool:
    activations = (layer.activation.__name__, layer.recurrent_activation.__name__)
    extras = layer.dropout or layer.recurrent_dropout or layer.stateful or not layer.use_bias
    return activations == ("tanh", "sigmoid") and not extras


class _Loop:
    """What stands in for an LSTM's own loop over frames."""

    def __init__(self, layer: layers.LSTM) -> None:
        self._layer = layer

    def __call__(
        self, sequences: tf.Tensor, initial_state: Any, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the last output (B, H), all outputs (B, T, H), and both last states."""
        import tensorflow as tf

        layer = self._layer
        if mask is not None:
            return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
        frames = tf.transpose(sequences, (1, 0, 2))
        if layer.go_backwards:
            frames = tf.reverse(frames, (0,))
        cell = layer.cell
        # Of two axes: with three, the kernel's gradient would be a matrix a frame, summed.
        flat = tf.matmul(_flat(frames), tf.convert_to_tensor(cell.kernel))
        projected = tf.reshape(flat + cell.bias, (*tf.unstack(tf.shape(frames)[:2]), flat.shape[1]))
        outputs, state = _recur(
            projected, tf.convert_to_tensor(cell.recurrent_kernel), *initial_state
        )
        last = outputs[-1]
        kept = tf.transpose(outputs, (1, 0, 2)) if layer.return_sequences else last[:, None]
        return last, kept, [last, state]


def _recur(
    projected: tf.Tensor, recurrent: tf.Tensor, hidden: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return all outputs (T, B, H) and the last cell state (B, H).

    Args:
        projected: Inputs times kernel, plus bias, (T, B, 4 H), gates in the order i, f, c, o.
        recurrent: (H, 4 H).
        hidden: First output (B, H).
        state: First cell state (B, H).
    """
    import tensorflow as tf

    def loop(
        projected: tf.Tensor, recurrent: tf.Tensor, hidden: tf.Tensor, state: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradient]:
        gates, outputs, states = _forward(projected, recurrent, hidden, state)

        def gradient(d_outputs: tf.Tensor, d_state: tf.Tensor) -> tuple[tf.Tensor, ...]:
            before = tf.concat((state[None], states[:-1]), 0)
            d_projected, d_hidden, d_first = _backward(
                gates, states, before, recurrent, d_outputs, d_state
            )
            heard = tf.concat((hidden[None], outputs[:-1]), 0)
            d_recurrent = tf.matmul(tf.transpose(_flat(heard)), _flat(d_projected))
            return d_projected, d_recurrent, d_hidden, d_first

        return (outputs, states[-1]), gradient

    made: tuple[tf.Tensor, tf.Tensor] = tf.custom_gradient(loop)(
        projected, recurrent, hidden, state
    )
    return made


def _forward(
    projected: tf.Tensor, recurrent: tf.Tensor, hidden: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return gates (T, B, 4 H), outputs (T, B, H) and cell states (T, B, H)."""
    import tensorflow as tf

    length = tf.shape(projected)[0]
    inputs = tf.TensorArray(tf.float32, length).unstack(projected)
    kept = tuple(tf.TensorArray(tf.float32, length) for _ in range(3))

    def step(t: Any, h: Any, c: Any, kept: Any) -> Any:
        i, f, g, o = tf.split(inputs.read(t) + tf.matmul(h, recurrent), 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        gates = tf.concat((i, f, g, o), 1)
        written = (a.write(t, v) for a, v in zip(kept, (gates, h, c), strict=True))
        return t + 1, h, c, tuple(written)

    *_, kept = tf.while_loop(lambda t, *_: t < length, step, (tf.constant(0), hidden, state, kept))
    gates, outputs, states = (array.stack() for array in kept)
    return gates, outputs, states


def _backward(
    gates: tf.Tensor,
    states: tf.Tensor,
    before: tf.Tensor,
    recurrent: tf.Tensor,
    d_outputs: tf.Tensor,
    d_state: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the gradients of `projected` (T, B, 4 H), of the first output and cell state (B, H).

    All that does not depend on the frame after is computed for all frames at once.
    """
    import tensorflow as tf

    length = tf.shape(gates)[0]
    i, f, g, o = tf.split(gates, 4, axis=2)
    squashed = tf.tanh(states)
    # What dc (of i, f, g) and dh (of o) are multiplied by to be the gates' gradients.
    slopes = tf.concat(
        (g * i * (1 - i), before * f * (1 - f), i * (1 - g * g), squashed * o * (1 - o)), 2
    )
    through = o * (1 - squashed * squashed)
    reads = [tf.TensorArray(tf.float32, length).unstack(x) for x in (slopes, through, f, d_outputs)]
    transposed = tf.transpose(recurrent)

    def step(t: Any, dh: Any, dc: Any, kept: Any) -> Any:
        slope, by_state, forget, d_output = (array.read(t) for array in reads)
        dh += d_output
        dc += dh * by_state
        dz = tf.concat((dc, dc, dc, dh), 1) * slope
        return t - 1, tf.matmul(dz, transposed), dc * forget, kept.write(t, dz)

    first = (length - 1, tf.zeros_like(d_state), d_state, tf.TensorArray(tf.float32, length))
    _, dh, dc, kept = tf.while_loop(lambda t, *_: t >= 0, step, first)
    return kept.stack(), dh, dc


def _flat(frames: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.reshape(frames, (-1, frames.shape[2]))
