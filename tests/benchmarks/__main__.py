"""`python tests/benchmarks`: measure, print the table, write the JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

if __package__ != "benchmarks":  # started by its path, not with -m
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.measures import MEASURES
from benchmarks.processes import BenchError
from benchmarks.rows import BY_NAME, Result, verdict

BUSY = 0.5  # processes at work before the first is measured


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks",
        description="Measure `ser` against the usual script: A B A B, medians. Exit code 1 where "
        "a floor is missed or the two sides differ.",
    )
    names = list(BY_NAME)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5, help="pairs that count")
    parser.add_argument("--json", type=Path, default=report.JSON, help="rows are added to it")
    parser.add_argument("--clips", type=Path, help="folder of recordings; default: RAVDESS")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do what the options say and return the exit code."""
    chosen = options(arguments)
    source = chosen.clips or ravdess()
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    if load is not None and load > BUSY:
        _say(f"the machine is busy (load {load}): the figures will be off")
    with TemporaryDirectory() as work:
        results = measure(Bench(Path(work), source, chosen.repeats, _say), chosen.only)
    print(report.text_table(results))
    command = f"python tests/benchmarks --repeats {chosen.repeats}"
    clips = "given" if chosen.clips else "RAVDESS" if source else "synthetic"
    report.write(chosen.json, results, command=command, clips=clips, load=load)
    return int(any(verdict(BY_NAME[r.name], r) in ("missed", "wrong") for r in results))


def measure(bench: Bench, names: Sequence[str]) -> list[Result]:
    """Measure the rows that are named; one that fails does not end the others."""
    results = []
    for together, way in MEASURES:
        wanted = [name for name in together if name in names]
        if not wanted:
            continue
        bench.tell(f"== {', '.join(wanted)}")
        try:
            found = way(bench)
        except BenchError as error:
            found = [Result(name, problem=str(error)) for name in wanted]
        results += [result for result in found if result.name in wanted]
    return results


def ravdess() -> Path | None:
    """Return the folder of the real corpus, where it is present."""
    beside = report.ROOT.parent / "shared" / "ravdess"
    folder = Path(os.environ.get("SER_RAVDESS_DIR") or beside)
    return folder if folder.is_dir() else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
