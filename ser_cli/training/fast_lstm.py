"""Keras's LSTM as it is best trained on a processor: the same weights and numbers.

Keras adds to the gradients of both weight matrices at every frame. With the few clips of a batch
that is most of the work, and it need not be done inside the loop over frames at all: the inputs'
part is one product over all frames, and so is each gradient.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

Gradient = Any
WAYS = {"layer": "forward_layer", "backward_layer": "backward_layer"}  # of a Bidirectional


def speed_up(model: keras.Model) -> keras.Model:
    """Return a network that computes the same from the same weights, and is trained faster.

    Its layers are copies with the values of the model's, and every LSTM is a `FastLSTM`. The
    model itself comes back where nothing is gained: on a graphics card, or without an LSTM that
    is plain (no dropout inside, the usual activations).
    """
    if not (_on_processor() and any(_is_plain(part) for part in map(_lstm, model.layers))):
        return model
    fast = keras.models.clone_model(model, clone_function=_clone)
    # Dropout's generators are among them.
    for mine, theirs in zip(fast.variables, model.variables, strict=True):
        mine.assign(theirs)
    return fast


@keras.saving.register_keras_serializable(package="ser")
class FastLSTM(layers.LSTM):  # type: ignore[misc]
    """An LSTM of tanh and sigmoid; where frames are masked, it does what Keras's does."""

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: Any = False,
    ) -> Any:
        """Return the last output (B, H) or all (B, T, H), and both last states if asked to."""
        if mask is not None:
            return super().call(sequences, initial_state, mask, training)
        frames = tf.transpose(sequences, (1, 0, 2))
        if self.go_backwards:
            frames = tf.reverse(frames, (0,))
        first = initial_state or self.get_initial_state(tf.shape(frames)[1])
        recurrent = tf.convert_to_tensor(self.cell.recurrent_kernel)
        outputs, state = _recur(self._project(frames), recurrent, *first)
        last = outputs[-1]
        kept = tf.transpose(outputs, (1, 0, 2)) if self.return_sequences else last
        return (kept, last, state) if self.return_state else kept

    def _project(self, frames: tf.Tensor) -> tf.Tensor:
        """Return inputs times kernel, plus bias, (T, B, 4 H)."""
        # Of two axes: with three, the kernel's gradient would be a matrix a frame, summed.
        flat = tf.matmul(_flat(frames), tf.convert_to_tensor(self.cell.kernel))
        shape = (*tf.unstack(tf.shape(frames)[:2]), flat.shape[1])
        return tf.reshape(flat + self.cell.bias, shape)


def _on_processor() -> bool:
    """Tell whether TensorFlow computes, and without a graphics card."""
    return keras.config.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")


def _lstm(layer: layers.Layer) -> layers.Layer:
    """Return the layer itself, or what a Bidirectional reads forwards with."""
    return layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer


def _is_plain(layer: layers.Layer) -> bool:
    if type(layer) is not layers.LSTM:
        return False
    activations = (layer.activation.__name__, layer.recurrent_activation.__name__)
    extras = layer.dropout or layer.recurrent_dropout or layer.stateful or not layer.use_bias
    return activations == ("tanh", "sigmoid") and not extras


def _clone(layer: layers.Layer) -> layers.Layer:
    """Return a new layer of the same settings and name, fast where it is an LSTM."""
    config, kind = layer.get_config(), FastLSTM if _is_plain(layer) else type(layer)
    if isinstance(layer, layers.Bidirectional):
        for key, way in WAYS.items():
            config[key] = keras.saving.serialize_keras_object(_clone(getattr(layer, way)))
    return kind.from_config(config)


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
    return tf.reshape(frames, (-1, frames.shape[2]))
