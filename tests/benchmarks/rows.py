"""What is measured, what it must reach, and what a measurement amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What `--only` takes.
        what: What is done on both sides.
        a: What it is compared with.
        b: What is ours.
        unit: Of the samples.
        floor: The ratio that must be reached: A / B, how many times less ours takes.
        goal: The ratio that is wanted.
        at_most: The ratio is B / A, how many times more ours takes, and should be small.
    """

    name: str
    what: str
    a: str
    b: str
    unit: str
    floor: float
    goal: float
    at_most: bool = False


USUAL = "usual script"
PRETRAINED = "script with transformers, torch and a wav2vec2-base"
ROWS = (
    Row("one-clip", "one clip, cold process", USUAL, "`ser predict`", "s", 18, 30),
    Row(
        "one-clip-csv",
        "one clip with options, cold process",
        USUAL,
        "`ser predict --csv`",
        "s",
        24,
        30,
    ),
    Row("one-clip-memory", "one clip, peak memory", USUAL, "`ser predict`", "MB", 6, 11),
    Row(
        "pretrained",
        "one clip, the shipped model, cold process",
        PRETRAINED,
        "`ser predict`",
        "s",
        10,
        20,
    ),
    Row("pretrained-memory", "the same, peak memory", PRETRAINED, "`ser predict`", "MB", 4, 8),
    Row("hundred-clips", "100 clips, cold process", USUAL, "`ser predict`", "s", 13, 20),
    Row("features", "features of a clip, one core", "librosa", "`ser`", "ms", 3, 4.5),
    Row("warm", "a clip, warm process, one core", USUAL, "`ser_cli.load()`", "ms", 15, 25),
    Row("workers", "`ser predict`, 1,000 clips", "1 worker", "2 workers", "s", 1.6, 1.9),
    Row("epoch", "an epoch, one core", "CPU time", "wall time", "s", 1.1, 1.02, at_most=True),
    Row(
        "lstm",
        "a training step of 8 clips, `cnn-lstm-attention`, one core",
        "Keras",
        "`ser`",
        "ms",
        2,
        3,
    ),
    Row("help", "`--help`", "empty Typer app", "`ser`", "s", 1.6, 1.2, at_most=True),
    Row(
        "many-clips-memory",
        "`ser predict`, peak memory",
        "200 clips",
        "20,000 clips",
        "MB",
        1.2,
        1.05,
        at_most=True,
    ),
    Row(
        "tune",
        "20 trials of 10 epochs, 240 clips",
        "without cache and pruning",
        "`ser tune`",
        "s",
        3,
        6,
    ),
)
BY_NAME = {row.name: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class Result:
    """Samples of both sides, pair by pair; none where the system cannot tell.

    Attributes:
        name: Of the row.
        a: In the row's unit.
        b: In the row's unit.
        notes: What else was seen: peak memory, differences.
        problem: Why the ratio means nothing: the two sides did not do the same.
    """

    name: str
    a: Sequence[float] = ()
    b: Sequence[float] = ()
    notes: Mapping[str, float | str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of pairs measured one after the other: their median and their range."""

    median: float
    low: float
    high: float


def ratio(row: Row, result: Result) -> Ratio | None:
    """Return how many times less (or, for "at most", more) ours takes; None if not measured."""
    pairs = zip(result.a, result.b, strict=True)
    shares = [b / a if row.at_most else a / b for a, b in pairs]
    return Ratio(median(shares), min(shares), max(shares)) if shares else None


def verdict(row: Row, result: Result) -> str:
    """Return "goal", "floor" (reached, the goal not), "missed", "wrong" or "not measured"."""
    found = ratio(row, result)
    if result.problem:
        return "wrong"
    if found is None:
        return "not measured"
    for name, wanted in (("goal", row.goal), ("floor", row.floor)):
        if found.median <= wanted if row.at_most else found.median >= wanted:
            return name
    return "missed"
