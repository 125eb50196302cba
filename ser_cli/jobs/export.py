"""The command that exports, and what it exports to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.jobs import AsJson, Option, RecipeName, Trained


class Format(StrEnum):
    """What a network can be exported to."""

    onnx = "onnx"
    litert = "litert"
    saved_model = "saved-model"


QUANTIZED = (Format.onnx, Format.litert)  # those whose weights can be made smaller


class Quantization(StrEnum):
    """Ways to make exported weights smaller."""

    fp16 = "fp16"
    int8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """`ser export`."""

    format: Annotated[Format, Option("ONNX, LiteRT (.tflite) or SavedModel.")]
    quantize: Annotated[Quantization | None, Option("Smaller weights, for onnx and litert.")] = None
    folder: Trained = None
    recipe: RecipeName = recipes.DEFAULT
    out: Annotated[
        Path | None,
        Option("File, or folder for a SavedModel; default: ./RECIPE plus its extension."),
    ] = None
    data: Annotated[
        tuple[str, ...],
        Option(
            "Clips to check it on: as in `ser train`, or any recordings; repeatable. "
            f"Default: {corpora.DEFAULT}.",
            metavar="DATA",
            offered=corpora.named,
        ),
    ] = ()
    as_json: AsJson = False
