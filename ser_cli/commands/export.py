"""`ser export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.jobs.export import ExportJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.stages.export import ExportResult

FEW = 50  # clips: one label of fewer is more than the 2 % that int8 may change


@command(
    ExportJob,
    "ser export --format litert --quantize int8",
    "ser export --format onnx --quantize fp16 --out model.onnx --data my_clips/",
    "ser export --format saved-model --artifacts artifacts/cnn-bilstm --json",
)
def export(job: ExportJob) -> None:
    """Write a trained network for another runtime, if real clips keep their labels.

    Up to 200 clips are labelled by both networks. float32 and fp16 must not
    change a single label, int8 at most 2 %, or nothing is written.

    The file holds only the network. Its input is float32 (N, T, F): the
    recipe's features, padded or cut to max_len.npy frames, minus mean_ and
    divided by scale_ of scaler.pkl. Its output (N, C) is the probabilities
    before calibration, in the order of label_encoder.pkl.
    """
    from ser_cli.stages import export as stage

    with progress("features") as shown:
        done = stage.export(job, progress=shown, say=console.say)
    console.failures(done.failed)
    if job.as_json:
        console.print_json(stage.as_record(done))
    else:
        _print(done)
    if done.parity.clips < FEW:
        few = counted(done.parity.clips, "clip")
        console.say(f"checked on only {few}: {FEW} or more are better (--data)")
    raise typer.Exit(3 if done.failed else 0)


def _print(done: ExportResult) -> None:
    from ser_cli.stages.export import size

    compared, trained, original = done.parity, done.trained, done.source.name
    frames, columns = done.shape
    lines = (
        f"written: {done.file} ({done.format}, {done.quantize or 'float32'})",
        f"labels changed: {compared.flipped} of {counted(compared.clips, 'clip')} "
        f"({done.learned} of them training data); "
        f"largest probability difference: {compared.difference:.1e}",
        f"size: {_megabytes(size(done.file))}, {original}: {_megabytes(size(done.source))}",
        f"time per clip: {compared.ms:.2f} ms, {original}: {compared.source_ms:.2f} ms",
        f"input: float32 (N, {frames}, {columns}), features of {trained.recipe} padded or cut to "
        "max_len.npy and scaled by scaler.pkl",
        f"output: probabilities of {', '.join(trained.preprocessor.classes)}, "
        f"before calibration (temperature {trained.temperature:g})",
    )
    for line in lines:
        typer.echo(line)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.2f} MB"
