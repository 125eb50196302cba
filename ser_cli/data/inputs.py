"""What `ser predict` is given -> recordings: files, folders, patterns, and tables of files.

A table has the columns `file[,start,end,speaker]`, under the names and by the rules of one that is
trained on. Each row is an input, in its place. Rows of one file that follow each other in the order
of their starts are read together, so that the file is decoded once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ser_cli.addresses import is_url
from ser_cli.data import bounds, mirror, tables, turns
from ser_cli.data.bounds import NAMED, WHOLE, Bounds
from ser_cli.data.corpora.table import Row, file_of, named
from ser_cli.data.tables import Table
from ser_cli.data.turns import Turns
from ser_cli.errors import DataError, UsageError
from ser_cli.remarks import counted, listed, plural, remark
from ser_cli.remote import Item
from ser_cli.sound.files import STDIN, Found, Passed, find
from ser_cli.sound.sniff import is_sound
from ser_cli.types import Turn

OFTEN = 10  # times that files are read, on average, from which on it is said
_HEADER = "the first line must be file, and may be file,start,end,speaker"
ENDINGS = (".csv", ".tsv", tables.PARQUET)  # of tables, unless they are sounds by their first bytes


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was named, in its order; looked through as often as it is asked for.

    Attributes:
        paths: As typed.
        tables: Of those that are tables, the recordings, by path.
        turns: When who speaks, by file, and the names of all that were stated; None where nobody
            asked for that.
    """

    paths: Sequence[str]
    tables: Mapping[str, tuple[Found, ...]]
    turns: tuple[Turns, Collection[str]] | None = None

    def __iter__(self) -> Iterator[Found]:
        """Yield the recordings."""
        return self.found(Passed())

    def found(self, passed: Passed) -> Iterator[Found]:
        """Yield the recordings, and count the files of folders that are no sound."""
        for path in self.paths:
            for one in self.tables[path] if path in self.tables else find([path], passed):
                yield one if self.turns is None or one.error else _with_turns(one, *self.turns)

    def spoken(self, file: Path) -> Inputs:
        """Return the same, of which the turns of speakers are heard that a file states.

        Raises:
            DataError: It cannot be read, holds no turn, or one that is no stretch of time.
            UsageError: A table names parts of files, or turns may be those of several recordings.
        """
        if self.has_parts:
            raise UsageError(
                f"--speakers {file}, and a table of parts of files, both say what is heard",
                hint="add a column speaker to the table, and leave --speakers out",
            )
        stated = turns.read(file)
        own = turns.assigned(file, stated, (one.name for one in self if not one.error))
        return replace(self, turns=(own, stated.keys()))

    @property
    def has_parts(self) -> bool:
        """Whether a table names parts of files, and not whole files alone."""
        return any(one.parts for rows in self.tables.values() for one in rows)

    @property
    def has_speakers(self) -> bool:
        """Whether it is said who speaks."""
        rows = [one for rows in self.tables.values() for one in rows]
        known = any(one.speaker or any(part.speaker for part in one.parts) for one in rows)
        return known or self.turns is not None


def inputs(paths: Sequence[str]) -> Inputs:
    """Return what these paths stand for; tables are read now, files and folders are found later.

    Raises:
        SerError: A table cannot be read, or does not say which files it means.
    """
    return Inputs(
        paths, {path: of_table(tables.read_any(_here(path))) for path in paths if is_table(path)}
    )


def _here(path: str) -> Path:
    return mirror.local(path) if is_url(path) else Path(path)


def is_table(path: str) -> bool:
    """Tell whether this is a table that names files; elsewhere its ending tells."""
    file = Path(path)
    if is_url(path):
        return file.suffix.lower() in ENDINGS
    return file.suffix.lower() in ENDINGS and file.is_file() and not is_sound(file)


def of_table(table: Table) -> tuple[Found, ...]:
    """Return the recordings that a table names; one that is not there states so.

    Raises:
        DataError: It has no column of files, or no rows, or some of them name no part of a file.
    """
    rows = named(table, ("file", "speaker"), needed=("file",), hint=_HEADER)
    if not rows:
        raise DataError(
            f"{table.file} has no rows below its header", hint="add a row for each file"
        )
    times = bounds.read(table.file, None, rows)
    away = mirror.addressed(table.file, [row["file"] for _, row in rows])
    found = [
        _recording(table.file, row, own, away.get(row[1]["file"]))
        for row, own in zip(rows, times, strict=True)
    ]
    _tell_lost(table.file, rows, found)
    read = tuple(_together(found))
    _tell_often(table.file, read)
    return read


def _tell_lost(table: Path, rows: Sequence[Row], found: Sequence[Found]) -> None:
    """Say which files are not there, with their lines."""
    lost = [row for row, one in zip(rows, found, strict=True) if one.error]
    if lost:
        lines = listed([f"line {number}: {row['file']!r}" for number, row in lost], most=NAMED)
        remark(
            f"{table}: {len(lost)} of {counted(len(rows), 'file')} "
            f"{plural(len(lost), 'is', 'are')} not there: {lines}; names are "
            f"absolute, or relative to {table.parent.resolve()}"
        )


def _tell_often(table: Path, read: Sequence[Found]) -> None:
    """Say that files are read again and again, where another order would spare that."""
    in_parts = [one.file for one in read if one.parts and not one.error]
    files, times = len({*in_parts}), len(in_parts)
    if times > OFTEN * files:
        remark(
            f"{table}: {counted(files, 'file is', 'files are')} read {times:,} times, which takes "
            "long; sort it by file and start, and each is read once"
        )


def _recording(table: Path, row: Row, own: Bounds, away: Item | None) -> Found:
    """Return what a row names: a file, here or `away`, or one part of it."""
    number, cells = row
    start, end = own
    speaker, path = cells["speaker"], None if away else file_of(table, cells["file"])
    name = away.url if away else str(path or table.parent / cells["file"])
    is_there = bool(path or (away and away.is_there))
    part = Turn(start, math.inf if end is None else end, speaker)
    return Found(
        str(Path.cwd() / name) if name == STDIN else name,  # a file of this name is none
        error="" if is_there else f"{table}, line {number}: {cells['file']!r} is not there",
        root=_root(table.parent, path),
        speaker=speaker if own == WHOLE else "",
        parts=() if own == WHOLE else (part,),
        version=away.version if away else "",
    )


def _root(folder: Path, path: Path | None) -> str:
    """Return the table's folder, if the file lies below: outputs for each keep what is between."""
    below = path is not None and path.is_relative_to(folder)
    return str(folder) if path and below and ".." not in path.relative_to(folder).parts else ""


def _together(found: Sequence[Found]) -> Iterator[Found]:
    """Join parts of one file that follow each other, as far as their starts do."""
    held: list[Found] = []
    for one in found:
        if held and not _continues(held[-1], one):
            yield _joined(held)
            held = []
        held.append(one)
    yield _joined(held)


def _continues(last: Found, one: Found) -> bool:
    if not (last.parts and one.parts) or last.error or one.error:
        return False
    return last.file == one.file and last.parts[0].start <= one.parts[0].start


def _joined(found: Sequence[Found]) -> Found:
    return replace(found[0], parts=tuple(part for one in found for part in one.parts))


def _with_turns(found: Found, of: Turns, stated: Collection[str]) -> Found:
    if found.name not in of:
        return replace(found, error=turns.nobody(found.name, stated))
    return replace(found, speaker="", parts=of[found.name])
