"""What `ser` keeps on this machine: how large each kind is, how to clear it, what was left."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ser_cli.data import corpora
from ser_cli.data.store import cache_dir
from ser_cli.health import Check, megabytes
from ser_cli.remarks import counted, listed

# Folders of the cache, and what it costs to delete them.
KINDS = {
    "features": "made again when they are needed",
    "studies": "what `ser tune` has found, and its trials",
    "checkpoints": "of trainings that were broken off, which would begin anew",
    "protocols": "of evaluations that were broken off, which would begin anew",
    "elsewhere": "copies of s3:// and the like; fetched again when they are needed",
    "outgoing": "results for s3:// and the like, and what is done; such runs would begin anew",
    "verified": "which clips were found right; they are read again",
}
LITTLE_BYTES = 1e9  # RAVDESS, fetched and unpacked, needs 0.9 GB
MOST_FILES = 10_000  # of each kind that are counted: the report is to take seconds
LEFT_S = 3_600  # what nobody has touched for an hour is nobody's
SHOWN = 20  # of them in the next command
TEMPORARY = re.compile(r"\..*-[a-z0-9_]{8}(\.\w+)?")  # as `store.atomic_write` names them


class _File(NamedTuple):
    path: Path
    size: int  # bytes
    changed: float  # seconds since the epoch


def cache() -> Iterator[Check]:
    """Look at the folder of the caches, at what is in it, and for temporary files left behind."""
    home, left = cache_dir(), []
    yield _writable(home)
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        if folder.is_dir():
            files = [*islice(_files(folder), MOST_FILES)]
            left += files
            yield Check(f"cache: {folder.name}", _described(folder, files))
    left += islice(_files(Path("artifacts")), MOST_FILES)
    yield _leftovers(left)


def _described(folder: Path, files: list[_File]) -> str:
    use = KINDS.get(folder.name)
    if use is None:
        use = "a corpus, as it was fetched" if folder.name in corpora.names() else "not ser's"
    size = f"{megabytes(sum(file.size for file in files))} in {counted(len(files), 'file')}"
    least = "at least " if len(files) == MOST_FILES else ""
    return f"{least}{size} ({use}); to clear it: {_removal(folder)}"


def _leftovers(files: list[_File]) -> Check:
    """Look for temporary files of processes that were killed."""
    old = time.time() - LEFT_S
    left = [file for file in files if file.changed < old and TEMPORARY.fullmatch(file.path.name)]
    if not left:
        return Check("leftovers", "no temporary files of processes that were killed")
    size = megabytes(sum(file.size for file in left))
    paths = [file.path for file in left]
    return Check(
        "leftovers",
        f"{counted(len(left), 'temporary file')} of processes that were killed, "
        f"{size}: {listed(paths)}",
        "warning",
        _removal(*paths[:SHOWN]),
    )


def disk() -> Iterator[Check]:
    """Look at the space that is left where caches and results are written."""
    for name, folder in (("cache", _existing(cache_dir())), ("working folder", Path())):
        free = shutil.disk_usage(folder).free
        text = f"{megabytes(free)} free"
        if free < LITTLE_BYTES:
            hint = "make room, or set SER_CACHE_DIR to a folder on another disk"
            yield Check(f"disk of the {name}", text, "warning", hint)
        else:
            yield Check(f"disk of the {name}", text)


def _writable(home: Path) -> Check:
    there = _existing(home)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check(
            "cache",
            f"{home} cannot be written to: {error.strerror}",
            "error",
            "export SER_CACHE_DIR=FOLDER (Windows: set SER_CACHE_DIR=FOLDER), one you may write to",
        )
    return Check("cache", str(home) if there == home else f"{home} (to be made)")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is."""
    return next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )


def _files(folder: Path) -> Iterator[_File]:
    """Yield all files below a folder.

    What cannot be read, or is gone meanwhile, is passed over.
    """
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
            continue
        with contextlib.suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            yield _File(Path(entry.path), found.st_size, found.st_mtime)


def _removal(*paths: Path) -> str:
    if os.name == "nt":
        return "Remove-Item -Recurse " + ", ".join(f"'{path}'" for path in paths)
    return shlex.join(["rm", "-r", *map(str, paths)])
