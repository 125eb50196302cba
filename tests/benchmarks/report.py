"""Results -> the printed table, benchmark.json, and the table of the documentation."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import tables
from benchmarks.rows import BY_NAME, ROWS, Result, Row, ratio, verdict
from ser_cli import distribution

ROOT = Path(__file__).resolve().parents[2]
JSON = ROOT / "artifacts" / "benchmark.json"
PACKAGES = (distribution.NAME, "tensorflow", "keras", "librosa", "numpy", "onnxruntime", "typer")

HEAD = ("name", "what", "A", "B", "ratio (min to max)", "floor", "goal", "verdict", "by CPU time")
MARKDOWN_HEAD = ("", "A", "B", "ratio (range)", "goal", "")


def text_table(results: Iterable[Result]) -> str:
    """Return the table that is printed, and below it what went wrong.

    The last column is the ratio of CPU times, which other work on the machine hardly changes.
    """
    found = _in_order(results)
    lines = [HEAD, *((*_cells(row, result), _by_cpu(row, result)) for row, result in found)]
    problems = [f"{result.name}: {result.problem}\n" for _, result in found if result.problem]
    return tables.aligned(lines) + "".join(problems)


def markdown(results: Iterable[Result]) -> str:
    """Return the table of the documentation: medians, ratios and goals."""
    lines = []
    for row, result in _in_order(results):
        _, what, a, b, times, _, goal, judged = _cells(row, result)
        ours = f"{row.b}: {b}" if b else row.b
        lines.append((what, f"{row.a}: {a}" if a else row.a, ours, times, goal, judged))
    return tables.markdown(MARKDOWN_HEAD, lines)


def write(
    file: Path, results: Sequence[Result], *, command: str, clips: str, load: float | None
) -> None:
    """Write results as JSON; rows of an earlier run on the same machine and clips stay.

    Args:
        file: Made if absent.
        results: Of this run.
        command: What was typed.
        clips: Where they came from.
        load: Processes that wanted a core on average in the minute before; None if unknown.
    """
    facts = {"machine": machine(), "clips": clips}
    old = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    same = {name: old.get(name) for name in facts} == facts
    run = {"command": command, "load before": load}
    new = {result.name: _record(result) | run for result in results}
    kept = {row["name"]: row for row in old.get("rows", [])} if same else {}
    rows = [(kept | new)[row.name] for row in ROWS if row.name in kept | new]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**facts, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
    file.write_text(text, encoding="utf-8", newline="\n")


def read(file: Path) -> list[Result]:
    """Return the results in a JSON file."""
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return [Result(r["name"], r["a"], r["b"], r["notes"], r["problem"]) for r in rows]


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _record(result: Result) -> dict[str, Any]:
    row, found = BY_NAME[result.name], ratio(BY_NAME[result.name], result)
    return {
        "name": row.name,
        "what": row.what,
        "A": row.a,
        "B": row.b,
        "unit": row.unit,
        "a": [round(value, 4) for value in result.a],
        "b": [round(value, 4) for value in result.b],
        "ratio": "B / A" if row.at_most else "A / B",
        "median": found and round(found.median, 4),
        "range": found and [round(found.low, 4), round(found.high, 4)],
        "floor": row.floor,
        "goal": row.goal,
        "verdict": verdict(row, result),
        "problem": result.problem,
        "notes": dict(result.notes),
    }


def _in_order(results: Iterable[Result]) -> list[tuple[Row, Result]]:
    named = {result.name: result for result in results}
    return [(row, named[row.name]) for row in ROWS if row.name in named]


def _cells(row: Row, result: Result) -> tuple[str, ...]:
    found, sign = ratio(row, result), "at most " if row.at_most else ""
    times = f"{found.median:.3g} ({found.low:.3g} to {found.high:.3g})" if found else ""
    return (
        row.name,
        row.what,
        _amount(result.a, row.unit),
        _amount(result.b, row.unit),
        times,
        f"{sign}{row.floor:g}",
        f"{sign}{row.goal:g}",
        verdict(row, result),
    )


def _by_cpu(row: Row, result: Result) -> str:
    a, b = (result.notes.get(f"CPU s {side}") for side in "AB")
    if not (isinstance(a, float) and isinstance(b, float)):
        return ""
    return f"{b / a if row.at_most else a / b:.3g}"


def _amount(samples: Sequence[float], unit: str) -> str:
    return f"{_digits(median(samples))} {unit}" if samples else ""


def _digits(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        named = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(encoding="utf-8"), re.M)
        if named:
            return named[1]
    return platform.processor() or platform.machine()
