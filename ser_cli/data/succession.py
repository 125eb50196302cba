"""A folder whose files are replaced together: a reader finds all of the old ones or all of the new.

The new files are written into a folder of their own, the manifest last. Renaming that folder is
the one step that counts: from then on it is what readers take, until all of its files lie in the
folder itself, where other programs look for them. A process that is killed anywhere leaves a whole
set, and the next that begins finishes what it left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ser_cli.data.store import atomic_write, sync_folder
from ser_cli.errors import SerError

R = TypeVar("R")

STAGING = ".training"  # being written, or left unfinished
SUCCESSOR = ".successor"  # whole, on its way into the folder


def current(folder: Path, manifest: str) -> Path:
    """Return where the whole set of files lies: in the folder, or in its successor."""
    ready = folder / SUCCESSOR
    return ready if (ready / manifest).is_file() else folder


def steadily(folder: Path, manifest: str, read: Callable[[Path], R]) -> R:
    """Return what is read of the current files; again, where others have taken their place."""
    while True:
        before = _state(folder, manifest)
        try:
            found = read(current(folder, manifest))
        except (SerError, OSError):
            if _state(folder, manifest) == before:
                raise
        else:
            if _state(folder, manifest) == before:
                return found


def begin(folder: Path, manifest: str, known: Collection[str]) -> Path:
    """Return an empty folder for the new files; what a killed process left is finished or removed.

    Args:
        folder: Whose files are to be replaced; it is made if absent.
        manifest: Name of the file that makes a set whole.
        known: Names of files that a set may have.
    """
    _finish(folder, manifest, known)
    staging = folder / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


def succeed(folder: Path, manifest: str, known: Collection[str]) -> None:
    """Let the new files, manifest and all, take the place of the old; others stay."""
    sync_folder(folder / STAGING)
    (folder / STAGING).rename(folder / SUCCESSOR)
    sync_folder(folder)
    _finish(folder, manifest, known)


def _finish(folder: Path, manifest: str, known: Collection[str]) -> None:
    """Put the files of a successor, if there is one, where the old ones lie."""
    ready = folder / SUCCESSOR
    if (ready / manifest).is_file():
        names = [path.name for path in ready.iterdir()]
        for name in sorted(names, key=lambda name: name == manifest):
            _put(ready / name, folder / name)
        for name in set(known).difference(names):
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
        (ready / manifest).unlink()  # from now on the folder itself is what readers take
    shutil.rmtree(ready, ignore_errors=True)


def _put(file: Path, place: Path) -> None:
    """Let a file be found in another place too, in one step."""
    with atomic_write(place) as temporary:
        temporary.unlink()
        try:
            os.link(file, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(file, temporary)


def _state(folder: Path, manifest: str) -> list[bytes]:
    """Return what changes with each step that readers may notice."""
    state = []
    for place in (folder / SUCCESSOR, folder):
        content = b""
        with suppress(OSError):
            content = (place / manifest).read_bytes()
        state.append(content)
    return state
