"""The formats a trained network can be exported to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.errors import UsageError
from ser_cli.export.litert import LiteRtNetwork, require, to_litert
from ser_cli.export.onnx import rewrite_onnx
from ser_cli.export.saved_model import SavedModelNetwork, to_saved_model
from ser_cli.model.network import Network, OnnxNetwork

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class Target:
    """A format and how its files are made.

    Attributes:
        suffix: Of its files; "" where it is a folder.
        from_keras: Whether it is made from the Keras network; else from the ONNX one.
        write: Trained folder, Keras network or None, path and quantization -> the file.
        load: Path -> what runs it.
    """

    suffix: str
    from_keras: bool
    write: Callable[[Artifacts, Any, Path, str | None], None]
    load: Callable[[Path], Network]


FORMATS: Mapping[str, Target] = {
    "onnx": Target(
        suffix=".onnx",
        from_keras=False,  # training wrote ONNX already, and checked it
        write=lambda trained, _, path, quantize: rewrite_onnx(trained.onnx, path, quantize),
        load=OnnxNetwork,
    ),
    "litert": Target(
        suffix=".tflite",
        from_keras=True,
        write=lambda _, model, path, quantize: to_litert(model, path, quantize),
        load=LiteRtNetwork,
    ),
    "saved-model": Target(
        suffix="",
        from_keras=True,
        write=lambda _, model, path, __: to_saved_model(model, path),
        load=SavedModelNetwork,
    ),
}


def get(name: str) -> Target:
    """Return the format of that name, if it can be checked here.

    Raises:
        UsageError: There is none.
        SerError: What runs its files is not installed.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", hint="known: " + ", ".join(FORMATS))
    if name == "litert":
        require()
    return FORMATS[name]
