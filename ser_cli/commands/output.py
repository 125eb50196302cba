"""Rows of `ser predict` on stdout, as they are made: a table for eyes, CSV or JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ser_cli.commands import console
from ser_cli.disarm import visible
from ser_cli.report.rows import Writer, csv_writer, json_line
from ser_cli.types import Prediction


def printer(classes: Sequence[str], *, as_json: bool) -> Writer:
    """Return what prints rows in the form that suits their reader."""
    if as_json:
        return _json_lines(classes)
    return _table() if sys.stdout.isatty() else csv_writer(sys.stdout, classes)


def while_read(show: Writer) -> Writer:
    """Return what shows rows as long as somebody reads them; for rows that go elsewhere as well."""

    def write(row: Prediction) -> None:
        try:
            show(row)
        except BrokenPipeError:
            console.to_nobody()

    return write


def _json_lines(classes: Sequence[str]) -> Writer:
    encoding = sys.stdout.encoding or "utf-8"

    def write(row: Prediction) -> None:
        print(json_line(row, classes, encoding), end="", flush=True)

    return write


def _table() -> Writer:
    print(f"{'emotion':<10} {'confidence':>10}  {'from':>7} {'to':>7}  file")

    def write(row: Prediction) -> None:
        if row.status == "error":
            what = visible(row.error if row.file in row.error else f"{row.file}: {row.error}")
            print(f"{'(error)':<10} {'':>10}  {'':>7} {'':>7}  {what}", flush=True)
            return
        remark = f"  ({', '.join(row.flags)})" if row.flags else ""
        span = f"{row.start:>6.1f}s {row.end:>6.1f}s"
        what = f"{visible(row.emotion):<10} {row.confidence:>10.0%}"
        print(f"{what}  {span}  {visible(row.file)}{remark}", flush=True)

    return write
