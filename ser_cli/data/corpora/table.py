"""A CSV table of clips: file,emotion[,speaker,split], files relative to the table."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.labels import normalise_label
from ser_cli.errors import DataError
from ser_cli.types import Clip

_SPLITS = {
    "": "",
    "train": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


def matches(data: str) -> bool:
    """Tell whether this is a CSV file."""
    return Path(data).suffix.lower() == ".csv" and Path(data).is_file()


def load(data: str) -> tuple[Clip, ...]:
    """Return the table's clips, ordered by file name, then path; a row that repeats one once.

    Raises:
        DataError: The table is missing or not text, lacks a column, names a file that is not
            there or names it again with another label, leaves an emotion empty, or holds an
            unknown split, or no rows.
    """
    table = Path(data)
    numbered = [(number, _clip(table, number, row)) for number, row in _rows(table)]
    if not numbered:
        raise DataError(f"{data} has no rows below its header", hint="add a row for each clip")
    clips = _each_once(table, numbered)
    return tuple(sorted(clips, key=lambda clip: (clip.path.name, clip.path.as_posix())))


def _each_once(table: Path, numbered: list[tuple[int, Clip]]) -> list[Clip]:
    first: dict[Path, tuple[int, Clip]] = {}
    for number, clip in numbered:
        line, other = first.setdefault(clip.path.resolve(), (number, clip))
        if replace(clip, path=other.path) != other:
            raise DataError(
                f"{table}, lines {line} and {number}: two different rows for {clip.path.name}",
                hint="keep the right one",
            )
    return [clip for _, clip in first.values()]


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Read (line number, row) pairs of the rows that hold anything; names in lower case."""
    try:
        # Spreadsheets put a byte order mark before the first column's name: utf-8-sig drops it.
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(table, header)
            return [
                (reader.line_num, dict.fromkeys(header, "") | _row(header, cells))
                for cells in reader
                if any(cell.strip() for cell in cells)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{table} cannot be read as a table: {error}",
            hint="save it as CSV, UTF-8, with the columns file,emotion[,speaker,split]",
        ) from error


def _row(header: list[str], cells: list[str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in zip(header, cells, strict=False)}


def _check_header(table: Path, header: list[str]) -> None:
    if missing := [name for name in ("file", "emotion") if name not in header]:
        raise DataError(
            f"{table} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {', '.join(header) or 'none'}",
            hint="the first line must be file,emotion or file,emotion,speaker,split",
        )


def _clip(table: Path, number: int, row: dict[str, str]) -> Clip:
    where = f"{table}, line {number}"
    path = table.parent / row["file"]
    if not row["file"] or not path.is_file():
        raise DataError(
            f"{where}: there is no file {row['file']!r}",
            hint=f"file names are relative to {table.parent.resolve()}",
        )
    if not row["emotion"]:
        raise DataError(f"{where}: the emotion is empty", hint="label it, or remove the row")
    split = row.get("split", "").lower()
    if split not in _SPLITS:
        raise DataError(
            f"{where}: the split {row['split']!r} is not known", hint="use train, dev or test"
        )
    return Clip(
        path,
        emotion=normalise_label(row["emotion"]),
        speaker=row.get("speaker", ""),
        split=_SPLITS[split],
    )


CORPUS = Corpus(
    name="table",
    about="a CSV table with the columns file,emotion[,speaker,split]",
    matches=matches,
    load=load,
    generic=True,
)
