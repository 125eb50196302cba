"""`ser export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import AsJson, RecipeName, examples, print_json

if TYPE_CHECKING:
    from ser_cli.stages.export import Exported


class Format(StrEnum):
    """What a network can be written as."""

    onnx = "onnx"
    litert = "litert"
    saved_model = "saved-model"


class Quantization(StrEnum):
    """How its weights can be made smaller."""

    fp16 = "fp16"
    int8 = "int8"


FEW = 50  # clips: one label of fewer is more than the 2 % that int8 may change

HELP = examples(
    "ser export --format litert --quantize int8",
    "ser export --format onnx --quantize fp16 --out model.onnx --data my_clips/",
    "ser export --format saved-model --artifacts artifacts/cnn-bilstm --json",
)


def export(
    name: Annotated[Format, typer.Option("--format", help="ONNX, LiteRT (.tflite), SavedModel.")],
    quantize: Annotated[
        Quantization | None, typer.Option(help="Smaller weights, for onnx and litert.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder of the trained model.")
    ] = None,
    recipe: RecipeName = recipes.DEFAULT,
    out: Annotated[
        Path | None,
        typer.Option(help="File, or folder of a SavedModel; default: ./RECIPE and its ending."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Clips to check on: as in `ser train`, or any recordings. [RAVDESS]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a trained network for another runtime, if real clips keep their labels.

    Up to 200 clips are heard by both networks. float32 and fp16 must not
    change one label, int8 at most 2 %, or nothing is written.

    The file holds the network alone. Its input is float32 (N, T, F): the
    recipe's features, padded or cut to max_len.npy frames, less mean_ and
    divided by scale_ of scaler.pkl. Its output (N, C) are probabilities
    before calibration, in the order of label_encoder.pkl.
    """
    from ser_cli.stages import export as stage

    with console.progress("features") as progress:
        done = stage.export(
            name.value,
            quantize=quantize.value if quantize else None,
            folder=folder,
            recipe=recipe,
            out=out,
            data=data,
            progress=progress,
            say=console.say,
        )
    console.failures(done.failed)
    if as_json:
        print_json(stage.as_record(done))
    else:
        _print(done)
    if done.parity.clips < FEW:
        console.say(f"checked on few clips: {FEW} or more say more (--data)")
    raise typer.Exit(3 if done.failed else 0)


def _print(done: Exported) -> None:
    from ser_cli.stages.export import size

    compared, trained, original = done.parity, done.trained, done.source.name
    frames, columns = done.shape
    lines = (
        f"written: {done.file} ({done.format}, {done.quantize or 'float32'})",
        f"labels changed: {compared.flipped} of {compared.clips} clips "
        f"({done.learned} of them training data); "
        f"largest probability difference: {compared.difference:.1e}",
        f"size: {_megabytes(size(done.file))}, {original}: {_megabytes(size(done.source))}",
        f"time a clip: {compared.ms:.2f} ms, {original}: {compared.source_ms:.2f} ms",
        f"input: float32 (N, {frames}, {columns}), features of {trained.recipe} padded or cut by "
        "max_len.npy and scaled by scaler.pkl",
        f"output: probabilities of {', '.join(trained.preprocessor.classes)}, "
        f"before calibration (temperature {trained.temperature:g})",
    )
    for line in lines:
        typer.echo(line)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.2f} MB"
