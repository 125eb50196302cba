"""`ser eda`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.jobs.clips import EdaJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.stages.eda import CorpusSummary


@command(
    EdaJob,
    "ser eda",
    "ser eda --data my_clips/ --out my_eda/",
    "ser eda --recipe cnn-bilstm --bar-plot emotions.png",
)
def eda(job: EdaJob) -> None:
    """Look at a corpus: clips per emotion, durations, sample rates, features, correlations."""
    from ser_cli.stages import eda as stage

    stage.check(job.out, job.bar_plot)
    with progress("features") as shown:
        found = stage.survey(job, progress=shown)
    written = stage.write(found, job.out, bar_plot=job.bar_plot)
    console.failures(found.failed)
    if job.as_json:
        console.print_json(stage.as_record(found, written))
    else:
        _print(found)
    for line in stage.notes(found):
        console.say(line)
    console.say("written: " + ", ".join(map(str, written)))
    raise typer.Exit(3 if found.failed else 0)


def _print(found: CorpusSummary) -> None:
    from ser_cli.stages.eda import summary

    rows = [
        (emotion, str(len(seconds)), tables.percent(len(seconds) / len(found.clips)),
         f"{seconds.mean():.2f}")
        for emotion, seconds in found.by_emotion(found.seconds).items()
    ]  # fmt: skip
    tables.table(counted(len(found.clips), "clip"), ("emotion", "clips", "%", "mean s"), rows)
    facts = [
        (name.replace("_", " "), f"{value} {'frame' if value == 1 and unit == 'frames' else unit}")
        for name, value, unit in summary(found)
    ]
    tables.table("overall", ("measure", "value"), facts)
