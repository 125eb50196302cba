"""Rows of `ser predict` as plain values: the columns, the records, and the CSV made of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from ser_cli.types import Failures, Prediction


class Writer(Protocol):
    """Takes one row at a time and shows it at once."""

    def __call__(self, row: Prediction) -> None:
        """Show a row."""


def columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of `as_record`; a class that is called like one gets p_."""
    first, last = ("file", "start", "end", "emotion", "confidence"), ("status", "flags", "error")
    named = (f"p_{name}" if name in first + last else name for name in classes)
    return (*first, *named, *last)


def as_record(prediction: Prediction, classes: Sequence[str]) -> dict[str, str | float | None]:
    """Return a row as plain values for CSV and JSON: None for what is not known.

    Args:
        prediction: The row.
        classes: Names of its probabilities.
    """
    known = prediction.probabilities
    shares = [math.nan] * len(classes) if known is None else known.tolist()
    values = (
        prediction.file,
        _rounded(prediction.start),
        _rounded(prediction.end),
        prediction.emotion,
        _rounded(prediction.confidence),
        *map(_rounded, shares),
        prediction.status,
        ";".join(prediction.flags),
        prediction.error,
    )
    return dict(zip(columns(classes), values, strict=True))


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def csv_writer(stream: TextIO, classes: Sequence[str]) -> Writer:
    """Write the head of the table, and return what writes its rows."""
    rows = csv.DictWriter(stream, columns(classes), lineterminator="\n")
    rows.writeheader()

    def write(row: Prediction) -> None:
        rows.writerow(as_record(row, classes))
        stream.flush()

    return write


def failures(failed: Failures) -> list[dict[str, str]]:
    """Return files that could not be read as plain values, for JSON."""
    return [{"file": str(path), "error": reason} for path, reason in failed]
