"""`ser tune`."""

from __future__ import annotations

from typing import Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import (
    CORES,
    RAVDESS,
    AsJson,
    Copies,
    Data,
    Exclude,
    Folder,
    Oversample,
    PerClass,
    RecipeName,
    Seed,
    as_dict,
    examples,
    follow_up,
    print_json,
    selection,
)

HELP = examples(
    "ser tune --trials 50",
    "ser tune --data my.csv --trials 20 --timeout 3600",
    "ser tune --split random --metric accuracy (the reference notebook's way)",
)


def tune(
    trials: Annotated[int, typer.Option(min=1, help="Finished trials in all.")] = 50,
    data: Data = RAVDESS,
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    split: Annotated[str, typer.Option(help="speaker (folds) or random (one split).")] = "speaker",
    folds: Annotated[int, typer.Option(min=2, help="Folds of --split speaker.")] = 3,
    metric: Annotated[str, typer.Option(help="uar or accuracy, on dev.")] = "uar",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a fold.")] = 10,
    copies: Copies = 0,
    exclude: Exclude = None,
    per_class: PerClass = None,
    oversample: Oversample = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial begins.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL; default: SQLite in the cache.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials side by side.")] = CORES,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Search a recipe's settings; killed or finished, the same command goes on with the study."""
    from ser_cli.data.parts import plain
    from ser_cli.stages import tune as stage

    search = stage.Search(
        data=data,
        recipe=recipe,
        split=split,
        folds=folds,
        metric=metric,
        epochs=epochs,
        copies=copies,
        seed=seed,
        selection=selection(exclude, per_class, oversample),
    )
    with console.progress("trials") as progress:
        found = stage.tune(
            search,
            trials=trials,
            timeout=timeout,
            storage=storage,
            folder=folder,
            workers=workers,
            jobs=workers,
            progress=progress,
        )
    if as_json:
        print_json({**as_dict(found), "file": str(found.file), "parts": plain(found.parts)})
        return
    console.spoken(f"dev {console.SPOKEN}", found.parts)
    rows = [(name, f"{value:.4g}") for name, value in found.best_params.items()]
    console.table(
        f"best of {found.finished} trials ({found.pruned} pruned): dev {metric.upper()} "
        f"{console.percent(found.best_value)} %",
        ("setting", "value"),
        rows,
    )
    again = follow_up("train", recipe=recipe, folder=folder, data=data)
    console.say(f"written: {found.file}; next: {again}")
