"""A trained Keras network -> ONNX, checked against the original."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data.store import atomic_write
from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats

TOLERANCE = 1e-5  # of a probability; float32 networks differ by about 1e-7


def to_onnx(model: keras.Model, path: Path) -> None:
    """Write the network as ONNX with a free batch size, if it computes what the original does.

    Args:
        model: (N, T, F) -> (N, C).
        path: Replaced when the check has passed.

    Raises:
        ArtifactsError: A probability differs by more than 1e-5.
    """
    shape = model.input_shape[1:]
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    # Called before the export: Keras traces the shapes of that call.
    expected = np.asarray(model(x, training=False))
    with atomic_write(path) as temporary:
        with warnings.catch_warnings():
            # Keras asks NumPy for a name that NumPy will bring back.
            warnings.simplefilter("ignore", FutureWarning)
            model.export(temporary, format="onnx", verbose=False)
        difference = float(np.abs(_run(temporary, x) - expected).max())
        if not difference <= TOLERANCE:
            raise ArtifactsError(f"{path}: ONNX and Keras differ by {difference:.1e}")


def _run(path: Path, x: Floats) -> Floats:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # One more clip than was traced: a fixed batch size would fail here.
    grown = np.concatenate([x, x[:1]])
    outputs: list[Floats] = session.run(None, {session.get_inputs()[0].name: grown})
    return outputs[0][:-1]
