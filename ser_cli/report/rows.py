"""Rows of `ser predict` as a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from ser_cli.model.rows import as_record, columns

if TYPE_CHECKING:
    from ser_cli.types import Failures, Prediction


class Writer(Protocol):
    """Takes one row at a time and shows it at once."""

    def __call__(self, row: Prediction) -> None:
        """Show a row."""


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
