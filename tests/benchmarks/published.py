"""The table of results that the README and the model card show, made from results.csv."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

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
SAME = ("protocol", "data", "corpora", "enrol_clips", "settings_from")
RATES = ("uar", "low", "high", "war", "macro_f1", "ece")


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return rows as Markdown, in percent: speaker-independent protocols first.

    Rows that differ in their seed alone are one, their mean.
    """
    ranked = sorted(rows, key=lambda row: protocols.is_leaky(row["protocol"]))
    runs: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in ranked:
        runs.setdefault(tuple(row.get(name, "") for name in SAME), []).append(row)
    return markdown(HEAD, [_cells(_mean(run)) for run in runs.values()])


def _mean(run: Sequence[dict[str, str]]) -> dict[str, str]:
    rates = {name: str(fmean(float(row[name]) for row in run)) for name in RATES}
    seeds = f", {len(run)} seeds" if len(run) > 1 else ""
    return run[0] | rates | {"data": run[0]["data"] + seeds}


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
