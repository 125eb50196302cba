"""One command at a time writes into a folder; the system's own locks end with their process.

The file that is locked lies in that folder, and states for the others who holds it.
"""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ser_cli.errors import SerError
from ser_cli.remarks import remark

LOCK = ".lock"

_WAIT_S = 0.1  # from one try to the next
_PLACE = 2**40  # the byte that is locked: Windows lets nobody read one that is


class BusyError(SerError):
    """Another command writes there."""


@contextmanager
def held(folder: Path, *, hint: str, name: str = LOCK, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a folder, so that no other command writes there; it is made if absent.

    Where a lock cannot be had at all, as on some network file systems, that is said.

    Args:
        folder: What is written to.
        hint: What else the user can do than wait.
        name: Of the file that is locked, where not all of the folder is meant.
        wait_s: Seconds to wait for another command.

    Raises:
        BusyError: Another command holds it.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    file, until = folder / name, time.monotonic() + wait_s
    while (stream := _locked(file)) is None:
        if time.monotonic() >= until:
            raise BusyError(
                f"{folder} is in use by {_holder(file)}", hint=f"wait until that has ended; {hint}"
            )
        time.sleep(_WAIT_S)
    try:
        yield
    finally:
        _release(file, stream)
        with suppress(OSError):  # it holds something
            for place in made:
                place.rmdir()


def _locked(file: Path) -> BinaryIO | None:
    """Return the file, open and locked; None where another process has it."""
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = file.open("a+b")
        except (FileNotFoundError, FileExistsError):
            if _stands_in_the_way(file.parent):
                raise
            continue  # the folder came or went meanwhile, with another that had made it
        try:
            take(stream.fileno())
        except (BlockingIOError, PermissionError):
            stream.close()
            return None
        except OSError as error:
            remark(f"{file.parent} cannot be locked ({error.strerror}): run no other command on it")
        if _is_same(file, stream):
            break
        stream.close()  # its holder has removed it meanwhile
    stream.truncate(0)
    stream.write(json.dumps(_this_process()).encode())
    stream.flush()
    return stream


def _stands_in_the_way(folder: Path) -> bool:
    """Return whether something that is no folder has its name, at one look."""
    try:
        return not stat.S_ISDIR(folder.lstat().st_mode)
    except FileNotFoundError:
        return False


def take(descriptor: int) -> None:
    """Lock an open file for this process alone, until it is closed.

    Raises:
        OSError: Another has it (BlockingIOError or PermissionError), or there are no locks here.
    """
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_END)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_same(file: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _release(file: Path, stream: BinaryIO) -> None:
    """Remove the file while nobody else can hold it; Windows removes none that is open."""
    if sys.platform == "win32":
        stream.close()
    else:
        file.unlink(missing_ok=True)
        stream.close()


def _this_process() -> dict[str, object]:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": platform.node(), "since": now}


def _holder(file: Path) -> str:
    """Describe who holds a lock, as far as that is known."""
    try:
        told = json.loads(file.read_bytes())
        return f"process {told['pid']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another command"
