"""A trained network that is ready to run: scaled input (N, T, F) -> softmax outputs (N, C)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import ArtifactsError
from ser_cli.model.preprocess import transform
from ser_cli.onnx_session import open_session

if TYPE_CHECKING:
    from ser_cli.types import Floats, Preprocessor


BATCH = 64  # clips at a time: bounds memory, and larger batches are no faster on a CPU


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
        """
        parts = [np.zeros((0, len(preprocessor.classes)), np.float32)]
        for start in range(0, len(features), BATCH):
            parts.append(self.run(transform(features[start : start + BATCH], preprocessor)))
        return np.concatenate(parts)

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
                hint="give the recipe it was trained with: --recipe NAME",
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
        entry = self._session.get_inputs()[0]
        outputs = self._session.get_outputs()[0].shape
        if len(entry.shape) != 3 or len(outputs) != 2:
            raise ArtifactsError(
                f"{path} maps {entry.shape} to {outputs}, not (clips, frames, features) to "
                "(clips, classes)",
                hint="train one: ser train",
            )
        self._input = entry.name
        self.frames, self.features = entry.shape[1:]
        self.classes = outputs[1]

    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""
        outputs: list[Floats] = self._session.run(None, {self._input: x})
        return outputs[0]
