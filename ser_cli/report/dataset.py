"""A Parquet dataset that `ser predict --parquet` writes, as a whole: what it is of, and its end.

The folder holds `part-00000017.parquet` and the like, which readers of datasets take, and in
`_ser`, which they pass over, a mark of each (`report.marks`) and `run.json`: {"format": ..., "run":
{...}, "named": [...], "size": ...}: what the rows depend on besides the recordings, what was named,
and how many recordings a partition has. Of one that is being written, there is a hidden file at
most.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.addresses import is_url
from ser_cli.errors import SerError, UsageError
from ser_cli.remarks import counted, listed, remark
from ser_cli.report.marks import FILE, MARK, OURS
from ser_cli.report.partitions import name_of

if TYPE_CHECKING:
    from ser_cli.data.output_folder import Folder

FORMAT = 1
RUN = f"{OURS}/run.json"
LEAST, MOST = 16, 1000  # recordings of a partition, where nobody says how many
EACH = 16  # partitions for each worker, so that none waits long for the last
FORCE = "--force writes it anew; or name another folder"


@dataclass(frozen=True, slots=True)
class Run:
    """What a dataset is of.

    Attributes:
        facts: What its rows depend on besides the recordings, as plain values.
        named: Files, folders and patterns, as typed.
        size: Recordings of a partition.
    """

    facts: Mapping[str, Any]
    named: tuple[str, ...]
    size: int

    @property
    def digest(self) -> str:
        """Tells it from all whose rows are others."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()


def usual_size(total: int, workers: int) -> int:
    """Return how many of all recordings make a partition, where nobody says."""
    return min(MOST, max(LEAST, -(-total // (EACH * workers))))


def begin(
    folder: Folder, asked: Run, *, size: int | None, restart: bool = False, force: bool = False
) -> Run:
    """Go on with a dataset, or begin it; it is held by this process.

    Args:
        folder: Where it is.
        asked: What it is to be of; its size is taken where no other is given, here or before.
        size: Recordings of a partition, where the user says so.
        restart: Whether all is predicted again.
        force: Whether that is overwritten which no such run has written.

    Raises:
        UsageError: The folder holds something else.
    """
    past = _read(folder)
    same = past is not None and past.facts == asked.facts
    run = replace(asked, size=size or (past.size if past and same else asked.size))
    strange = sorted(name for name in folder.names() if _is_strange(name, ours=past is not None))
    if not force:
        _refuse(folder, strange, past, run, restart=restart)
    if others := [name for name in strange if _number(name) is None]:
        remark(f"{folder.name} holds what readers may take for rows of it: {listed(others)}")
    if restart or not same:
        _remove_from(folder, 0, of=MARK)
    if not past or not same or past.size != run.size:
        _remove_from(folder, 0)
    if run != past:
        _write(folder, run)
    return run


def end(folder: Folder, run: Run, count: int) -> None:
    """Leave so many partitions: what is behind them is of recordings that are no longer there.

    Raises:
        SerError: One of these is not there: whoever wrote it did so elsewhere. Or another run has
            begun, in a store, which knows no locks.
    """
    if _read(folder) != run:
        raise SerError(
            f"{folder.name} was begun anew by another run meanwhile", hint="start one at a time"
        )
    names = folder.names()
    for number in range(count):
        if (name := name_of(number) + FILE) not in names:
            raise SerError(
                f"{folder.name}/{name} was written and is not there",
                hint="name a folder that all workers see, or an address",
            )
    _remove_from(folder, count)
    _remove_from(folder, count, of=MARK)


def _remove_from(folder: Folder, first: int, *, of: str = FILE) -> None:
    """Remove the files of the partitions from that number on, or their marks."""
    below = f"{OURS}/" if of == MARK else ""
    for name in sorted(folder.names(below.rstrip("/"))):
        number = _number(name, of)
        if number is not None and number >= first:
            folder.remove(below + name)


def _number(name: str, of: str = FILE) -> int | None:
    """Return which partition a file is of; None for all others."""
    found = re.fullmatch(r"part-(\d{8,})" + re.escape(of), name)
    return int(found[1]) if found else None


def _is_strange(name: str, *, ours: bool) -> bool:
    hidden = name.startswith(".") or name == OURS
    return not hidden and not (ours and _number(name) is not None)


def _refuse(
    folder: Folder, strange: Sequence[str], past: Run | None, run: Run, *, restart: bool
) -> None:
    """Refuse a folder that holds something else than is asked for."""
    where = folder.name
    if strange:
        raise UsageError(
            f"{where} holds {strange[0]}, which no `ser predict --parquet` wrote", hint=FORCE
        )
    if past is None:
        return
    if other := [key for key in run.facts if past.facts.get(key) != run.facts[key]]:
        raise UsageError(f"{where} is of another run, with another {', '.join(other)}", hint=FORCE)
    if past.size != run.size and not restart:
        raise UsageError(
            f"{where} has partitions of {counted(past.size, 'recording')}",
            hint="leave --partition out; or --restart",
        )
    if left := [path for path in past.named if path not in run.named and _is_there(path)]:
        raise UsageError(
            f"{where} has rows of {left[0]}, which is not named now",
            hint="name it as well; or --force drops them",
        )


def _is_there(path: str) -> bool:
    return is_url(path) or glob.has_magic(path) or Path(path).exists()


def _read(folder: Folder) -> Run | None:
    """Return what a dataset is of; None where there is none, or none that this version wrote."""
    try:
        with folder.open(RUN) as stream:
            told = json.load(stream)
        if told["format"] != FORMAT:
            return None
        return Run(dict(told["run"]), tuple(told["named"]), int(told["size"]))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None


def _write(folder: Folder, run: Run) -> None:
    told = {"format": FORMAT, "run": run.facts, "named": run.named, "size": run.size}
    with folder.writing(RUN) as path:
        path.write_text(json.dumps(told), encoding="utf-8")
