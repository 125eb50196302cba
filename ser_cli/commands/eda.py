"""`ser eda`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import CORES, AsJson, Data, Jobs, RecipeName, examples, print_json

if TYPE_CHECKING:
    from ser_cli.stages.eda import Survey

HELP = examples(
    "ser eda",
    "ser eda --data my_clips/ --out my_eda/",
    "ser eda --recipe cnn-bilstm --bar-plot emotions.png",
)


def eda(
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    out: Annotated[Path, typer.Option(help="Folder of the tables and pictures.")] = Path("eda"),
    bar_plot: Annotated[
        Path | None,
        typer.Option(help="Where the plot of clips an emotion goes; default: into that folder."),
    ] = None,
    jobs: Jobs = CORES,
    as_json: AsJson = False,
) -> None:
    """Look at a corpus: clips an emotion, durations, sample rates, features, correlations."""
    from ser_cli.stages import eda as stage

    stage.check(out, bar_plot)
    with console.progress("features") as progress:
        found = stage.survey(data, recipe=recipe, jobs=jobs, progress=progress)
    written = stage.write(found, out, bar_plot=bar_plot)
    console.failures(found.failed)
    if as_json:
        print_json(stage.as_record(found, written))
    else:
        _print(found)
    for line in stage.notes(found):
        console.say(line)
    console.say("written: " + ", ".join(map(str, written)))
    raise typer.Exit(3 if found.failed else 0)


def _print(found: Survey) -> None:
    from ser_cli.stages.eda import summary

    rows = [
        (emotion, str(len(seconds)), console.percent(len(seconds) / len(found.clips)),
         f"{seconds.mean():.2f}")
        for emotion, seconds in found.by_emotion(found.seconds).items()
    ]  # fmt: skip
    console.table(f"{len(found.clips)} clips", ("emotion", "clips", "%", "mean s"), rows)
    facts = [(name.replace("_", " "), f"{value} {unit}".strip()) for name, value, unit in
             summary(found)]  # fmt: skip
    console.table("what was found", ("measure", "value"), facts)
