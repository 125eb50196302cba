"""Features -> calibrated probabilities, with ONNX Runtime: no TensorFlow is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.errors import ArtifactsError
from ser_cli.model.calibration import calibrate
from ser_cli.model.preprocess import transform

if TYPE_CHECKING:
    import onnxruntime

    from ser_cli.model.artifacts import Artifacts
    from ser_cli.types import Floats

BATCH = 64  # windows at a time: bounds memory, and larger ones are no faster on a CPU


class Runtime:
    """A trained network that is ready to run."""

    def __init__(self, artifacts: Artifacts, *, threads: int = 1) -> None:
        """Load the network.

        Args:
            artifacts: A sealed folder, read.
            threads: Cores one run may use; 0 leaves it to ONNX Runtime.

        Raises:
            ArtifactsError: It cannot be loaded, or does not fit the length and the classes.
        """
        self._artifacts = artifacts
        self._session = _session(artifacts, threads)
        self._input = self._session.get_inputs()[0].name
        shape = self._session.get_inputs()[0].shape
        frames = shape[1] if len(shape) == 3 else None
        outputs = self._session.get_outputs()[0].shape[-1]
        expected = artifacts.preprocessor.max_len, len(self.classes)
        if (frames, outputs) != expected:
            raise ArtifactsError(
                f"{artifacts.onnx} maps {frames} frames to {outputs} classes, where the files "
                f"beside it have {expected[0]} frames and {expected[1]} classes",
                hint="train again: ser train",
            )

    @property
    def features(self) -> int:
        """F of the input (N, T, F)."""
        return int(self._session.get_inputs()[0].shape[2])

    @property
    def classes(self) -> tuple[str, ...]:
        """Label of each output."""
        return self._artifacts.preprocessor.classes

    def probabilities(self, x: Floats) -> Floats:
        """Return the calibrated probabilities (N, C) of scaled input (N, T, F)."""
        parts = [self._run(x[start : start + BATCH]) for start in range(0, len(x), BATCH)]
        if not parts:
            return np.zeros((0, len(self.classes)), np.float32)
        return calibrate(np.concatenate(parts), self._artifacts.temperature)

    def predict(self, features: Sequence[Floats]) -> Floats:
        """Return the calibrated probabilities (N, C) of features (t, F) as a recipe makes them."""
        preprocessor = self._artifacts.preprocessor
        parts = [
            self.probabilities(transform(features[start : start + BATCH], preprocessor))
            for start in range(0, len(features), BATCH)
        ]
        return np.concatenate(parts) if parts else self.probabilities(np.zeros((0, 1, 1), "f4"))

    def _run(self, x: Floats) -> Floats:
        outputs: list[Floats] = self._session.run(None, {self._input: x})
        return outputs[0]


def _session(artifacts: Artifacts, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # An arena keeps what the largest batch has needed; without it a run is no slower.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors; warnings about the graph help no user
    try:
        return onnxruntime.InferenceSession(
            artifacts.onnx, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ArtifactsError(
            f"{artifacts.onnx} cannot be loaded: {error}", hint="train again: ser train"
        ) from error
