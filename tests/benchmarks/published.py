"""The tables of results that the documents show, made from results.csv."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from statistics import fmean

from benchmarks.tables import markdown
from ser_cli.data import corpora, protocols

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


def expected(rows: Sequence[dict[str, str]]) -> str:
    """Return what to expect of the shipped system on recordings of some kinds: rows of its own."""
    own = [row for row in rows if row["recipe"] == "voice"]
    alone = [row for row in own if row["protocol"] == "emobox6" and row["corpora"] == "ravdess"]
    others = [row for row in own if row["protocol"] == "loco"]
    enrolled = [row for row in alone if row["enrol_clips"] == "10"]
    strangers = [row for row in alone if row["enrol_clips"] == "0"]
    measured = [row for row in others if row["data"].endswith(", own statistics")]
    raw = [row for row in others if row not in measured]
    kinds = (
        ("acted English in a studio, eight emotions (`emobox6`)", strangers, 8),
        ("the same, with ten unlabelled recordings of the speaker", enrolled, 8),
        ("another language and another style, four emotions (`loco`)", raw, 4),
        ("the same, with the statistics of the whole batch", measured, 4),
    )
    lines = [(kind, percent(of, "uar"), f"{100 / classes:g} %") for kind, of, classes in kinds]
    return markdown(("your recordings are like", "UAR", "chance"), lines)


def leakage(rows: Sequence[dict[str, str]]) -> str:
    """Return how often systems are right in speech of actors that they know, and of others."""
    runs: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
    for row in rows:
        if row["data"] == "speech" and row["corpora"] == "ravdess" and row["enrol_clips"] == "0":
            of = runs.setdefault((row["recipe"], row["settings_from"]), {})
            of.setdefault(row["protocol"], []).append(row)
    lines = [
        (f"`{recipe}`", settings.partition(" ")[0] if settings.startswith("study") else settings,
         percent(of["random70"], "war"), percent(of["actors21-24"], "war"))
        for (recipe, settings), of in sorted(runs.items())
        if {"random70", "actors21-24"} <= of.keys()
    ]  # fmt: skip
    return markdown(("recipe", "settings", "clips at random", "unseen actors"), lines)


def public_corpora() -> str:
    """Return the corpora that are known by name: how to get each, its licence, and what to cite."""
    return markdown(
        ("`--data`", "holds", "to be had by", "licence", "cite"),
        [
            (
                f"`{found.name}`",
                found.about,
                f"`ser download {found.name}`" if found.source else "its publisher",
                found.licence,
                found.citation,
            )
            for found in sorted(corpora.known(), key=attrgetter("name"))
            if not found.generic
        ],
    )


def percent(rows: Sequence[dict[str, str]], name: str) -> str:
    """Return the mean of a score."""
    return f"{100 * fmean(float(row[name]) for row in rows):.1f} %"


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
