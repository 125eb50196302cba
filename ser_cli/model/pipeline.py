"""A trained system: front end, preprocessor, network and temperature, from sound to emotions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import UsageError
from ser_cli.model.calibration import calibrate
from ser_cli.model.network import Network

if TYPE_CHECKING:
    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Floats, Preprocessor


class Pipeline:
    """The one way from sound, or from features, to probabilities."""

    def __init__(
        self,
        frontend: Frontend,
        preprocessor: Preprocessor,
        network: Network,
        temperature: float = 1.0,
        labels: tuple[str, ...] = (),
    ) -> None:
        """Join the parts.

        Args:
            frontend: Sound -> features.
            preprocessor: Features -> the network's input.
            network: Input -> probabilities of all its classes.
            temperature: Of the calibration.
            labels: Emotions to choose among; none stands for all.

        Raises:
            ArtifactsError: The parts do not fit each other.
            UsageError: The network does not know such a label.
        """
        network.check(preprocessor, frontend.width)
        self.frontend = frontend
        self.preprocessor = preprocessor
        self.network = network
        self.temperature = temperature
        self._labels = labels
        self._chosen = places(labels, preprocessor.classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the probabilities."""
        return tuple(self.preprocessor.classes[place] for place in self._chosen)

    def with_preprocessor(self, preprocessor: Preprocessor) -> Pipeline:
        """Return the same system with another preprocessor: that of an enrolled speaker."""
        return Pipeline(self.frontend, preprocessor, self.network, self.temperature, self._labels)

    def probabilities(self, features: Sequence[Floats]) -> Floats:
        """Return the calibrated probabilities (N, C) of the features (t, F) of N clips."""
        outputs = self.network.probabilities(features, self.preprocessor)
        found = calibrate(outputs, self.temperature) if len(outputs) else outputs
        if len(self._chosen) == found.shape[1]:
            return found
        among: Floats = found[:, self._chosen]
        among /= np.maximum(among.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return among


def places(labels: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Return where the labels stand among the classes, in the classes' order; without any, all.

    Raises:
        UsageError: A label is none of the classes.
    """
    if unknown := [label for label in labels if label not in classes]:
        raise UsageError(
            f"the model does not know the label {unknown[0]!r}", hint="known: " + ", ".join(classes)
        )
    return [place for place, name in enumerate(classes) if not labels or name in labels]
