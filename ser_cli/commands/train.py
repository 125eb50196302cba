"""`ser train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.commands.reading import keep_settings
from ser_cli.jobs.training import TrainJob

if TYPE_CHECKING:
    from ser_cli.stages.train import TrainResult


@command(
    TrainJob,
    "ser train",
    "ser train --data my_clips/ --epochs 40 --seed 1",
    "ser train --data ravdess --data my.csv (both corpora together)",
    "ser train --recipe stats-dense --exclude sad --per-class 300",
    "ser train --split none (on all clips, nothing held out)",
    trains=True,
)
def train(job: TrainJob) -> None:
    """Train a recipe; if it is killed, the same command resumes at the epoch it was in."""
    from ser_cli.stages import train as stage

    with progress("features") as shown:
        done = stage.train(job, progress=shown, say=console.say)
    keep_settings(done.folder)
    console.failures(done.failed)
    if job.as_json:
        console.print_json(stage.as_record(done))
    else:
        _print_parts(done)
    _warn(done)
    if not job.as_json:
        kept = done.fit.history[done.fit.best_epoch - 1]
        named = f"dev UAR {done.uar_over}".rstrip()
        uar = f", {named} {tables.percent(kept['dev_uar'])} %" if "dev_uar" in kept else ""
        typer.echo(
            f"epoch {done.fit.best_epoch} of {len(done.fit.history)} kept{uar}: {done.folder}"
        )
    console.say("next: " + console.follow_up("evaluate", "--report", job=job))
    raise typer.Exit(3 if done.failed else 0)


def _warn(done: TrainResult) -> None:
    if done.leaky:
        console.say("not speaker-independent: speakers of dev and test may be in training too")
    elif done.dev_leaky:
        console.say("speakers of dev may be in training too: its scores are too high for others")
    for line in done.audit:
        console.say(f"leak audit: {line}")


def _print_parts(done: TrainResult) -> None:
    """Show clips and speakers of each emotion and part, and how many clips are learned from."""
    train, dev, test = (done.parts[name] for name in ("train", "dev", "test"))
    rows = [
        (
            label,
            str(train[label]),
            str(done.learned.get(label, 0)),
            str(dev[label]),
            str(test[label]),
        )
        for label in train
    ]
    tables.table(tables.SPOKEN, ("emotion", "train", "learned from", "dev", "test"), rows)
