"""artifacts/results.csv: one row per finished run, written nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ser_cli.data import locks, protocols, store
from ser_cli.errors import DataError

if TYPE_CHECKING:
    from ser_cli.report.metrics import Report


@dataclass(frozen=True, slots=True)
class Row:
    """One run under one protocol; rates 0..1, (low, high) is the 95 % interval of the UAR.

    `corpora` are those in training, joined by "+".
    """

    recipe: str
    protocol: str
    data: str
    corpora: str
    seed: int
    enrol_clips: int
    settings_from: str
    uar: float
    war: float
    macro_f1: float
    weighted_f1: float
    ece: float
    low: float
    high: float
    epochs: str
    seconds: int
    command: str


TABLE = Path("artifacts") / "results.csv"  # where it is written, from where one works
COLUMNS = tuple(field.name for field in fields(Row))
HISTORIES = "histories"  # a folder next to it
WAIT_S = 60.0  # for another command that adds its rows
_KEY = COLUMNS[:7]
_ALIKE = tuple(name for name in _KEY if name != "seed")
_RATES = ("uar", "war", "macro_f1", "weighted_f1", "ece", "low", "high")


def read(path: Path) -> list[dict[str, str]]:
    """Return all rows, as text; none where there is no file.

    Raises:
        DataError: The file has other columns.
    """
    rows = store.read_csv(path)
    if rows and tuple(rows[0]) != COLUMNS:
        raise DataError(f"{path} has columns other than {','.join(COLUMNS)}", hint="move it away")
    return rows


def add(path: Path, rows: Sequence[Row]) -> None:
    """Add rows; a run that was already there (same recipe to settings) is replaced.

    Raises:
        DataError: The file has other columns.
        BusyError: Another command has kept the file for long.
    """
    new = [dict(zip(COLUMNS, map(_text, astuple(row)), strict=True)) for row in rows]
    keys = {tuple(row[name] for name in _KEY) for row in new}
    hint = "the same command then adds its rows, and trains nothing again"
    with locks.held(path.parent, name=f".{path.name}.lock", wait_s=WAIT_S, hint=hint):
        _replace(path, keys, new)


def _replace(path: Path, keys: set[tuple[str, ...]], new: list[dict[str, str]]) -> None:
    old = [row for row in read(path) if tuple(row[name] for name in _KEY) not in keys]
    store.write_csv(path, [COLUMNS, *(row.values() for row in old + new)])


def write_histories(
    table: Path, named: Sequence[str], histories: Sequence[Sequence[Mapping[str, float]]]
) -> Path:
    """Write the epochs of a run's folds into a folder next to results.csv, and return the file.

    Args:
        table: results.csv.
        named: What makes the run another than others.
        histories: An entry an epoch, of each fold.
    """
    name = re.sub(r"[^a-z0-9.=]+", "-", " ".join(named).lower())
    rows = [
        [number, *epoch.values()]
        for number, history in enumerate(histories, start=1)
        for epoch in history
    ]
    file = table.parent / HISTORIES / f"{name}.csv"
    store.write_csv(file, [["fold", *histories[0][0]], *rows])
    return file


def rates(reports: Sequence[Report]) -> dict[str, float]:
    """Return the rates of a row: those of a report, or the mean over several draws of one."""
    low, high = (fmean(ends) for ends in zip(*(r.intervals["uar"] for r in reports), strict=True))
    names = ("uar", "war", "macro_f1", "weighted_f1", "ece")
    means = {name: fmean(getattr(report, name) for report in reports) for name in names}
    return {**means, "low": low, "high": high}


def over_seeds(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows that differ in their seed alone as one, their mean; `data` says of how many."""
    runs: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        runs.setdefault(tuple(row[name] for name in _ALIKE), []).append(row)
    return [_mean(run) for run in runs.values()]


def _mean(run: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    means = {name: fmean(float(row[name]) for row in run) for name in _RATES}
    seeds = f", {len(run)} seeds" if len(run) > 1 else ""
    return {**run[0], **means, "data": f"{run[0]['data']}{seeds}"}


def as_record(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row with its numbers as numbers, and whether its protocol leaks."""
    kinds = {field.name: str(field.type) for field in fields(Row)}
    convert = {"float": float, "int": int, "str": str}
    values = {name: convert[kinds[name]](value) for name, value in row.items()}
    return {**values, "leaky": protocols.is_leaky(row["protocol"])}


def origin(settings_from: str) -> str:
    """Return where settings came from in few words: no study's name, but what was changed."""
    base, changed, what = settings_from.partition(" with ")
    return ("study" if base.startswith("study ") else base) + changed + what


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
