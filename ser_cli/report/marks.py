"""The mark of a partition: written once its file is whole, it says what is done.

`{"run": ..., "sha256": ..., "recordings": [[key, stamp, rows, errors], ...]}`: of which run it is
and of which file, and of each recording, in order, what the journal of a CSV says
(`report.journal`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from ser_cli.report.journal import Stamp, file_of

if TYPE_CHECKING:
    from io import BufferedReader

    from ser_cli.data.output_folder import Folder

OURS = "_ser"  # the folder of what readers of datasets pass over
FILE, MARK = ".parquet", ".json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording: how its file looked before it was read, its rows, and those that are errors."""

    key: str
    stamp: Stamp
    rows: int
    errors: int

    @property
    def file(self) -> str:
        """The recording's file."""
        return file_of(self.key)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a partition; nothing where it has no mark that fits.

    Attributes:
        entries: Its recordings.
        places: Of each the first of its rows, by key.
    """

    entries: tuple[Entry, ...] = ()
    places: Mapping[str, tuple[int, Entry]] = field(default_factory=dict)

    def done(self, key: str, stamp: Stamp) -> tuple[int, Entry] | None:
        """Return where the rows of a recording are; None where it is to be predicted."""
        first, entry = self.places.get(key, (0, None))
        fits = entry and not entry.errors and stamp and entry.stamp == stamp
        return (first, entry) if entry and fits else None


def read(folder: Folder, name: str, run: str) -> Mark:
    """Return the mark of a partition, if it is of this run and of the file that is there."""
    try:
        with folder.open(f"{OURS}/{name}{MARK}") as stream:
            told = json.load(stream)
        with folder.open(name + FILE) as stream:
            fits = (told["run"], told["sha256"]) == (run, digest_of(stream))
        entries = tuple(Entry(*values) for values in told["recordings"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return Mark()
    return _mark(entries) if fits else Mark()


def write(folder: Folder, name: str, run: str, digest: str, entries: Sequence[Entry]) -> None:
    """Mark a partition whose file, with this SHA-256, is whole."""
    told = {"run": run, "sha256": digest, "recordings": [astuple(entry) for entry in entries]}
    with folder.writing(f"{OURS}/{name}{MARK}") as path:
        path.write_text(json.dumps(told), encoding="utf-8")


def digest_of(stream: BufferedReader) -> str:
    """Return the SHA-256 of what is left of a file."""
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _mark(entries: tuple[Entry, ...]) -> Mark:
    places, first = {}, 0
    for entry in entries:
        places[entry.key] = (first, entry)
        first += entry.rows
    return Mark(entries, places)
