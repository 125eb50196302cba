"""ONNX Runtime, loaded in one place: on the CPU, quiet, and with no more memory than it needs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    import onnxruntime

    from ser_cli.types import Floats


def open_session(path: Path, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Args:
        path: The file.
        threads: Cores that one run may use; 0 leaves it to ONNX Runtime.

    Raises:
        ArtifactsError: It cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # An arena keeps what the largest batch has needed; without it a run is no slower.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors; warnings about the graph help no user
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ArtifactsError(
            f"{path} cannot be loaded: {error}", hint="train again: ser train"
        ) from error


def kept(path: Path) -> onnxruntime.InferenceSession:
    """Return an ONNX file ready to run; each process loads it once."""
    found = path.stat()
    return _kept(path, found.st_size, found.st_mtime_ns)


def run(path: Path, inputs: Floats) -> Floats:
    """Return the first output of an ONNX file for its one input."""
    session = kept(path)
    outputs: list[Floats] = session.run(None, {session.get_inputs()[0].name: inputs})
    return outputs[0]


@lru_cache(maxsize=4)
def _kept(path: Path, size: int, changed: int) -> onnxruntime.InferenceSession:
    return open_session(path)
