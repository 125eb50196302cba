"""`ser predict`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.disarm import visible
from ser_cli.errors import UsageError
from ser_cli.jobs.trained import PredictJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ser_cli.model.artifacts import Artifacts
    from ser_cli.report.filename_labels import FilenameLabels


@command(
    PredictJob,
    "ser predict clip.wav",
    "ser predict recordings/ --csv out.csv",
    "ser predict talk.m4a --window 3 --step 1 --json",
    "ser predict calls/ --same-speaker --labels angry,happy,neutral,sad --min-confidence 0.5",
    "ser predict new.wav --enrol recordings-of-the-same-person/",
)
def predict(job: PredictJob) -> None:
    """Label recordings: WAV, FLAC, OGG, MP3, M4A and more; one row per file, or per window."""
    from ser_cli.commands import output
    from ser_cli.model import artifacts
    from ser_cli.stages import predict as stage

    _check(job)
    trained = artifacts.load(artifacts.resolve(job.folder, recipe=job.recipe))
    console.say(f"model: {trained.folder}")
    classes = stage.classes(job, trained)
    labels = _labels(trained, classes) if job.report and job.window is None else None
    count = failed = 0
    with console.progress("predicting") as progress:
        shown = progress if job.csv or not sys.stdout.isatty() else None
        rows = stage.predict(job, trained, progress=shown)
        with output.writer(classes, file=job.csv, as_json=job.as_json) as write:
            for row in rows:
                write(row)
                count += 1
                failed += row.status == "error"
                if labels:
                    labels.add(row)
    _summarise(job, labels, count, failed)
    raise typer.Exit(3 if failed else 0)


def _check(job: PredictJob) -> None:
    from ser_cli.sound.sniff import ENDINGS

    if job.csv and job.as_json:
        raise UsageError("--csv and --json cannot be combined", hint="run it once for each")
    if job.csv and job.csv.suffix.lower() in ENDINGS:
        raise UsageError(f"{job.csv} is named like a recording", hint="--csv out.csv")


def _labels(trained: Artifacts, classes: Sequence[str]) -> FilenameLabels:
    from ser_cli.model import artifacts
    from ser_cli.report.filename_labels import FilenameLabels

    return FilenameLabels(classes, read_parts=lambda: artifacts.read_split(trained.folder))


def _summarise(job: PredictJob, labels: FilenameLabels | None, count: int, failed: int) -> None:
    if job.csv:
        console.say(f"{count} rows written: {job.csv}")
    if labels and (text := labels.report()):
        print(visible(text, keep="\n"), file=sys.stdout if sys.stdout.isatty() else sys.stderr)
    if failed:
        console.say(f"{failed} of {count} rows are errors: see the error column")
