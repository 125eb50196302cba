"""A trained network as one file, .onnx or .keras -> what predicts with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.model.artifacts import Artifacts
from ser_cli.model.preprocess import transform
from ser_cli.model.runtime import BATCH, Runtime
from ser_cli.training import trainer

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats, Preprocessor

    # Features (t, F) of clips -> probabilities (N, C), not calibrated.
    Predict = Callable[[Sequence[Floats]], Floats]


def load(path: Path, preprocessor: Preprocessor, *, features: int) -> Predict:
    """Return what predicts with a network that no manifest vouches for.

    Args:
        path: .onnx or .keras.
        preprocessor: What belongs to it.
        features: F of the features it is given.

    Raises:
        UsageError: It is neither.
        ArtifactsError: It is missing, cannot be loaded, or does not fit.
    """
    loaders = {".onnx": _onnx, ".keras": _keras}
    if path.suffix.lower() not in loaders:
        raise UsageError(
            f"{path} is no network that can be run here", hint="name a .onnx or a .keras file"
        )
    if not path.is_file():
        raise ArtifactsError(f"{path}: no such file", hint="train one: ser train")
    width, predict = loaders[path.suffix.lower()](path, preprocessor)
    if width != features:
        raise ArtifactsError(
            f"{path} takes {width} features a frame, and the recipe makes {features}",
            hint="name the recipe it was trained with: --recipe NAME",
        )
    return predict


def load_keras(path: Path) -> keras.Model:
    """Load a Keras network, and no code with it (`safe_mode`).

    Raises:
        ArtifactsError: It cannot be loaded.
    """
    trainer.prepare(0)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what it likes
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ArtifactsError(
            f"{path} cannot be loaded: {reason}", hint="train again: ser train"
        ) from error


def _onnx(path: Path, preprocessor: Preprocessor) -> tuple[int, Predict]:
    found = Artifacts(path.parent, "", preprocessor, 1.0, {}, network=path.name)
    runtime = Runtime(found)
    return runtime.features, runtime.predict


def _keras(path: Path, preprocessor: Preprocessor) -> tuple[int, Predict]:
    model = load_keras(path)
    inputs, outputs = tuple(model.input_shape), tuple(model.output_shape)
    expected = preprocessor.max_len, len(preprocessor.classes)
    if len(inputs) != 3 or (inputs[1], outputs[-1]) != expected:
        raise ArtifactsError(
            f"{path} maps {inputs[1:]} to {outputs[1:]}, where the files named with it have "
            f"{expected[0]} frames and {expected[1]} classes",
            hint="name the scaler, the encoder and the length it was trained with",
        )

    def predict(features: Sequence[Floats]) -> Floats:
        parts = [
            trainer.probabilities(model, transform(features[at : at + BATCH], preprocessor))
            for at in range(0, len(features), BATCH)
        ]
        return np.concatenate(parts)

    return int(inputs[2]), predict
