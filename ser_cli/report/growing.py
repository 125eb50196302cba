"""A result file that grows recording by recording, and of which all that is still right stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ser_cli.data.appending import Appending
from ser_cli.data.store import atomic_write


class Growing:
    """What is written is compared with what stands there; from the first difference on, it is new.

    What a killed run left behind its last known state is cut off and written again. Where more
    would be lost, the file stays as it is, and its successor takes its place at the end.
    """

    def __init__(
        self, path: Path, head: bytes, *, known: int, anew: bool, before: Callable[[], None]
    ) -> None:
        """Look at a file; it is changed when the first piece differs.

        Args:
            path: It, or where it is to be.
            head: What it begins with.
            known: Bytes of it that are worth keeping.
            anew: Whether nothing of it is.
            before: Is called before it is changed for the first time.
        """
        self.path = path
        self.size, self._hash = len(head), hashlib.sha256(head)
        self._head, self._known, self._before = head, known, before
        self._base: tuple[int, str] | None = None  # what old and new file have in common
        self._new: Appending | None = None
        self._old = None if anew else _begins(path, head)

    @property
    def state(self) -> tuple[int, str]:
        """The bytes that are in the file, if not more, and their SHA-256."""
        return self._base or (self.size, self._hash.hexdigest())

    @property
    def start(self) -> tuple[int, str]:
        """The same of its head alone."""
        return len(self._head), hashlib.sha256(self._head).hexdigest()

    def write(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            OSError: It cannot be written; nothing of it is.
        """
        if self._new or not (self._old and self._old.read(len(piece)) == piece):
            self._open().write(piece)
        self.size += len(piece)
        self._hash.update(piece)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Add several pieces, or none of them where one fails."""
        size, digest = self.size, self._hash.copy()
        try:
            yield
        except BaseException:
            self.size, self._hash = size, digest
            if self._new:
                self._new.cut(size)
            raise

    def sync(self) -> None:
        """Wait until it is on the disk."""
        if self._new:
            self._new.sync()

    def finish(self) -> None:
        """Let the file hold what was written and nothing else; wait until it is on the disk."""
        if not self._new and not (self._old and not self._old.read(1)):
            self._open()
        self.sync()
        replaces, self._base = self._base is not None, None
        self.close()
        if replaces:
            self._successor.replace(self.path)
        self._successor.unlink(missing_ok=True)  # of a run that was killed

    def close(self) -> None:
        """Leave the file as it is: what was added stays, and a successor is dropped."""
        for stream in (self._new, self._old):
            if stream:
                stream.close()
        self._new = self._old = None
        if self._base:
            self._base = None
            self._successor.unlink(missing_ok=True)

    @property
    def _successor(self) -> Path:
        return self.path.with_name(f".{self.path.name}.new")

    def _open(self) -> Appending:
        """Return what takes the next piece."""
        if self._new:
            return self._new
        self._before()
        if self._old is None:
            with atomic_write(self.path) as temporary:
                temporary.write_bytes(self._head)
            self._new = Appending(self.path)
        elif self.size >= self._known:
            self._new = Appending(self.path, self.size)
        else:
            self._base = self.state
            self._new = Appending(self._successor, 0)
            self._copy(self._new)
        return self._new

    def _copy(self, new: Appending) -> None:
        assert self._old
        self._old.seek(0)
        left = self.size
        while piece := self._old.read(min(left, 2**20)):
            new.write(piece)
            left -= len(piece)


def digest_of(path: Path, size: int) -> str:
    """Return the SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while size and (piece := stream.read(min(size, 2**20))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest() if not size else ""


def exists(path: Path) -> bool:
    """Tell whether there is a file with something in it."""
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116
    except OSError:
        return False


def _begins(path: Path, head: bytes) -> BinaryIO | None:
    """Return a file that begins so, read as far; None where there is none."""
    if not exists(path):
        return None
    stream = path.open("rb")
    if stream.read(len(head)) == head:
        return stream
    stream.close()
    return None
