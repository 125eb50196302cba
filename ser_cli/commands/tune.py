"""`ser tune`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from ser_cli import distribution
from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.commands.reading import keep_settings
from ser_cli.disarm import visible
from ser_cli.errors import HIDDEN
from ser_cli.jobs.training import TuneJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.stages.tune import Shown


@command(
    TuneJob,
    "ser tune --trials 50",
    "ser tune --data my.csv --trials 20 --timeout 3600",
    "ser tune --split random --metric accuracy (as the reference notebook did)",
    "ser tune --storage postgresql://me@host/studies --study voices (on each of many machines)",
    "ser tune --storage postgresql://me@host/studies --study voices --show",
    trains=True,
)
def tune(job: TuneJob) -> None:
    """Search for a recipe's best settings; the same command resumes a killed or finished study."""
    from ser_cli.model import artifacts
    from ser_cli.stages import tune as stage

    if job.show:
        shown = stage.show(job)
        if job.as_json:
            console.print_json(stage.as_record(shown))
        else:
            _show(shown)
        return
    with progress("features") as bar:
        found = stage.tune(job, progress=bar, say=console.say)
    keep_settings(found.file.parent)
    if job.as_json:
        console.print_json(stage.as_record(found))
        return
    tables.spoken(f"dev {tables.SPOKEN}", found.parts)
    rows = [(name, f"{value:.4g}") for name, value in found.best_params.items()]
    tables.table(
        f"best of {counted(found.finished, 'trial')} ({found.pruned} pruned): "
        f"dev {job.metric.upper()} {tables.percent(found.best_value)} %",
        ("setting", "value"),
        rows,
    )
    again = console.follow_up("train", job=job, data=True)
    beside = (found.file.with_name(name) for name in artifacts.OF_STUDY)
    console.written(found.file, *(path for path in beside if path.is_file()))
    console.say(f"next: {again}")


def _show(shown: Shown) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(shown.trials.items()))
    best = "" if shown.best_value is None else f"; best {tables.percent(shown.best_value)} %"
    for line in (
        f"study: {shown.study}",
        f"storage: {shown.storage}",
        f"trials: {counts or 'none yet'}{best}",
        f"to watch it: {shown.dashboard}",
    ):
        typer.echo(visible(line))
    if not find_spec("optuna_dashboard"):
        console.say(f"that needs: {distribution.install('cluster')}")
    if HIDDEN in shown.dashboard:
        console.say(f"in place of {HIDDEN}, write the password")
