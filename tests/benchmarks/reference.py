"""The reference systems: what their documents claim, beside what `ser` measures.

    python tests/benchmarks/reference.py --show

Without --show it first runs what the table lacks, each run a `ser evaluate --protocol` of its own.
What was cut off goes on where it stopped when this is started again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

if __package__ != "benchmarks":  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.claims import CLAIMS, HEAD, PROTOCOLS, RANDOM, RECIPES, UNSEEN, lines, named
from benchmarks.tables import aligned
from ser_cli.data import corpora
from ser_cli.data.select import ALL, Selection
from ser_cli.errors import SerError
from ser_cli.report import results
from ser_cli.types import Clip

CORPUS = "ravdess"  # which all documents are about
TABLE = Path("artifacts") / "results.csv"  # where `ser evaluate --protocol` writes


@dataclass(frozen=True, slots=True)
class Run:
    """A training of a recipe under a protocol, and how it differs from the recipe's own."""

    recipe: str
    protocol: str
    clips: Selection = ALL
    data: str | None = None
    epochs: int | None = None
    seed: int = 0

    def words(self) -> list[str]:
        """Return what a user types after `ser`."""
        options = {
            "protocol": self.protocol,
            "recipe": self.recipe,
            "epochs": self.epochs,
            "data": self.data,
            "seed": self.seed,
            "per-class": self.clips.per_class,
        }
        pairs = [(name, str(value)) for name, value in options.items() if value]
        pairs += [("exclude", emotion) for emotion in self.clips.exclude]
        return ["evaluate", *(word for name, value in pairs for word in (f"--{name}", value))]

    def is_in(self, rows: Sequence[Mapping[str, str]]) -> bool:
        """Whether its rows are in results.csv."""
        settings = f"defaults with epochs={self.epochs}" if self.epochs else "defaults"
        mine = (self.recipe, self.protocol, named(self.clips), str(self.seed), settings)
        columns = ("recipe", "protocol", "data", "seed", "settings_from")
        return any(mine == tuple(row[name] for name in columns) for row in rows)


def runs(chosen: argparse.Namespace) -> list[Run]:
    """Return the runs that the table needs of the recipes and under the protocols chosen."""
    wanted = [(claim.recipe, RANDOM, claim.clips) for claim in CLAIMS]
    wanted += [(recipe, UNSEEN, ALL) for recipe in RECIPES]
    return [
        Run(recipe, protocol, clips, data=chosen.data, epochs=chosen.epochs, seed=chosen.seed)
        for recipe, protocol, clips in wanted
        if recipe in chosen.recipe and protocol in chosen.protocol
    ]


def fill(needed: Sequence[Run], workers: int) -> bool:
    """Run what results.csv lacks and return whether it now has everything.

    What failed beside others, or lost its rows to one that ended at the same moment, is done once
    more on its own; what is trained is not trained again.
    """
    for count in dict.fromkeys((workers, 1)):
        rows = results.read(TABLE)
        todo = [run.words() for run in needed if not run.is_in(rows)]
        _say(f"{len(needed) - len(todo)} of {len(needed)} runs are in {TABLE}")
        pool = ThreadPoolExecutor(count)
        try:
            list(pool.map(partial(_evaluate, side_by_side=count), todo))
        finally:  # interrupted: no other begins
            pool.shutdown(cancel_futures=True)
    rows = results.read(TABLE)
    return all(run.is_in(rows) for run in needed)


def _evaluate(words: Sequence[str], *, side_by_side: int) -> None:
    alone = side_by_side == 1
    command = shlex.join(["ser", *words])
    _say(command)
    done = subprocess.run(
        [sys.executable, "-m", "ser_cli", *words],
        env=os.environ | ({} if alone else {"TF_NUM_INTRAOP_THREADS": "1"}),
        stdout=subprocess.DEVNULL,
        stderr=None if alone else subprocess.PIPE,  # bars of progress would mix
        text=True,
    )
    if done.returncode:
        _say(f"{command} failed\n{done.stderr or ''}")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks/reference.py",
        description="Train and test the reference systems where results.csv lacks them, and show "
        "accuracy / UAR in percent beside what their documents claim.",
    )
    parser.add_argument("--show", action="store_true", help="run nothing")
    for name, known in (("--recipe", RECIPES), ("--protocol", PROTOCOLS)):
        parser.add_argument(name, nargs="+", choices=known, default=known, metavar="NAME")
    parser.add_argument("--data", help="RAVDESS, as in `ser evaluate`")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's; the rows say so")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="runs side by side, a thread each")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do what the options say and return the exit code."""
    chosen, complete = options(arguments), True
    if not chosen.show:
        _refuse_incomplete(chosen.data or CORPUS)
        complete = fill(runs(chosen), chosen.workers)
    claims = [claim for claim in CLAIMS if claim.recipe in chosen.recipe]
    print(aligned([HEAD, *lines(results.read(TABLE), claims, seed=chosen.seed)]), end="")
    return int(not complete)


def missing_from(clips: Sequence[Clip]) -> int:
    """Return how many clips of the corpus are not among these."""
    source = corpora.get(CORPUS).source
    assert source
    return len(source.digests().keys() - {clip.path.stem for clip in clips})


def _refuse_incomplete(data: str) -> None:
    try:
        missing = missing_from(corpora.load(data))
    except SerError as error:
        sys.exit(f"{error}\n  try: {error.hint}")
    if missing:
        sys.exit(f"{data} lacks {missing} clips of RAVDESS, so it answers no claim")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
