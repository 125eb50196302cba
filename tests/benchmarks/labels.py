"""What both sides say of the same files, and whether it is the same."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from benchmarks.processes import BenchError

TOLERANCE = 1e-5  # of a probability

Labels = dict[str, tuple[str, list[float]]]  # file name -> emotion and probabilities


def usual_labels(out: str) -> Labels:
    """Read what the usual script prints."""
    rows = [line.split("\t") for line in out.splitlines()]
    return {name: (emotion, [*map(float, s.split(","))]) for name, emotion, _, s in rows}


def ser_labels(out: str) -> Labels:
    """Read the CSV that `ser predict` prints: probabilities stand between two known columns."""
    head, *rows = csv.reader(io.StringIO(out))
    shares = slice(head.index("confidence") + 1, head.index("status"))
    return {Path(row[0]).name: (row[3], [*map(float, row[shares])]) for row in rows}


def same_labels(theirs: Labels, ours: Labels) -> dict[str, float]:
    """Return the largest difference of a probability.

    Raises:
        BenchError: Files or labels differ, or a probability by more than 1e-5.
    """
    if not theirs or theirs.keys() != ours.keys():
        raise BenchError(f"{len(theirs)} files on one side, {len(ours)} on the other, or others")
    other = [name for name in theirs if theirs[name][0] != ours[name][0]]
    pairs = [pair for n in theirs for pair in zip(theirs[n][1], ours[n][1], strict=True)]
    apart = [abs(p - q) for p, q in pairs]
    if other or not all(difference <= TOLERANCE for difference in apart):  # NaN is apart, too
        raise BenchError(f"{len(other)} labels differ, probabilities by up to {max(apart):.1e}")
    return {"clips compared": len(theirs), "largest difference of a probability": max(apart)}
