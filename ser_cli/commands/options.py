"""Options that several commands share, and how their help and results look."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_cli import recipes

if TYPE_CHECKING:
    from ser_cli.data.select import Selection

Data = Annotated[
    str,
    typer.Option(
        help="ravdess; a folder of RAVDESS names; a folder with one sub-folder an emotion; or "
        "a CSV with file,emotion[,speaker,split]."
    ),
]
RecipeName = Annotated[str, typer.Option("--recipe", help="One of: " + ", ".join(recipes.names()))]
Folder = Annotated[
    Path | None, typer.Option("--artifacts", help="Artifacts folder; default artifacts/RECIPE.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes.")]
Copies = Annotated[int, typer.Option(min=0, help="Augmented copies of each training clip.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Params = Annotated[
    Path | None,
    typer.Option(help="best_hyperparameters.json of `ser tune` (or the reference notebook's)."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="EMOTION", help="Leave an emotion out, before any split; repeatable."),
]
PerClass = Annotated[
    int | None, typer.Option(min=2, help="Clips of an emotion at most, drawn before any split.")
]
Oversample = Annotated[
    list[str] | None,
    typer.Option(
        metavar="EMOTION",
        help="Repeat an emotion's training clips up to the largest class; repeatable.",
    ),
]
CORES = os.cpu_count() or 1
RAVDESS = "ravdess"  # what --data is by default


def examples(*commands: str) -> str:
    """Return the end of a help text: a command line to copy on each line."""
    return "\n\n".join(["Examples:", *commands])


def follow_up(
    command: str, *words: str, recipe: str, folder: Path | None, data: str = RAVDESS
) -> str:
    """Return the next command line for the same recipe, folder and corpus."""
    given = (
        ("--data", data, RAVDESS),
        ("--recipe", recipe, recipes.DEFAULT),
        ("--artifacts", str(folder), "None"),
    )
    options = [word for name, value, usual in given if value != usual for word in (name, value)]
    return shlex.join(["ser", command, *options, *words])


def selection(
    exclude: list[str] | None, per_class: int | None, oversample: list[str] | None = None
) -> Selection:
    """Return the choice of clips that these options make, whatever spelling they are in."""
    from ser_cli.data.corpora import normalise_label
    from ser_cli.data.select import Selection

    left_out, repeated = (
        tuple(sorted({normalise_label(label) for label in given or ()}))
        for given in (exclude, oversample)
    )
    return Selection(left_out, per_class, repeated)


def as_dict(result: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as they are."""
    return {field.name: getattr(result, field.name) for field in fields(result)}


def print_json(value: Any) -> None:
    """Print a value for a program to read."""
    typer.echo(json.dumps(value, indent=2))
