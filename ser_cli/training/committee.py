"""A network of several members: each learns by itself, and dev says how far each is believed.

Members that are held back little know the speakers they have heard almost by heart, and err on
strangers; those that are held back more do not. Which of them is needed, dev tells: its speakers
have been heard in training, or have not. Those that are spared degraded copies know them best, and
have to do with what sounds as recordings do: of that, a gate is sure or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ser_cli.recipes import BELIEF, GATE, MEMBERS, SPARED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.training.dataset import Part
    from ser_cli.types import Floats

STRENGTH = 20.0  # dev clips on the side of believing all members alike
_BATCH = 64  # clips heard at once
_STEPS = 100  # it hardly moves any more by then
_LEAST = 1e-4  # likelihood of a clip: one that surprises a member is not all that counts


class Learner:
    """A compiled network, ready to take steps, whose members learn each by itself.

    Trained by what they say together, they would lean on each other.
    """

    def __init__(self, model: keras.Model) -> None:
        """Take a network with members or without."""
        self.optimizer, self._model = model.optimizer, model
        self._belief = model.get_layer(BELIEF) if has_members(model) else None
        self._spared = spared(model)
        if self._belief is not None:
            each = members(model).outputs
            gate = [model.get_layer(GATE).output] if self._spared else []
            losses = [model.loss] * len(each) + ["sparse_categorical_crossentropy"] * len(gate)
            self._model = keras.Model(model.inputs, [*each, *gate])
            self._model.compile(optimizer=model.optimizer, loss=losses)

    def step(
        self, x: Floats, y: NDArray[Any], weights: Floats, degraded: NDArray[np.bool_]
    ) -> float:
        """Take a step, and return the mean loss.

        Args:
            x: (n, T, F).
            y: (n,) or (n, C), as the loss takes them.
            weights: (n,).
            degraded: (n,) which do not sound as recordings do.
        """
        if self._belief is None:
            return float(self._model.train_on_batch(x, y, sample_weight=weights))
        size = len(self._model.outputs)
        told, weigh = [y] * size, [weights] * size
        if self._spared:
            told[-1], weigh[-1] = degraded.astype(np.int64), np.ones_like(weights)
            weigh[-1 - self._spared : -1] = [weights * ~degraded] * self._spared
        losses = self._model.train_on_batch(x, told, sample_weight=weigh)
        return float(np.ravel(losses)[0]) / size

    def believe(self, dev: Part, weights: Floats) -> None:
        """Set how much each member is believed, if there are several.

        Args:
            dev: Clips (N,), each judged among the emotions that its corpus has.
            weights: (N,) how much each clip counts.
        """
        if self._belief is None:
            return
        said = _said(self._model, dev)
        if not self._spared:
            found = shares(_likelihoods(said, dev), weights)
            self._belief.set_weights([found[:, None]])
            return
        *each, gate = said
        found = shares(_likelihoods(each, dev), weights * gate[:, 0])
        heard = np.append(found[: -self._spared], np.zeros(self._spared, np.float32))
        self._belief.set_weights([np.column_stack([found, heard / heard.sum()])])


def has_members(model: keras.Model) -> bool:
    """Tell whether a network is one of several members; one alone has nothing to decide."""
    return any(layer.name == MEMBERS and isinstance(layer.input, list) for layer in model.layers)


def spared(model: keras.Model) -> int:
    """Return how many members do not learn from degraded copies; they are the last."""
    return sum(layer.name.startswith(SPARED) for layer in model.layers)


def members(model: keras.Model) -> keras.Model:
    """Return the network whose outputs are those of each member, (N, C)."""
    return keras.Model(model.inputs, model.get_layer(MEMBERS).input)


def _said(model: keras.Model, dev: Part) -> list[Floats]:
    """Return what a network says of each clip, of each of its outputs (N, ...)."""
    batches = np.split(np.arange(len(dev.y)), range(_BATCH, len(dev.y), _BATCH))
    said = [model.predict_on_batch(dev.inputs(places)) for places in batches]
    return [np.concatenate(one) for one in zip(*said, strict=True)]


def _likelihoods(said: list[Floats], dev: Part) -> Floats:
    """Return the probability that each member gives what each clip is, (M, N)."""
    known = np.array(said) * dev.known
    among = np.maximum(known.sum(axis=-1), _LEAST)
    likelihoods: Floats = known[:, np.arange(len(dev.y)), dev.y] / among
    return likelihoods


def believe_as(model: keras.Model, other: keras.Model) -> None:
    """Believe the members of a network, if it has some, as those of another."""
    if has_members(model):
        model.get_layer(BELIEF).set_weights(other.get_layer(BELIEF).get_weights())


def shares(likelihoods: NDArray[np.floating[Any]], weights: Floats) -> Floats:
    """Return how much each member is believed, (M,): what makes the clips most likely together.

    The weights of a mixture by expectation maximisation (Dempster et al. 1977), drawn towards equal
    ones, as if STRENGTH clips more had been said as well by all.

    Args:
        likelihoods: (M, N) probability that a member gives what a clip is.
        weights: (N,) how much each clip counts.
    """
    size, count = len(likelihoods), weights.sum(dtype=np.float64)
    equal = np.full(size, 1 / size)
    found, likely = equal, likelihoods.astype(np.float64) + _LEAST
    for _ in range(_STEPS):
        owed = found[:, None] * likely
        owed *= weights / owed.sum(axis=0)
        found = (owed.sum(axis=1) + STRENGTH * equal) / (count + STRENGTH)
    believed: Floats = found.astype(np.float32)
    return believed
