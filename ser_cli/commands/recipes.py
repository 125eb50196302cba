"""`ser recipes`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.jobs.trained import RecipesJob
from ser_cli.recipes import DEFAULT

if TYPE_CHECKING:
    from ser_cli.stages.recipes import RecipeSummary


@command(RecipesJob, "ser recipes", "ser recipes --json")
def recipes(job: RecipesJob) -> None:
    """List the systems that --recipe takes: source, input and size of each."""
    from ser_cli.stages.recipes import describe

    found = describe()
    if job.as_json:
        console.print_json([asdict(summary) for summary in found])
        return
    tables.table(
        f"default: {DEFAULT}; input: frames x features (T: depends on the clips)",
        ("recipe and its document", "kHz", "s", "input", "parameters"),
        [_row(summary) for summary in found],
    )


def _row(summary: RecipeSummary) -> tuple[str, ...]:
    return (
        f"{summary.name}\n{summary.source}",  # side by side, a terminal would break the name
        f"{summary.sample_rate / 1000:g}",
        f"{summary.duration:g}" if summary.duration else "any",
        f"{summary.frames or 'T'} x {summary.features}",
        f"{summary.parameters:,}",
    )
