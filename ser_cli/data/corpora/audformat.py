"""A database in audEERING's format: db.yaml, and beside it a table db.NAME.csv (or .parquet) each.

The header states which column of which table follows which scheme, what a scheme's labels mean and
which part of a split a table is (https://audeering.github.io/audformat). Files lie relative to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_cli.data import tables
from ser_cli.data.corpora import Corpus, table
from ser_cli.data.labels import is_emotion, normalise_label
from ser_cli.data.parts import PART_OF
from ser_cli.data.tables import Table
from ser_cli.errors import DataError
from ser_cli.remarks import counted, listed, plural, remark
from ser_cli.types import Clip

HEADER = "db.yaml"
MOST_BYTES = 2**23  # of a header; one that lists ten thousand speakers has a tenth of this
EMOTION, SPEAKER, GOLD = "emotion", "speaker", "gold"  # ids of schemes, columns and raters
# Of what a table needs to be called like, so that it lies in the folder.
_FILE = re.compile(r"db\.([\w. -]{1,80})\.(?:csv|parquet)")
_AS_CSV = 'keep it as CSV too: audformat.Database.save(FOLDER, storage_format="csv")'

Tree = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """What db.yaml states of schemes, splits and tables, by their names; each as it stands there.

    Attributes:
        folder: Where it lies.
        schemes: Name -> its labels and more.
        splits: Name -> its type.
        tables: Name -> its columns, and its split.
    """

    folder: Path
    schemes: Tree
    splits: Tree
    tables: Tree

    def columns(self, name: str, scheme: str) -> list[str]:
        """Return the columns of a table that are called like a scheme, or else follow it.

        Where several raters gave labels, that of the gold standard.
        """
        stated = _tree(_tree(self.tables.get(name)).get("columns"))
        if scheme in stated:
            return [scheme]
        following = {str(c): _tree(facts) for c, facts in stated.items()}
        following = {c: f for c, f in following.items() if f.get("scheme_id") == scheme}
        gold = [column for column, facts in following.items() if facts.get("rater_id") == GOLD]
        return gold or list(following)

    def meanings(self, name: str, column: str) -> dict[str, str]:
        """Return the word for an emotion that a label stands for, where its scheme has one."""
        of_table = _tree(_tree(self.tables.get(name)).get("columns"))
        scheme = _tree(self.schemes.get(_tree(of_table.get(column)).get("scheme_id")))
        labels = _tree(scheme.get("labels"))
        return {str(label): _word(label, facts) for label, facts in labels.items()}

    def part(self, name: str) -> str:
        """Return which part of a split a table is; "" where it is none."""
        split = _tree(self.splits.get(_tree(self.tables.get(name)).get("split_id")))
        return PART_OF.get(str(split.get("type")), "")


def matches(data: str) -> bool:
    """Tell whether this is a folder with a header, or a table beside one."""
    path = Path(data)
    if path.is_dir():
        return (path / HEADER).is_file()
    return _FILE.fullmatch(path.name) is not None and (path.parent / HEADER).is_file()


def load(data: str) -> tuple[Clip, ...]:
    """Return the clips of the table that holds emotions; rows without an emotion are left out.

    Raises:
        DataError: The header cannot be read, no table holds emotions or several do, or what
            `table.clips` raises.
    """
    path = Path(data)
    header = _read_header(path if path.is_dir() else path.parent)
    if path.is_dir():
        name = _with_emotions(data, header)
        return table.clips(_of_ours(header, name, _read(header, name)))
    name = path.name.removeprefix("db.").rpartition(".")[0]
    return table.clips(_of_ours(header, name, _opened(path)))


def _read_header(folder: Path) -> Header:
    import yaml

    file = folder / HEADER
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large for a header")
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        # A few lines of merged mappings could stand for more than any memory holds.
        loader.flatten_mapping = lambda node: None
        found = _tree(loader.get_single_data())
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{file} cannot be read as the header of an audformat database: {reason}",
            hint="give the table itself as a CSV with file,emotion",
        ) from error
    return Header(folder, *(_tree(found.get(name)) for name in ("schemes", "splits", "tables")))


def _tree(stated: Any) -> Tree:
    return stated if isinstance(stated, dict) else {}


def _word(label: Any, facts: Any) -> str:
    """Return what a label says: itself, what it is mapped to, or a fact about it."""
    told = [*_tree(facts).values()] if isinstance(facts, dict) else [facts]
    texts = [str(label), *(text for text in told if isinstance(text, str))]
    plain = facts if isinstance(facts, str) else str(label)
    return next((text for text in texts if is_emotion(normalise_label(text))), plain)


def _with_emotions(data: str, header: Header) -> str:
    """Return the name of the table to read: the one that holds emotions, or is called so."""
    found = [str(name) for name in header.tables if header.columns(str(name), EMOTION)]
    if not found:
        raise DataError(
            f"{data}: no table has a column {EMOTION}, or one of a scheme of that name; there are: "
            f"{listed(sorted(map(str, header.tables))) or 'none'}",
            hint="give a table itself, as a CSV with file,emotion",
        )
    if len(found) > 1 and EMOTION not in found:
        raise DataError(
            f"{data}: several tables hold emotions: {listed(found)}",
            hint=f"name one: --data {Path(data) / f'db.{found[0]}.csv'}",
        )
    name = EMOTION if EMOTION in found else found[0]
    others = f", and not {listed([o for o in found if o != name])}" if len(found) > 1 else ""
    remark(f"{data}: the table {name!r} is read{others}")
    return name


def _read(header: Header, name: str) -> Table:
    for ending in ("csv", "parquet"):
        file = header.folder / f"db.{name}.{ending}"
        if _FILE.fullmatch(file.name) and file.is_file():
            return _opened(file)
    raise DataError(
        f"{header.folder} has no db.{name}.csv and no db.{name}.parquet, which its header names",
        hint=_AS_CSV,
    )


def _opened(file: Path) -> Table:
    return tables.read(file) if file.suffix == ".csv" else tables.read_parquet(file, hint=_AS_CSV)


def _of_ours(header: Header, name: str, read: Table) -> Table:
    """Return a table with our columns, without the rows that nobody has labelled."""
    found = [c.lower() for c in header.columns(name, EMOTION)] or [EMOTION]
    if len(found) > 1:
        raise DataError(
            f"{read.file}: several columns hold emotions: {listed(found)}",
            hint="give a CSV with file,emotion that has the one to learn",
        )
    (column,) = found
    if "file" not in read.header or column not in read.header:
        raise DataError(
            f"{read.file} lacks file or {column}; it has {listed(read.header)}",
            hint="save the database again, or give a CSV with file,emotion",
        )
    means, part, speaker = header.meanings(name, column), header.part(name), _speakers(header, name)
    rows = [
        (
            number,
            {
                **{ours: row.get(ours, "") for ours in ("file", "start", "end")},
                "emotion": means.get(row[column], row[column]),
                "speaker": speaker(row),
                "split": part,
            },
        )
        for number, row in read.rows
        if not table.is_blank(row[column])
    ]
    if left := len(read.rows) - len(rows):
        have = plural(left, "has no emotion, and is", "have no emotion, and are")
        remark(f"{read.file}: {left} of {counted(len(read.rows), 'row')} {have} not used")
    return Table(read.file, ("file", "start", "end", "emotion", "speaker", "split"), tuple(rows))


def _speakers(header: Header, name: str) -> Callable[[Mapping[str, str]], str]:
    """Return what tells who speaks in a row: the table itself, else one of whole files."""
    for column in header.columns(name, SPEAKER)[:1]:
        return lambda row: row.get(column.lower(), "")
    for other in map(str, header.tables):
        for column in header.columns(other, SPEAKER)[:1]:
            read = _read(header, other)
            if not {"file", column.lower()} <= {*read.header} or "start" in read.header:
                continue
            remark(f"{header.folder}: the speakers are those of the table {other!r}")
            known = {row["file"]: row[column.lower()] for _, row in read.rows}
            return lambda row: known.get(row["file"], "")
    return lambda row: row.get(SPEAKER, "")


CORPUS = Corpus(
    name="audformat",
    about="a database in audEERING's audformat: a folder with db.yaml, or one of its tables",
    matches=matches,
    load=load,
    generic=True,
)
