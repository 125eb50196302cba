"""`ser train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import (
    CORES,
    Data,
    Exclude,
    Folder,
    Jobs,
    Oversample,
    Params,
    PerClass,
    RecipeName,
    Seed,
    examples,
    follow_up,
    selection,
)

if TYPE_CHECKING:
    from ser_cli.stages.train import Outcome

HELP = examples(
    "ser train",
    "ser train --data my_clips/ --epochs 40 --seed 1",
    "ser train --recipe stats-dense --exclude sad --per-class 300",
    "ser train --split none (on all clips, nothing held out)",
)


def train(
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    split: Annotated[
        str, typer.Option(help="auto, speaker, random, table (the CSV's column) or none.")
    ] = "auto",
    exclude: Exclude = None,
    per_class: PerClass = None,
    oversample: Oversample = None,
    params: Params = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-7)] = None,
    copies: Annotated[
        int | None, typer.Option(min=0, help="Augmented copies of each training clip.")
    ] = None,
    max_len: Annotated[
        int | None,
        typer.Option(min=32, help="Frames a clip is padded or cut to; else the recipe decides."),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Epochs without a better dev UAR.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.25, max=10.0, help="Of the calibration, where nothing is held out."),
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = CORES,
    threads: Annotated[int, typer.Option(min=0, help="Of TensorFlow; 0: all cores.")] = 0,
    rebuild_shipped: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Train a recipe; killed, the same command goes on with the epoch it was in."""
    from ser_cli.stages.train import train as run

    overrides = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "copies": copies,
        "max_len": max_len,
        "patience": patience,
    }
    with console.progress("training") as progress:
        done = run(
            data,
            recipe=recipe,
            folder=folder,
            split=split,
            selection=selection(exclude, per_class, oversample),
            params=params,
            overrides=overrides,
            temperature=temperature,
            seed=seed,
            jobs=jobs,
            threads=threads,
            allow_packaged=rebuild_shipped,
            progress=progress,
            say=console.say,
        )
    console.failures(done.failed)
    _print_parts(done)
    if done.leaky:
        console.say("not speaker-independent: dev and test may know their speakers from training")
    elif done.dev_leaky:
        console.say("dev may know its speakers from training: its scores are too high for others")
    for line in done.audit:
        console.say(f"leak audit: {line}")
    kept = done.fit.history[done.fit.best_epoch - 1]
    named = f"dev UAR {done.uar_over}".rstrip()
    uar = f", {named} {console.percent(kept['dev_uar'])} %" if "dev_uar" in kept else ""
    typer.echo(f"epoch {done.fit.best_epoch} of {len(done.fit.history)} kept{uar}: {done.folder}")
    console.say("next: " + follow_up("evaluate", "--report", recipe=recipe, folder=folder))
    raise typer.Exit(3 if done.failed else 0)


def _print_parts(done: Outcome) -> None:
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
    console.table(console.SPOKEN, ("emotion", "train", "learned from", "dev", "test"), rows)
