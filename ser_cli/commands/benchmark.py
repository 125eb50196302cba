"""`ser benchmark`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ser_cli.commands import console
from ser_cli.commands.options import CORES, AsJson, Seed, examples, print_json

if TYPE_CHECKING:
    from ser_cli.report.claims import Line

HELP = examples(
    "ser benchmark",
    "ser benchmark --recipe stats-dense --recipe mfcc-mlp",
    "ser benchmark --protocol random70 --workers 1",
    "ser benchmark --show",
)


def benchmark(
    recipe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one; repeatable. Default: all with claims."),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only random70 or actors21-24; default both."),
    ] = None,
    data: Annotated[str, typer.Option(help="RAVDESS, as in `ser train`.")] = "ravdess",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Instead of the recipe's; the rows say so.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trainings side by side.")] = CORES,
    seed: Seed = 0,
    show: Annotated[
        bool, typer.Option("--show", help="Train nothing, show what there is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train and test all systems of the seeds, and set the results beside their claims.

    Takes many hours on a laptop; cut off, it goes on from the last epoch. A training whose rows
    are in artifacts/results.csv is not repeated.
    """
    from ser_cli.report import claims
    from ser_cli.stages import benchmark as stage

    names = tuple(dict.fromkeys(recipe or stage.with_claims()))
    jobs = stage.plan(names, tuple(protocol or stage.PROTOCOLS))
    if not show:
        with console.progress("benchmark") as progress:
            stage.run(
                jobs,
                data,
                overrides={"epochs": epochs},
                seed=seed,
                workers=workers,
                progress=progress,
                say=console.say,
            )
    found = stage.lines(names, seed=seed)
    if as_json:
        print_json([asdict(line) for line in found])
        return
    console.table(
        f"accuracy / UAR, percent; {claims.SEEDS_WAY} leaks; {claims.UNSEEN}: unseen, all emotions",
        ("seed and recipe", "claims", claims.SEEDS_WAY, claims.UNSEEN, "speech alone"),
        [_row(line) for line in found],
    )


def _row(line: Line) -> tuple[str, ...]:
    from ser_cli.report.claims import percent
    from ser_cli.report.results import origin

    remarks = {line.clips, origin(line.settings_from)} - {"all", "defaults", ""}
    return (
        ", ".join([f"{line.source} {line.recipe}", *sorted(remarks)]),
        "-" if line.claimed is None else console.percent(line.claimed),
        *map(percent, (line.ours, line.pooled, line.speech)),
    )
