"""`ser recipes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ser_cli.commands import console
from ser_cli.commands.options import AsJson, as_dict, examples, print_json
from ser_cli.recipes import DEFAULT

if TYPE_CHECKING:
    from ser_cli.stages.recipes import Summary

HELP = examples("ser recipes", "ser recipes --json")


def recipes(as_json: AsJson = False) -> None:
    """List the systems that --recipe knows: source, input and size of each."""
    from ser_cli.stages.recipes import describe

    found = describe()
    if as_json:
        print_json([as_dict(summary) for summary in found])
        return
    console.table(
        f"default: {DEFAULT}; input: frames x features (T: the clips decide)",
        ("recipe and its document", "kHz", "s", "input", "parameters"),
        [_row(summary) for summary in found],
    )


def _row(summary: Summary) -> tuple[str, ...]:
    return (
        f"{summary.name}\n{summary.source}",  # side by side, a terminal would break the name
        f"{summary.sample_rate / 1000:g}",
        f"{summary.duration:g}" if summary.duration else "any",
        f"{summary.frames or 'T'} x {summary.features}",
        f"{summary.parameters:,}",
    )
