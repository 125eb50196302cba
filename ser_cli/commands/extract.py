"""`ser extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import (
    CORES,
    AsJson,
    Copies,
    Data,
    Exclude,
    Jobs,
    PerClass,
    RecipeName,
    Seed,
    as_dict,
    examples,
    print_json,
    selection,
)

HELP = examples(
    "ser extract",
    "ser extract --data my_clips/ --jobs 4",
    "ser extract --copies 1",
    "ser extract --table features.csv",
)


def extract(
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    exclude: Exclude = None,
    per_class: PerClass = None,
    copies: Copies = 0,
    seed: Seed = 0,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Write the recordings' features as .csv or .parquet: a row a clip, a column a "
            "cell (mfcc_0_0, mfcc_0_1, ...), and label."
        ),
    ] = None,
    jobs: Jobs = CORES,
    as_json: AsJson = False,
) -> None:
    """Compute the features of every clip once; all other commands reuse them."""
    from ser_cli.stages.extract import extract as run

    with console.progress("features") as progress:
        done = run(
            data,
            recipe=recipe,
            selection=selection(exclude, per_class),
            copies=copies,
            seed=seed,
            table=table,
            jobs=jobs,
            progress=progress,
        )
    console.failures(done.failed)
    if as_json:
        failed = [{"file": str(path), "error": reason} for path, reason in done.failed]
        print_json({**as_dict(done), "failed": failed})
    else:
        typer.echo(
            f"{done.clips} clips, {done.frames} frames of {done.features} features "
            f"({done.computed} computed now, {len(done.failed)} failed)"
        )
    if done.table:
        console.say(f"written: {table}, {done.table[0]} rows of {done.table[1]} columns")
    raise typer.Exit(3 if done.failed else 0)
