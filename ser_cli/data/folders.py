"""A folder whose files are written whole or not at all, wherever it is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from ser_cli.data import locks
from ser_cli.data.store import atomic_write


class Folder(Protocol):
    """Where files are; it travels to other processes."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def names(self, below: str = "") -> set[str]:
        """Return the names of its files and folders, or of those of a folder below it."""

    def open(self, name: str) -> BufferedReader:
        """Open a file to read.

        Raises:
            FileNotFoundError: There is none.
        """

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Yield a file of this machine that becomes the named one if the block succeeds."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def held(self, *, hint: str) -> AbstractContextManager[None]:
        """Keep other commands out, where that is possible."""


def folder(path: str) -> Folder:
    """Return the folder of this name."""
    return Local(Path(path).absolute(), path)


@dataclass(frozen=True, slots=True)
class Local:
    """A folder of this machine, made when it is held."""

    path: Path
    name: str

    def names(self, below: str = "") -> set[str]:
        """List it."""
        place = self.path / below
        return {path.name for path in place.iterdir()} if place.is_dir() else set()

    def open(self, name: str) -> BufferedReader:
        """Open a file of it."""
        return (self.path / name).open("rb")

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Write beside the file, then take its place."""
        return atomic_write(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file of it."""
        (self.path / name).unlink(missing_ok=True)

    def held(self, *, hint: str) -> AbstractContextManager[None]:
        """Lock it."""
        return locks.held(self.path, hint=hint)
