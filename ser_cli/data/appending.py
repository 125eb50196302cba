"""Files that are only added to, by one process: a piece is in them whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from ser_cli.data import locks


class Appending:
    """A file open at its end.

    Attributes:
        size: Its bytes.
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        """Open a file, which is made if absent, and cut off what stands behind `size` bytes.

        Raises:
            OSError: It cannot be written.
        """
        self._stream = open(_descriptor(path), "r+b", buffering=0)  # noqa: SIM115
        self.size = self._stream.seek(0, os.SEEK_END)
        if size is not None and size != self.size:
            self.cut(size)

    def write(self, piece: bytes) -> None:
        """Add a piece; where the disk is full, nothing of it stays.

        Raises:
            OSError: It cannot be written.
        """
        left = memoryview(piece)
        try:
            while left:
                left = left[self._stream.write(left) or 0 :]
        except BaseException:
            self.cut(self.size)
            raise
        self.size += len(piece)

    def cut(self, size: int) -> None:
        """Leave only so many bytes."""
        self._stream.truncate(size)
        self.size = self._stream.seek(size)

    def sync(self) -> None:
        """Wait until it is on the disk."""
        os.fsync(self._stream.fileno())

    def lock(self) -> bool:
        """Keep other processes out until it is closed; return whether none was in."""
        try:
            locks.take(self._stream.fileno())
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # this file system knows no locks
            return True
        return True

    def close(self) -> None:
        """Close it."""
        self._stream.close()


def _descriptor(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
