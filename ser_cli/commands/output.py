"""Rows of `ser predict` as they are made: a table for eyes, CSV or JSON Lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ser_cli.disarm import ERRORS, visible
from ser_cli.errors import SerError
from ser_cli.report.rows import Writer, csv_writer, json_line
from ser_cli.types import Prediction


@contextmanager
def writer(classes: Sequence[str], *, file: Path | None, as_json: bool) -> Iterator[Writer]:
    """Yield what writes rows: to `file` as CSV, else to stdout in the form that suits its reader.

    Raises:
        SerError: The file cannot be written.
    """
    if file is None:
        if as_json:
            yield _json_lines(classes)
        elif sys.stdout.isatty():
            yield _table()
        else:
            yield csv_writer(sys.stdout, classes)
        return
    try:
        # Written row by row, not atomically: what was predicted before a crash stays.
        with file.open("w", encoding="utf-8", errors=ERRORS, newline="") as stream:
            yield csv_writer(stream, classes)
    except OSError as error:
        raise SerError(
            f"{file} cannot be written: {error.strerror}", hint="--csv FILE in a folder that exists"
        ) from error


def _json_lines(classes: Sequence[str]) -> Writer:
    encoding = sys.stdout.encoding or "utf-8"

    def write(row: Prediction) -> None:
        print(json_line(row, classes, encoding), end="", flush=True)

    return write


def _table() -> Writer:
    print(f"{'emotion':<10} {'confidence':>10}  {'from':>7} {'to':>7}  file")

    def write(row: Prediction) -> None:
        if row.status == "error":
            what = visible(f"{row.file}: {row.error}")
            print(f"{'(error)':<10} {'':>10}  {'':>7} {'':>7}  {what}", flush=True)
            return
        remark = f"  ({', '.join(row.flags)})" if row.flags else ""
        span = f"{row.start:>6.1f}s {row.end:>6.1f}s"
        what = f"{visible(row.emotion):<10} {row.confidence:>10.0%}"
        print(f"{what}  {span}  {visible(row.file)}{remark}", flush=True)

    return write
