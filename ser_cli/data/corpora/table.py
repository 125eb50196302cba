"""A table of clips: file,emotion[,start,end,speaker,split], files relative to the table."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ser_cli.data import bounds, mirror, tables
from ser_cli.data.bounds import NAMED, Bounds
from ser_cli.data.corpora import Corpus
from ser_cli.data.labels import normalise_label
from ser_cli.data.parts import PART_OF
from ser_cli.errors import DataError
from ser_cli.remarks import counted, listed, plural, remark
from ser_cli.types import Clip, Segment

ENDINGS = (".csv", ".tsv")
COLUMNS = "file,emotion[,start,end,speaker,split]"
_HEADER = "the first line must be file,emotion or file,emotion,speaker,split"
UNKNOWN = "unknown"  # speaker of the rows that leave it blank where others do not

# Other names under which people keep the same columns.
NAMES: Mapping[str, Sequence[str]] = {
    "file": (
        "path",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "audio_filepath",
        "wav",
        "audio",
    ),
    "emotion": ("label", "emotion_label"),
    "speaker": ("speaker_id", "speaker_name", "spk", "subject", "actor"),
    "split": ("set", "subset", "partition"),
}
_BLANK = frozenset({"", "-", "<na>", "n/a", "nan", "nat", "none", "null"})

Row = tuple[int, Mapping[str, str]]


def matches(data: str) -> bool:
    """Tell whether this is a table."""
    return Path(data).suffix.lower() in ENDINGS and Path(data).is_file()


def load(data: str) -> tuple[Clip, ...]:
    """Return the table's clips; see `clips`.

    Raises:
        DataError: It cannot be read, or what `clips` raises.
    """
    return clips(tables.read(Path(data)))


def clips(read: tables.Table) -> tuple[Clip, ...]:
    """Return a table's clips, ordered by file name, then path; a row that repeats one once.

    Raises:
        DataError: It lacks a column, names files or parts of them that are not there, or one again
            with another label, leaves an emotion empty, or holds an unknown split or no rows.
    """
    table, rows = read.file, named(read, tuple(NAMES), needed=("file", "emotion"), hint=_HEADER)
    if not rows:
        raise DataError(f"{table} has no rows below its header", hint="add a row for each clip")
    paths = _found(table, rows)
    rows = _speakers(table, rows)
    numbered = [
        (number, _clip(f"{table}, line {number}", path, row, own))
        for path, (number, row), own in zip(
            paths, rows, bounds.read(table, paths, rows), strict=True
        )
    ]
    found = _each_once(table, numbered)
    return tuple(sorted(found, key=lambda c: (c.path.name, c.path.as_posix(), c.start)))


def named(
    table: tables.Table, wanted: Sequence[str], *, needed: Sequence[str], hint: str
) -> list[Row]:
    """Return the rows with the columns in use, by our names of them; tell of all others.

    Args:
        table: As it was read.
        wanted: Our names of the columns in use, besides those of `bounds.columns`.
        needed: Those that must be there.
        hint: What to do where they are not.

    Raises:
        DataError: One is not.
    """
    of = {ours: _column(ours, table.header) for ours in wanted}
    if missing := [ours for ours in needed if of[ours] is None]:
        raise DataError(
            f"{table.file} lacks the {plural(len(missing), 'column')} {', '.join(missing)}; "
            f"it has {', '.join(table.header) or 'none'}",
            hint=hint,
        )
    of |= bounds.columns(table)
    if "split" in of and of["split"] != "split" and not _names_parts(table, of["split"]):
        of["split"] = None  # a set of sentences, and no part of a split
    used = {theirs for theirs in of.values() if theirs}
    if unused := [name for name in table.header if name and name not in used]:
        remark(f"{table.file}: columns that are not used: {listed(unused)}")
    return [
        (number, {ours: _cell(row, theirs) for ours, theirs in of.items()})
        for number, row in table.rows
    ]


def is_blank(cell: str) -> bool:
    """Tell whether a cell holds nothing, however programs write that."""
    return cell.lower() in _BLANK


def _cell(row: Mapping[str, str], name: str | None) -> str:
    return row[name] if name and not is_blank(row[name]) else ""


def _names_parts(table: tables.Table, name: str | None) -> bool:
    return all(_cell(row, name).lower() in {"", *PART_OF} for _, row in table.rows)


def _column(ours: str, header: Sequence[str]) -> str | None:
    return next((name for name in (ours, *NAMES[ours]) if name in header), None)


def _found(table: Path, rows: Sequence[Row]) -> list[Path]:
    """Return where each row's file lies, one that is spelled in several ways as in the first.

    Raises:
        DataError: Some are not there; it lists them with their lines.
    """
    names = mirror.beside(table, [row["file"] for _, row in rows])
    paths = [file_of(table, name) for name in names]
    lost = [
        f"line {number}: {row['file']!r}"
        for path, (number, row) in zip(paths, rows, strict=True)
        if path is None
    ]
    if lost:
        raise DataError(
            f"{table}: {len(lost)} of {counted(len(rows), 'file')} "
            f"{plural(len(lost), 'is', 'are')} not there: {listed(lost, most=NAMED)}",
            hint=f"file names are absolute, or relative to {table.parent.resolve()}",
        )
    first: dict[Path, Path] = {}
    return [first.setdefault(path.resolve(), path) for path in paths if path]


def file_of(table: Path, name: str) -> Path | None:
    """Return the file that a table calls so, however another system writes it; None: not there."""
    if not name:
        return None
    return next((path for path in _spelled(table.parent, name) if _is_there(path)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such a name cannot be
        return False


def _spelled(folder: Path, name: str) -> Iterator[Path]:
    for spelling in dict.fromkeys((name, name.replace("\\", os.sep))):
        yield folder / spelling
        # A Mac keeps "ä" as two characters, and hands it over as one.
        for form in ("NFC", "NFD"):
            yield folder / unicodedata.normalize(form, spelling)


def _speakers(table: Path, rows: list[Row]) -> list[Row]:
    """Return the rows with one speaker for all that leave theirs blank, if others do not."""
    blank = [number for number, row in rows if not row["speaker"]]
    if not blank or len(blank) == len(rows):
        return rows
    remark(
        f"{table}: {len(blank)} of {counted(len(rows), 'row')} {plural(len(blank), 'has', 'have')} "
        f"no speaker (line {listed(blank)}); all such count as one, {UNKNOWN!r}"
    )
    return [(number, {**row, "speaker": row["speaker"] or UNKNOWN}) for number, row in rows]


def _clip(where: str, path: Path, row: Mapping[str, str], own: Bounds) -> Clip:
    emotion = normalise_label(row["emotion"])
    if not emotion:
        raise DataError(f"{where}: the emotion is empty", hint="label it, or remove the row")
    split = row["split"].lower()
    if split and split not in PART_OF:
        raise DataError(
            f"{where}: the split {row['split']!r} is not known", hint="use train, dev or test"
        )
    return Clip(
        path,
        emotion=emotion,
        speaker=unicodedata.normalize("NFC", row["speaker"]),
        split=PART_OF.get(split, ""),
        start=own[0],
        end=own[1],
    )


def _each_once(table: Path, numbered: list[tuple[int, Clip]]) -> list[Clip]:
    first: dict[Segment, tuple[int, Clip]] = {}
    for number, clip in numbered:
        line, other = first.setdefault(clip.segment, (number, clip))
        if clip != other:
            raise DataError(
                f"{table}, lines {line} and {number}: two different rows for {clip.path.name}",
                hint="keep the right one",
            )
    return [clip for _, clip in first.values()]


CORPUS = Corpus(
    name="table",
    about=f"a CSV table with the columns {COLUMNS}",
    matches=matches,
    load=load,
    generic=True,
)
