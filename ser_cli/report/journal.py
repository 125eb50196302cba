"""What `ser predict` has done, kept beside its result, so that it goes on after any end.

`.out.csv.journal` beside out.csv has one line of JSON for each thing done, in order:

- {"format": ..., "run": {...}}: the first line; what the rows depend on besides the recordings.
- {"file": ..., "start": ..., ...}: a row of the recording that is being predicted.
- ["done", key, stamp, rows, whole]: it is done (see `Found.key`); how its file looked before it was
  read, how many rows it has, and whether none is an error (else it is tried again).
- ["state", {name: [bytes, sha256]}, ended]: what is in the results and surely on the disk. Up to
  there they are what was written; once `ended`, they are nothing else.

Lines are only added. What follows the last whole line that ends something was being done when the
process ended, and is cut off. The rows are here as well as in the results, so a result is made
again from them where recordings came, changed or vanished, and where another is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ser_cli.data.appending import Appending
from ser_cli.errors import DataError
from ser_cli.sound.files import STDIN
from ser_cli.types import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ser_cli.sound.files import Found

FORMAT = 1
DIGITS = 6  # of a row's numbers, as in the results

# Bytes, time of change, time of change of its entry; of one elsewhere its version; None: no file.
Stamp = list[int] | list[str] | None
State = dict[str, tuple[int, str]]  # name of a result -> bytes, SHA-256


@dataclass(frozen=True, slots=True)
class Done:
    """A recording that is done: its stamp, where its rows begin and how many they are."""

    stamp: Stamp
    offset: int
    rows: int
    whole: bool
    former: Done | None = None  # what it was before it changed


@dataclass(slots=True)
class Past:
    """What a journal says.

    Attributes:
        run: What its rows depend on; None where there is no journal.
        done: The recordings, by `Found.key`.
        state: Of the results, when they were last known.
        ended: Whether nothing was written since.
        size: Bytes of the lines that count.
    """

    run: dict[str, Any] | None = None
    done: dict[str, Done] = field(default_factory=dict)
    state: State = field(default_factory=dict)
    ended: bool = False
    size: int = 0


class Journal:
    """A journal that is being written; other processes are kept out."""

    def __init__(self, path: Path, file: Appending, past: Past) -> None:
        """Go on with a journal, of which `past` was read."""
        self.path, self.past = path, past
        self._file, self._untouched = file, True
        self._reader = path.open("rb")

    def begin(self, run: Mapping[str, Any]) -> Past:
        """Forget whatever is in it, and begin a run."""
        self._file.cut(0)
        self._untouched = False
        self._add({"format": FORMAT, "run": run})
        return Past(run=dict(run))

    def rows(self, done: Done) -> list[Prediction]:
        """Return the rows of a recording that is done.

        Raises:
            DataError: They cannot be read.
        """
        self._reader.seek(done.offset)
        try:
            return [_row(json.loads(self._reader.readline())) for _ in range(done.rows)]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{self.path} is damaged", hint="--restart begins anew") from error

    def add(self, key: str, stamp: Stamp, rows: Iterable[Prediction]) -> None:
        """Write down the rows of a recording, and that it is done.

        Raises:
            OSError: The journal cannot be written; nothing of the recording is in it.
        """
        self._continue()
        before, count, whole = self._file.size, 0, True
        try:
            for row in rows:
                self._add(_plain(row))
                count += 1
                whole = whole and row.status != "error"
            self._add(["done", key, stamp, count, whole])
        except BaseException:
            self._file.cut(before)
            raise

    def note(self, state: State, *, ended: bool = False) -> None:
        """Write down what is in the results, which are on the disk by now; wait until this is."""
        self._continue()
        self._add(["state", state, ended])
        self._file.sync()

    def close(self) -> None:
        """Close it, and let others in; nothing stays of one that was not begun."""
        self._reader.close()
        self._file.close()
        if not self._file.size:
            self.path.unlink(missing_ok=True)

    def _continue(self) -> None:
        """Cut off, once, what was being written when the process ended."""
        if self._untouched:
            self._file.cut(self.past.size)
            self._untouched = False

    def _add(self, value: Any) -> None:
        self._file.write(json.dumps(value).encode() + b"\n")


def read(path: Path) -> Past:
    """Return what a journal says; nothing where there is none, or none that this version wrote."""
    past = Past()
    try:
        with path.open("rb") as stream:
            for line, end in _lines(stream):
                _take(past, line, end)
    except (OSError, ValueError, TypeError, KeyError):
        pass  # what comes first counts: the rest was being written
    return past if past.run is not None else Past()


def file_of(key: str) -> str:
    """Return the file of a recording that has this key."""
    return key.partition("\0")[0]


def stamp_of(found: Found) -> Stamp:
    """Return how a file looks, which changes when it is written anew; None where none is there."""
    if found.version:
        return [found.version]
    file = found.file
    if file == STDIN:
        return None
    try:
        status = os.stat(file)  # noqa: PTH116 - of thousands
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _lines(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines, and where each ends."""
    end = 0
    for line in stream:
        if not line.endswith(b"\n"):
            return
        end += len(line)
        yield line, end


def _take(past: Past, line: bytes, end: int) -> None:
    """Add a line to what is known; rows are only passed over."""
    if past.run is None:
        head = json.loads(line)
        if head["format"] != FORMAT:
            raise ValueError
        past.run, past.size = head["run"], end
        return
    if line.startswith(b"{") and line.endswith(b"}\n"):
        return
    kind, *values = json.loads(line)
    if kind == "done":
        key, stamp, rows, whole = values
        before = past.done.get(key)
        former = before and replace(before, former=None)
        past.done[key] = Done(stamp, past.size, rows, whole, former)
        past.ended = False
    else:
        state, past.ended = values
        past.state = {name: (size, digest) for name, (size, digest) in state.items()}
    past.size = end


def _plain(row: Prediction) -> dict[str, Any]:
    values = {item.name: getattr(row, item.name) for item in fields(Prediction)}
    shares = row.probabilities
    return {
        name: round(value, DIGITS) if isinstance(value, float) else value
        for name, value in values.items()
    } | {"probabilities": None if shares is None else [round(p, DIGITS) for p in shares.tolist()]}


def _row(values: dict[str, Any]) -> Prediction:
    shares = values["probabilities"]
    probabilities = None if shares is None else np.array(shares, np.float32)
    return Prediction(**values | {"probabilities": probabilities, "flags": tuple(values["flags"])})
