"""`ser predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ser_cli import recipes
from ser_cli.commands.options import RecipeName, examples

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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes; default: one a core from 128 files on."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Score files with RAVDESS names.")
    ] = True,
) -> None:
    """Label recordings: WAV, FLAC, OGG, MP3, M4A and more; one row a file, or a window."""
    from ser_cli.commands.labelling import label

    raise typer.Exit(
        label(
            paths,
            csv=csv,
            as_json=as_json,
            folder=folder,
            recipe=recipe,
            window=window,
            step=step,
            jobs=jobs,
            report=report,
        )
    )
