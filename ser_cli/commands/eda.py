"""`ser eda`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.commands.reading import keep_settings
from ser_cli.jobs.clips import EdaJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.report.corpus import CorpusSummary


@command(
    EdaJob,
    "ser eda",
    "ser eda --data my_clips/ --out my_eda/",
    "ser eda --recipe cnn-bilstm --bar-plot emotions.png",
)
def eda(job: EdaJob) -> None:
    """Look at a corpus: clips per emotion and speaker, durations, noise, pitch, features."""
    from ser_cli.stages import eda as stage

    stage.check(job.out, job.bar_plot)
    with progress("features") as shown:
        found = stage.survey(job, progress=shown)
    written = stage.write(found, job.out, bar_plot=job.bar_plot)
    keep_settings(job.out)
    console.failures(found.failed)
    if job.as_json:
        console.print_json(stage.as_record(found, written))
    else:
        _print(found)
    for line in stage.notes(found):
        console.say(line)
    console.written(*written)
    raise typer.Exit(3 if found.failed else 0)


def _print(found: CorpusSummary) -> None:
    from ser_cli.report import corpus_tables

    title = f"{counted(len(found.clips), 'clip')}; level, SNR and F0: medians"
    tables.table(title, *corpus_tables.emotions(found))
    tables.table("overall", ("measure", "value"), corpus_tables.overall(found))
