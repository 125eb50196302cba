"""`ser extract`."""

from __future__ import annotations

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.jobs.clips import ExtractJob
from ser_cli.remarks import counted


@command(
    ExtractJob,
    "ser extract",
    "ser extract --data my_clips/ --jobs 4",
    "ser extract --copies 1",
    "ser extract --table features.csv",
    "ser extract --data my_clips/ --scheduler tcp://10.0.0.5:8786",
)
def extract(job: ExtractJob) -> None:
    """Compute the features of every clip once; all other commands reuse them."""
    from ser_cli.cluster import connected
    from ser_cli.stages import extract as stage

    with connected(job.scheduler) as cluster, progress("features") as shown:
        done = stage.extract(job, cluster=cluster, progress=shown)
    console.failures(done.failed)
    if job.as_json:
        console.print_json(stage.as_record(done))
    else:
        typer.echo(
            f"{counted(done.clips, 'clip')}, {counted(done.frames, 'frame')} of "
            f"{counted(done.features, 'feature')} "
            f"({done.computed} computed now, {len(done.failed)} failed)"
        )
    if done.table:
        size = f"{counted(done.table[0], 'row')} of {counted(done.table[1], 'column')}"
        console.say(f"written: {job.table}, {size}")
    raise typer.Exit(3 if done.failed else 0)
