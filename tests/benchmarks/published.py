"""The table of results that the README and the model card show, made from results.csv."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.tables import markdown
from ser_cli.data import protocols

HEAD = (
    "protocol",
    "test clips",
    "learned from",
    "clips of each speaker enrolled",
    "UAR (95 % interval)",
    "WAR",
    "macro F1",
    "ECE",
)
RATES = ("uar", "low", "high", "war", "macro_f1", "ece")


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return rows as Markdown, in percent: speaker-independent protocols first."""
    ranked = sorted(rows, key=lambda row: protocols.is_leaky(row["protocol"]))
    return markdown(HEAD, list(map(_cells, ranked)))


def _cells(row: dict[str, str]) -> tuple[str, ...]:
    rate = {name: f"{100 * float(row[name]):.1f}" for name in RATES}
    return (
        f"`{row['protocol']}`{' (leaky)' if protocols.is_leaky(row['protocol']) else ''}",
        row["data"],
        row["corpora"].replace("+", ", "),
        "-" if row["enrol_clips"] == "0" else row["enrol_clips"],
        f"**{rate['uar']}** ({rate['low']} to {rate['high']})",
        *(rate[name] for name in RATES[3:]),
    )
