"""`ser predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import Jobs, RecipeName, examples
from ser_cli.errors import UsageError

HELP = examples(
    "ser predict clip.wav",
    "ser predict recordings/ --csv out.csv",
    "ser predict talk.m4a --window 3 --step 1 --json",
)


def predict(
    paths: Annotated[list[str], typer.Argument(help="Files, folders or patterns.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder of the trained model.")
    ] = None,
    recipe: RecipeName = recipes.DEFAULT,
    window: Annotated[
        float | None, typer.Option(help="Seconds of a row; default: one row a file.")
    ] = None,
    step: Annotated[float | None, typer.Option(help="Seconds from row to row.")] = None,
    jobs: Jobs = 1,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Score files with RAVDESS names.")
    ] = True,
) -> None:
    """Label recordings: WAV, FLAC, OGG, MP3, M4A and more; one row a file, or a window."""
    from ser_cli.commands import output
    from ser_cli.model import artifacts
    from ser_cli.report import labelled
    from ser_cli.sound.audio import EXTENSIONS
    from ser_cli.stages.predict import predict as run

    if csv and as_json:
        raise UsageError("--csv and --json exclude each other", hint="run it once for each")
    if csv and csv.suffix.lower() in EXTENSIONS:
        raise UsageError(f"{csv} is named like a recording", hint="--csv out.csv")
    chosen = artifacts.resolve(folder, recipe=recipe)
    classes = artifacts.load(chosen).preprocessor.classes
    console.say(f"model: {chosen}")
    seen = []
    with console.progress("predicting") as progress:
        rows = run(
            paths,
            artifacts=chosen,
            window=window,
            step=step,
            jobs=jobs,
            progress=progress if csv or not sys.stdout.isatty() else None,
        )
        with output.writer(classes, file=csv, as_json=as_json) as write:
            for row in rows:
                write(row)
                seen.append(row)
    if csv:
        console.say(f"{len(seen)} rows written: {csv}")
    if report and window is None:
        text = labelled.report(seen, classes, artifacts.read_split(chosen))
        typer.echo(text, err=not sys.stdout.isatty(), nl=bool(text))
    failed = sum(row.status == "error" for row in seen)
    if failed:
        console.say(f"{failed} of {len(seen)} rows are errors: see the column error")
    raise typer.Exit(3 if failed else 0)
