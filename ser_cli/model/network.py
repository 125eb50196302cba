"""A trained network that is ready to run: scaled input (N, T, F) -> softmax outputs (N, C)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import ArtifactsError
from ser_cli.model.preprocess import transform
from ser_cli.onnx_session import execute, open_session

if TYPE_CHECKING:
    from ser_cli.types import Floats, Preprocessor


SLACK = 0.1  # of a probability, and of a sum of some: networks in 8 bits are that coarse
BATCH = 64  # clips at a time: bounds memory, and larger batches are no faster on a CPU

_FLOATS = "tensor(float)"
_ANOTHER = "take another model, or train again: ser train"


class Network(ABC):
    """A network, whatever runs it.

    Attributes:
        name: Of its file, for messages.
        frames: T of its input; None where any length will do.
        features: F of its input.
        classes: C of its output.
    """

    name: str
    frames: int | None
    features: int
    classes: int

    @abstractmethod
    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""

    def probabilities(self, features: Sequence[Floats], preprocessor: Preprocessor) -> Floats:
        """Return the softmax outputs (N, C), not calibrated, of the features (t, F) of N clips.

        Clips are read, padded, scaled and run batch by batch.

        Raises:
            ArtifactsError: The network fails, or what comes out is no probabilities.
        """
        parts = [np.zeros((0, len(preprocessor.classes)), np.float32)]
        for start in range(0, len(features), BATCH):
            x = transform(features[start : start + BATCH], preprocessor)
            parts.append(self._checked(self.run(x), len(x)))
        return np.concatenate(parts)

    def _checked(self, outputs: Floats, count: int) -> Floats:
        """Return the outputs, if they are probabilities: (N, C), finite, and 1 in sum."""
        expected = (count, self.classes)
        if outputs.shape != expected:
            reason = f"its output is {outputs.shape}, not {expected}"
        elif not np.isfinite(outputs).all():
            reason = "its output holds values that are not finite"
        elif outputs.min(initial=0) < -SLACK or np.abs(outputs.sum(axis=1) - 1).max() > SLACK:
            reason = "its output is no probabilities (0 to 1, and 1 in sum)"
        else:
            return outputs
        raise ArtifactsError(f"{self.name} cannot be used: {reason}", hint=_ANOTHER)

    def check(self, preprocessor: Preprocessor, features: int) -> None:
        """Make sure that input and output are those of the files that belong to it.

        Raises:
            ArtifactsError: They are not.
        """
        expected = preprocessor.max_len, len(preprocessor.classes)
        if (self.frames, self.classes) != expected:
            raise ArtifactsError(
                f"{self.name} maps {self.frames} frames to {self.classes} classes, but the "
                f"files given with it have {expected[0]} frames and {expected[1]} classes",
                hint="give the files it was trained with, or train again: ser train",
            )
        if self.features != features:
            raise ArtifactsError(
                f"{self.name} takes {self.features} features per frame, but the recipe makes "
                f"{features}",
                hint="train again: ser train; or name the recipe of --model: --recipe NAME",
            )
        scaled = len(preprocessor.mean)
        if scaled not in (0, features, expected[0] * features):
            raise ArtifactsError(
                f"the scaling given with {self.name} is of {scaled} values, and the recipe makes "
                f"{features} features per frame",
                hint="give the files it was trained with, or train again: ser train",
            )


class OnnxNetwork(Network):
    """A network in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            ArtifactsError: It cannot be loaded, or is no network of clips.
        """
        self.name = str(path)
        self._session = open_session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [(entry.type, len(entry.shape)) for entry in (*inputs, *outputs)]
        if found != [(_FLOATS, 3), (_FLOATS, 2)]:
            shown = (", ".join(f"{e.type} {e.shape}" for e in side) for side in (inputs, outputs))
            raise ArtifactsError(
                f"{path} maps {' to '.join(shown)}, not floats (clips, frames, features) to "
                "(clips, classes)",
                hint="train one: ser train",
            )
        entry = inputs[0]
        self._input = entry.name
        self.frames, self.features = entry.shape[1:]
        self.classes = outputs[0].shape[1]

    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""
        return execute(self._session, {self._input: x}, name=self.name)[0]
