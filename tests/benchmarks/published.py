"""The tables of results that the documents show, made from results.csv."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from statistics import fmean
from typing import Any

from benchmarks.tables import markdown
from ser_cli.data import corpora, protocols
from ser_cli.report import results

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
# Protocol, its clips, the score, and what others report.
ANCHORS = (
    (
        "emobox6",
        "speech",
        "uar",
        "frozen wav2vec2-base / HuBERT-base / WavLM-large / Whisper-large-v3 and a head: "
        "54.3 / 65.4 / 72.0 / 75.3 (EmoBox, 2024)",
    ),
    (
        "luna5",
        "speech",
        "uar",
        "ResLSTM-SA from scratch, settings chosen on test: 62.3 (2026); XLSR fine-tuned, "
        "checkpoint chosen on test: accuracy 81.8 (Luna-Jimenez et al., 2022)",
    ),
    ("actors21-24", "speech", "uar", "the network of the reference notebook, repeated: 54.7"),
    ("actors21-24", "speech+song", "uar", "the same: 67.2"),
    (
        "random70",
        "speech+song",
        "war",
        "the reference notebook, stated / repeated: 80.1 / 80.2; *Emotion Detection from Speech*, "
        "split not stated: 93.9",
    ),
    (
        "random10",
        "speech",
        "war",
        "TIM-Net, best epoch on test: 92.1 (2023); CPAC 88 to 89; GM-TCNet 87",
    ),
)
RATES = ("uar", "low", "high", "war", "macro_f1", "ece")


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return rows as Markdown, in percent: speaker-independent protocols first.

    Rows that differ in their seed alone are one, their mean.
    """
    ranked = sorted(rows, key=lambda row: protocols.is_leaky(row["protocol"]))
    return markdown(HEAD, list(map(_cells, results.over_seeds(ranked))))


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


def anchors(rows: Sequence[dict[str, str]]) -> str:
    """Return what others report under the same protocols, beside ours, in percent."""
    plain = [r for r in rows if r["enrol_clips"] == "0" and r["corpora"] == "ravdess"]
    lines = []
    for protocol, part, name, others in ANCHORS:
        asked = [r for r in plain if (r["protocol"], r["data"]) == (protocol, part)]
        pretrained = [r for r in asked if r["recipe"] == "voice"]
        scratch = [
            r for r in asked if r["recipe"] == "cnn-bilstm" and "study" in r["settings_from"]
        ]
        ours = [percent(of, name) if of else "-" for of in (pretrained, scratch)]
        leaky = " (leaky)" if protocols.is_leaky(protocol) else ""
        measure = {"uar": "UAR", "war": "accuracy"}[name]
        lines.append((f"`{protocol}`{leaky}, {part}", measure, *ours, others))
    return markdown(("protocol", "", "`voice`", "`cnn-bilstm`", "reported by others"), lines)


def commands(rows: Sequence[dict[str, str]]) -> str:
    """Return what made the rows of `voice`, and how long each took, in minutes."""
    minutes: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["recipe"] == "voice":
            command, _, seed = row["command"].partition(" --seed ")
            # A matrix has a row for each corpus that is tested, each of a training of its own.
            part = row["corpora"] if row["protocol"] == "loco" else ""
            minutes.setdefault(command, {})[seed + part] = float(row["seconds"]) / 60
    lines = [
        (f"`{command}`", str(1 if "--matrix" in command else len(of)), f"{sum(of.values()):.0f}")
        for command, of in minutes.items()
    ]
    total = sum(sum(of.values()) for of in minutes.values())
    return markdown(("command", "seeds", "minutes in all"), [*lines, ("all", "", f"{total:.0f}")])


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


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    rate = {name: f"{100 * float(row[name]):.1f}" for name in RATES}
    return (
        f"`{row['protocol']}`{' (leaky)' if protocols.is_leaky(row['protocol']) else ''}",
        row["data"],
        row["corpora"].replace("+", ", "),
        "-" if row["enrol_clips"] == "0" else row["enrol_clips"],
        f"**{rate['uar']}** ({rate['low']} to {rate['high']})",
        *(rate[name] for name in RATES[3:]),
    )
