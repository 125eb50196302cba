"""An open file as libsndfile reads it, which takes an error for the end of the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from ser_cli.types import Floats


class WatchedFile(io.RawIOBase):
    """Reads another file, and keeps what goes wrong until somebody asks.

    What is raised while libsndfile asks for bytes would be printed, and the sound cut there.
    """

    def __init__(self) -> None:
        """Read nothing yet."""
        self._file: BinaryIO | None = None
        self._error: Exception | None = None

    def over(self, file: Path | BinaryIO) -> Path | BinaryIO:
        """Return a file to be read: a path as it is, and an open file through this one."""
        if isinstance(file, Path):
            return file
        file.seek(0)
        self._file = file
        return cast("BinaryIO", self)

    def check(self) -> None:
        """Raise what went wrong."""
        if self._error:
            raise self._error

    def checked(self, blocks: Iterator[Floats]) -> Iterator[Floats]:
        """Yield blocks of sound, and raise what went wrong before or after one."""
        for block in blocks:
            self.check()
            yield block
        self.check()

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is room for; nothing where that fails."""
        assert self._file
        try:
            part = self._file.read(len(buffer))
        except Exception as error:
            self._error = error
            return 0
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        assert self._file
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        assert self._file
        return self._file.tell()
