"""A network in Keras: loaded without code, and run."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from ser_cli.errors import ArtifactsError
from ser_cli.model.network import Network

if TYPE_CHECKING:
    from ser_cli.types import Floats

MOST_JSON_BYTES = 16 * 2**20  # unpacked; our largest description has 0.03 MB
MOST_BYTES = 4 * 2**30  # of all of it


class KerasNetwork(Network):
    """A network in Keras, trained or being trained."""

    def __init__(self, model: keras.Model, name: str = "the network") -> None:
        """Take a model (N, T, F) -> (N, C).

        Raises:
            ArtifactsError: Its input or output has other axes.
        """
        inputs, outputs = tuple(model.input_shape), tuple(model.output_shape)
        if len(inputs) != 3 or len(outputs) != 2:
            raise ArtifactsError(
                f"{name} maps {inputs[1:]} to {outputs[1:]}, not (frames, features) to (classes)",
                hint="train one: ser train",
            )
        self.name = name
        self.model = model
        self.frames, self.features = inputs[1:]
        self.classes = outputs[1]

    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""
        outputs: Floats = np.asarray(self.model.predict_on_batch(x))
        return outputs


def load(path: Path) -> KerasNetwork:
    """Load a .keras file, and no code with it (`safe_mode`).

    Raises:
        ArtifactsError: It cannot be loaded, or would take more memory than any network of ours.
    """
    _check_size(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what it likes
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ArtifactsError(
            f"{path} cannot be loaded: {reason}", hint="train again: ser train"
        ) from error
    return KerasNetwork(model, str(path))


def _check_size(path: Path) -> None:
    """Refuse an archive that is small and unpacks to gigabytes; Keras reports what is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile):
        return
    size = sum(entry.file_size for entry in entries)
    texts = sum(entry.file_size for entry in entries if entry.filename.endswith(".json"))
    if texts > MOST_JSON_BYTES or size > MOST_BYTES:
        raise ArtifactsError(
            f"{path} is refused: unpacked it has {size / 1e6:,.0f} MB, of which {texts / 1e6:,.0f} "
            "MB describe its layers",
            hint="train one: ser train",
        )
