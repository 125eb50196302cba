"""Tables as people save them: by comma, semicolon or tab; UTF-8, UTF-16 or one byte a letter.

Spreadsheets of different countries write different separators and encodings, and none says which.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_cli import distribution
from ser_cli.data.labels import is_emotion, normalise_label
from ser_cli.errors import DataError, SerError
from ser_cli.remarks import counted, remark

SEPARATORS = (",", ";", "\t", "|")
WINDOWS = ("1252", "1250", "1251", "1254")  # western, central European, Cyrillic, Turkish
PARQUET = ".parquet"
TRIED = 2**20  # letters by which they are told apart
MOST_BYTES = 2**30  # of a table: some ten million rows
MOST_CELLS = 2**26  # of one whose cells are packed
UNREAD = "name a file that is there, and that you may read"  # what to do where the system refuses
_STATED = re.compile(r"sep=(.)\r?\n", re.I)  # Excel writes and reads such a first line


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        file: Where it was read.
        header: Names of its columns, in lower case.
        rows: Line number and cells by column, of the rows that hold anything.
    """

    file: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read(file: Path) -> Table:
    """Read a table whose first line names its columns.

    Raises:
        DataError: It is missing, too large or no text, its header names a column twice, or a row
            has more cells than the header.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file} is too large for a table", hint="split it into several")
        text = _text(file).lstrip("\r\n")
        if "\n" not in text:  # as spreadsheets of old Macs end their lines
            text = text.replace("\r", "\n")
        stated = _STATED.match(text)
        body = text[stated.end() :] if stated else text
        lines = csv.reader(io.StringIO(body, newline=""), delimiter=_separator(body, stated))
        header = [name.strip().lower() for name in next(lines, [])]
        _check(file, header)
        rows = tuple(_rows(file, header, lines, skipped=1 if stated else 0))
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", hint=UNREAD) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{file} cannot be read as a table: {error}", hint="save it as CSV in UTF-8"
        ) from error
    return Table(file, tuple(header), rows)


def read_any(file: Path) -> Table:
    """Read a table in either form, which its ending tells; see `read` and `read_parquet`."""
    if file.suffix.lower() == PARQUET:
        return read_parquet(file, hint="save it again, or as CSV")
    return read(file)


def read_parquet(file: Path, *, hint: str) -> Table:
    """Read a table that is kept as Parquet; its lines are its rows, from 1.

    Args:
        file: The table.
        hint: What to do where pyarrow is not installed.

    Raises:
        SerError: pyarrow is not installed.
        DataError: It is missing, too large or no such table.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise SerError(
            f"{file} needs pyarrow: {distribution.install('parquet')}", hint=hint
        ) from error
    try:
        size = pyarrow.parquet.read_metadata(file)
        if size.num_rows * size.num_columns > MOST_CELLS:
            raise DataError(f"{file} is too large for a table", hint="split it into several")
        found = pyarrow.parquet.read_table(file).to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{file} cannot be read as a table: {error}", hint=hint) from error
    rows = [
        {name.lower(): "" if cell is None else str(cell) for name, cell in row.items()}
        for row in found
    ]
    return Table(file, tuple(rows[0]) if rows else (), tuple(enumerate(rows, start=1)))


def _text(file: Path) -> str:
    content = file.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if b"\0" in content:
        raise csv.Error("it holds bytes that are no text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        name, text = _guessed(content)
    remark(f"{file} is no UTF-8: read as Windows-{name} (save it as UTF-8 if names look wrong)")
    return text


def _guessed(content: bytes) -> tuple[str, str]:
    """Return the encoding in which most words are emotions, the first of equals, and the text."""
    readings = {}
    for name in WINDOWS:
        with suppress(UnicodeDecodeError):
            readings[name] = content.decode(f"cp{name}")
    if not readings:
        raise csv.Error("it is in none of the encodings that can be guessed")

    def emotions(name: str) -> int:
        words = set(re.findall(r"[^\W\d_]+", readings[name][:TRIED]))
        return sum(is_emotion(normalise_label(word)) for word in words)

    chosen = max(readings, key=emotions)
    return chosen, readings[chosen]


def _separator(text: str, stated: re.Match[str] | None) -> str:
    """Return what separates the cells: as a first line states it, else what the header has most."""
    if stated:
        return stated[1]
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=lambda sign: len(next(csv.reader([header], delimiter=sign), [])))


def _check(file: Path, header: list[str]) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise DataError(f"{file} has two columns {twice[0]!r}", hint="rename or remove one")


def _rows(
    file: Path, header: list[str], lines: Any, *, skipped: int
) -> Iterator[tuple[int, Mapping[str, str]]]:
    for cells in lines:
        number = lines.line_num + skipped
        held = [cell.strip() for cell in cells]
        if not any(held):
            continue
        if any(held[len(header) :]):
            raise DataError(
                f"{file}, line {number}: {len(held)} cells under {counted(len(header), 'column')}",
                hint="put a cell that holds the separator into quotation marks",
            )
        yield number, dict.fromkeys(header, "") | dict(zip(header, held, strict=False))
