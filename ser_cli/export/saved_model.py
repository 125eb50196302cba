"""A trained Keras network -> TensorFlow's SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from ser_cli.model.network import Network

if TYPE_CHECKING:
    from ser_cli.types import Floats


def to_saved_model(model: keras.Model, folder: Path) -> None:
    """Write the network as a TensorFlow SavedModel with the signature `serve`."""
    model.export(folder, format="tf_saved_model", verbose=False)


class SavedModelNetwork(Network):
    """A network in TensorFlow, without Keras."""

    def __init__(self, folder: Path) -> None:
        """Load it."""
        self.name = str(folder)
        self._loaded: Any = tf.saved_model.load(str(folder))

    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""
        outputs: Floats = self._loaded.serve(x).numpy()
        return outputs
