"""The formats a trained network can be exported to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.errors import UsageError
from ser_cli.export import litert, onnx

if TYPE_CHECKING:
    from ser_cli.export.parity import Run
    from ser_cli.model.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class Format:
    """A format and how its files are made.

    Attributes:
        suffix: Of its files; "" where it is a folder.
        quantizations: Those that exist.
        from_keras: Whether it is made from the Keras network; else from the ONNX one.
        write: Trained folder, Keras network or None, path and quantization -> the file.
        load: Path -> what runs it.
    """

    suffix: str
    quantizations: tuple[str, ...]
    from_keras: bool
    write: Callable[[Artifacts, Any, Path, str | None], None]
    load: Callable[[Path], Run]


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        suffix=".onnx",
        quantizations=("fp16", "int8"),
        from_keras=False,  # training wrote ONNX already, and checked it
        write=lambda trained, _, path, quantize: onnx.rewrite_onnx(trained.onnx, path, quantize),
        load=onnx.load_onnx,
    ),
    "litert": Format(
        suffix=".tflite",
        quantizations=("fp16", "int8"),
        from_keras=True,
        write=lambda _, model, path, quantize: litert.to_litert(model, path, quantize),
        load=litert.load_litert,
    ),
    "saved-model": Format(
        suffix="",
        quantizations=(),
        from_keras=True,
        write=lambda _, model, path, __: onnx.to_saved_model(model, path),
        load=onnx.load_saved_model,
    ),
}


def get(name: str, quantize: str | None) -> Format:
    """Return the format of that name, if it can be quantized so and be checked here.

    Raises:
        UsageError: There is none, or it is not quantized so.
        SerError: What runs its files is not installed.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}", hint="known: " + ", ".join(FORMATS))
    if quantize is not None and quantize not in FORMATS[name].quantizations:
        known = [f"{other} with {q}" for other in FORMATS for q in FORMATS[other].quantizations]
        raise UsageError(
            f"{name} is not quantized with {quantize}", hint="there is " + ", ".join(known)
        )
    if name == "litert":
        litert.require()
    return FORMATS[name]
