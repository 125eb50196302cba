"""Rows of `ser predict` as lines of CSV and of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from ser_cli import disarm
from ser_cli.disarm import visible
from ser_cli.model.rows import as_record, columns

if TYPE_CHECKING:
    from ser_cli.types import Failures, Prediction


class Writer(Protocol):
    """Takes one row at a time and shows it at once."""

    def __call__(self, row: Prediction) -> None:
        """Show a row."""


def csv_writer(stream: TextIO, classes: Sequence[str]) -> Writer:
    """Write the head of the table, and return what writes its rows."""
    stream.write(csv_head(classes))

    def write(row: Prediction) -> None:
        stream.write(csv_line(row, classes))
        stream.flush()

    return write


def csv_head(classes: Sequence[str]) -> str:
    """Return the line that names the columns."""
    return disarm.csv_line(columns(classes))


def csv_line(row: Prediction, classes: Sequence[str]) -> str:
    """Return a row as a line of CSV, in which no text is a formula; see `disarm`."""
    return disarm.csv_line(as_record(row, classes).values())


def json_line(row: Prediction, classes: Sequence[str], encoding: str = "utf-8") -> str:
    """Return a row as a line of JSON, which is exact in any encoding.

    A name that is not UTF-8 is what Python has for it, and `os.fsencode` gives its bytes back.
    """
    record = as_record(row, classes)
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(record) + "\n"
    return (text if visible(text) == text else json.dumps(record)) + "\n"


def failures(failed: Failures) -> list[dict[str, str]]:
    """Return files that could not be read as plain values, for JSON."""
    return [{"file": str(path), "error": reason} for path, reason in failed]
