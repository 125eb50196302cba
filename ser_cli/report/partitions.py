"""Partitions of a Parquet dataset, each written whole by whoever labels it.

Of a partition that is not as it is to be, the rows of recordings that are done and have not changed
are taken over from its file. In memory are a row group, and the rows of a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ser_cli.errors import SerError
from ser_cli.report import marks
from ser_cli.report.journal import Stamp, stamp_of
from ser_cli.report.marks import FILE, Entry, Mark
from ser_cli.report.parquet import Reader, Writer
from ser_cli.sound.files import Found

if TYPE_CHECKING:
    from ser_cli.data.output_folder import Folder
    from ser_cli.types import Prediction

    Rows = Sequence[Prediction]
    Label = Callable[[Sequence[Found]], Iterable[Rows]]

WRITABLE = "make room, or name another folder; the same command resumes"


@dataclass(frozen=True, slots=True)
class Labelling:
    """How recordings are labelled.

    Attributes:
        label: Labels some in the process that calls it; picklable.
        alone: Labels some in processes of their own, so that one which ends its process is a row
            that says so.
        workers: Processes that share all of them.
        total: Recordings.
    """

    label: Label
    alone: Label
    workers: int
    total: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Some of the recordings, and which part of all they are, from 0."""

    number: int
    recordings: tuple[Found, ...]

    @property
    def name(self) -> str:
        """What its files are called, without their endings."""
        return name_of(self.number)


@dataclass(frozen=True, slots=True)
class Written:
    """What a partition holds: its recordings, and whether it was so before."""

    name: str
    entries: tuple[Entry, ...]
    before: bool


def name_of(number: int) -> str:
    """Return the name of a partition: sorted, names are in order."""
    return f"part-{number:08}"


def cut(found: Iterable[Found], size: int) -> Iterator[Partition]:
    """Yield all recordings as partitions of so many."""
    items, number = iter(found), 0
    while recordings := tuple(islice(items, size)):
        yield Partition(number, recordings)
        number += 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where partitions are written; it travels to those who write them.

    Attributes:
        folder: The dataset.
        run: Digest of what the rows depend on besides the recordings.
        classes: Names of the probabilities.
        facts: What made the rows, for the metadata of each file.
    """

    folder: Folder
    run: str
    classes: tuple[str, ...]
    facts: Mapping[str, str]

    def write(self, label: Label, partition: Partition) -> Written:
        """Predict what is left of a partition, and write it; nothing, where nothing is left.

        Args:
            label: Returns the rows of each recording, in order.
            partition: Its recordings.

        Raises:
            SerError: It cannot be written.
        """
        mark = marks.read(self.folder, partition.name, self.run)
        looks = [(one.key, stamp_of(one)) for one in partition.recordings]
        pairs = zip(partition.recordings, looks, strict=True)
        left = [one for one, look in pairs if not mark.done(*look)]
        if not left and [entry.key for entry in mark.entries] == [key for key, _ in looks]:
            return Written(partition.name, mark.entries, before=True)
        try:
            entries = self._make(partition.name, mark, looks, iter(label(left)))
        except OSError as error:
            where, reason = f"{self.folder.name}/{partition.name}", error.strerror or error
            raise SerError(f"{where} cannot be written: {reason}", hint=WRITABLE) from error
        return Written(partition.name, entries, before=False)

    def _make(
        self, name: str, mark: Mark, looks: Sequence[tuple[str, Stamp]], made: Iterator[Rows]
    ) -> tuple[Entry, ...]:
        """Write the file of a partition, and once it is whole, its mark."""
        with self.folder.writing(name + FILE) as path:
            with Writer(path, self.classes, self.facts) as writer, self._former(name, mark) as rows:
                entries = tuple(_add(writer, rows, mark, look, made) for look in looks)
            with path.open("rb") as stream:
                digest = marks.digest_of(stream)
        marks.write(self.folder, name, self.run, digest, entries)
        return entries

    @contextmanager
    def _former(self, name: str, mark: Mark) -> Iterator[Reader | None]:
        """Yield what reads the file that a mark is about."""
        if not mark.entries:
            yield None
            return
        with self.folder.open(name + FILE) as stream:
            yield Reader(stream)


def _add(
    writer: Writer, former: Reader | None, mark: Mark, look: tuple[str, Stamp], made: Iterator[Rows]
) -> Entry:
    """Add the rows of a recording: those it has had, or else the next that are made."""
    if former and (done := mark.done(*look)):
        first, entry = done
        for table in former.rows(first, entry.rows):
            writer.copy(table)
        return entry
    rows = next(made)
    writer.add(rows)
    return Entry(*look, len(rows), sum(row.status == "error" for row in rows))
