"""A folder whose files are written whole or not at all: on this machine, or behind an address.

What is behind an address (`s3://bucket/out`) is reached through fsspec, and the library that it
takes for each kind of store; a file is put there once it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from ser_cli import remote
from ser_cli.addresses import is_url
from ser_cli.data import locks
from ser_cli.data.store import atomic_write
from ser_cli.errors import SerError


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
    """Return the folder that a path or an address names."""
    return Remote(path.rstrip("/")) if is_url(path) else Local(Path(path).absolute(), path)


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


@dataclass(frozen=True, slots=True)
class Remote:
    """A folder behind an address. A store knows no locks; two runs write the same there."""

    name: str

    def names(self, below: str = "") -> set[str]:
        """List it, whatever was known of it before."""
        with self._system(below) as (system, place):
            try:
                found = system.ls(place, detail=False)
            except FileNotFoundError:
                return set()
        return {one.rstrip("/").rpartition("/")[2] for one in found if one.strip("/") != place}

    def open(self, name: str) -> BufferedReader:
        """Open a file of it."""
        with self._system(name) as (system, place):
            return BufferedReader(system.open(place, "rb"))

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Write on this machine, then put it there."""
        with TemporaryDirectory(prefix="ser-") as room:
            temporary = Path(room, name.rpartition("/")[2])
            yield temporary
            try:
                with self._system(name) as (system, place):
                    system.put_file(str(temporary), place)
            except FileNotFoundError as error:
                raise SerError(
                    f"{self.name} cannot be written to: there is no such place",
                    hint="make the bucket first, or check its name",
                ) from error

    def remove(self, name: str) -> None:
        """Remove a file of it."""
        with self._system(name) as (system, place), suppress(FileNotFoundError):
            system.rm_file(place)

    def held(self, *, hint: str) -> AbstractContextManager[None]:
        """Let others in."""
        return nullcontext()

    def _system(self, below: str) -> AbstractContextManager[tuple[Any, str]]:
        """Ask the store about a file, or the folder; see `remote.asked`."""
        return remote.asked(f"{self.name}/{below}".rstrip("/"))
