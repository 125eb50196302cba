"""Where `ser` keeps what it computes or learns on a machine, and how it writes: atomically."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ser_cli import process
from ser_cli.disarm import ERRORS, csv_line, from_cell
from ser_cli.errors import SerError

LONGEST = 40  # letters of a file's name in that of its temporary file
FORGOTTEN_S = 7 * 86_400  # no process of any machine writes one file for so long

_TEMPORARY = re.compile(r"-(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-\w{8}(\.\w+)?$")


def cache_dir() -> Path:
    """Return the folder of caches, studies and checkpoints: SER_CACHE_DIR, else the user's own."""
    if chosen := os.environ.get("SER_CACHE_DIR"):
        return Path(chosen)
    # Not every command needs it. Without `opinion` off, Windows would get a folder more: ser/Cache.
    from platformdirs import user_cache_path

    return user_cache_path("ser", appauthor=False, opinion=False)


def need_space(folder: Path, needed: int, *, other: str = "with --dest") -> None:
    """Raise SerError unless the folder's disk has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SerError(
            f"{folder} needs {needed / 1e6:,.1f} MB, and its disk has {free / 1e6:,.1f} MB free",
            hint=f"make room, or choose another place {other}",
        )


def need_folder(folder: Path) -> None:
    """Raise SerError where no folder can be or be written to, before any work is done for it."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            if not os.access(place, os.W_OK):
                raise SerError(f"{place} cannot be written to", hint="choose another folder")
            return
        if place.exists():
            raise SerError(f"{place} is a file, and no folder", hint="choose another folder")


@contextmanager
def atomic_write(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path` that takes its place if the block succeeds.

    The suffix is kept, since many writers choose their format by it. A reader sees the old
    file or the whole new one, never a part; a failed block leaves nothing behind. What a killed
    process left is swept by the next that writes into the folder.

    Args:
        path: The file.
        sync: Whether it must outlast a power cut, which costs some 10 ms; not what is one of
            thousands, and made again where it is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    prefix = f".{path.stem[:LONGEST]}-{_machine()}-{os.getpid()}-"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        if sync:
            sync_file(temporary)
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Have what was written outlast a power cut; not every file system can."""
    # Windows syncs only what may be written to, and no system needs that of a folder.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files outlast a power cut, where the system can."""
    if os.name == "posix":  # Windows opens no folders
        sync_file(folder)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with plain newlines, atomically; names in it keep their bytes."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ERRORS, newline="\n")


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write rows, the first of them the head, as CSV with plain newlines, atomically.

    No text is a formula; see `disarm.csv_line`.
    """
    write_text(path, "".join(map(csv_line, rows)))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return what `write_csv` wrote, by the names in its head; nothing where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        rows = list(csv.DictReader(stream, restkey="", restval=""))
    return [{from_cell(k): from_cell(v) for k, v in row.items() if k} for row in rows]


def remember(key: str, value: str) -> None:
    """Keep one small fact (a folder the user chose) for later commands on this machine."""
    facts = _facts() | {key: value}
    write_text(cache_dir() / "remembered.json", json.dumps(facts, indent=2))


def remembered(key: str) -> str | None:
    """Return what `remember` was last told under this key, or None."""
    return _facts().get(key)


def _facts() -> dict[str, str]:
    try:
        return dict(json.loads((cache_dir() / "remembered.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


@cache
def _sweep(folder: Path) -> None:
    """Remove, once in a process, the temporary files of a folder whose writers are gone."""
    for path in folder.glob(".*"):
        if found := _TEMPORARY.search(path.name):
            with suppress(OSError):  # another has just removed it
                here = found["machine"] == _machine()
                old = time.time() - path.stat().st_mtime > FORGOTTEN_S
                if old or (here and not process.is_alive(int(found["pid"]))):
                    path.unlink()


@cache
def _machine() -> str:
    return process.machine()


def _umask() -> int:
    # mkstemp makes files readable by their owner alone; results should follow the user's umask,
    # which can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
