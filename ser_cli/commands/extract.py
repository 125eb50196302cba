"""`ser extract`."""

from __future__ import annotations

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.jobs.clips import ExtractJob


@command(
    ExtractJob,
    "ser extract",
    "ser extract --data my_clips/ --jobs 4",
    "ser extract --copies 1",
    "ser extract --table features.csv",
)
def extract(job: ExtractJob) -> None:
    """Compute the features of every clip once; all other commands reuse them."""
    from ser_cli.stages import extract as stage

    with console.progress("features") as progress:
        done = stage.extract(job, progress=progress)
    console.failures(done.failed)
    if job.as_json:
        console.print_json(stage.as_record(done))
    else:
        typer.echo(
            f"{done.clips} clips, {done.frames} frames of {done.features} features "
            f"({done.computed} computed now, {len(done.failed)} failed)"
        )
    if done.table:
        console.say(f"written: {job.table}, {done.table[0]} rows of {done.table[1]} columns")
    raise typer.Exit(3 if done.failed else 0)
