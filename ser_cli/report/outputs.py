"""The files that `ser predict` writes: one of all rows, or one for each recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data import mirror
from ser_cli.data.store import atomic_write, need_folder
from ser_cli.disarm import ERRORS
from ser_cli.errors import UsageError
from ser_cli.remarks import remark
from ser_cli.report.formats import FORMATS, Format, format_of
from ser_cli.report.growing import Growing, exists
from ser_cli.sound.sniff import ENDINGS

if TYPE_CHECKING:
    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction

    Rows = Sequence[Prediction]

EACH = "%"  # in the name of an output: the name of each recording


@dataclass(frozen=True, slots=True)
class Target:
    """An output that was asked for.

    Attributes:
        path: The file; with "%" in its name, a file for each recording.
        format: How it is written.
        each: Whether a file holds one recording.
    """

    path: Path
    format: Format
    each: bool

    def __str__(self) -> str:
        """Return what a user calls it."""
        return mirror.shown(self.path)

    @property
    def url(self) -> str:
        """Where it is sent at the end; "" if it stays here."""
        return mirror.url_of(self.path)

    @property
    def through(self) -> bool:
        """Whether it is a pipe or a device, of which nothing is kept."""
        return not self.each and self.path.exists() and not self.path.is_file()

    def path_of(self, found: Found) -> Path:
        """Return the file of a recording; the folders below the one that was named are kept."""
        if EACH not in self.path.name:
            return self.path
        source = Path(found.file)
        below = source.relative_to(found.root).parent if found.root else Path()
        return self.path.parent / below / self.path.name.replace(EACH, source.stem)


def targets(csv: Path | None, out: Iterable[Path]) -> list[Target]:
    """Return the outputs that are meant.

    Args:
        csv: A file that is CSV, whatever it is called.
        out: Files whose endings say what they are.

    Raises:
        UsageError: One is named like a recording, like no format, or like another.
        SerError: There can be no such folder.
    """
    found = [Target(csv, FORMATS[".csv"], each=False)] if csv else []
    for path in out:
        made = format_of(path)
        found.append(Target(path, made, each=EACH in path.name or not made.joint))
    paths = [target.path.absolute() for target in found]
    for path in paths:
        if EACH in path.name and mirror.url_of(path):
            raise UsageError(
                f"{mirror.shown(path)}: a file for each recording is written here alone",
                hint=f"--out 'labels/{path.name}', and copy that folder afterwards",
            )
        if path.suffix.lower() in ENDINGS:
            raise UsageError(f"{path} is named like a recording", hint="--csv out.csv")
        if paths.count(path) > 1:
            raise UsageError(f"{path} is named twice", hint="name another file for one of them")
    for target in found:
        if not target.through:
            need_folder(target.path.parent)
    return found


class Joint:
    """One file of all rows."""

    def __init__(self, target: Target, classes: Sequence[str], growing: Growing) -> None:
        """Take the file that grows."""
        self.target, self.growing = target, growing
        self._classes = classes

    def write(self, found: Found, rows: Rows, formers: Iterable[Rows]) -> None:
        """Add the rows of a recording, or nothing of it."""
        with self.growing.together():
            for text in self.target.format.recording(rows, self._classes):
                self.growing.write(text.encode("utf-8", ERRORS))

    def close(self) -> None:
        """Leave the file as far as it is."""
        self.growing.close()


class Each:
    """A file for each recording; one without sound has none."""

    def __init__(self, target: Target, classes: Sequence[str], *, force: bool) -> None:
        """Take what is asked for; `force` overwrites what a person has changed."""
        self.target, self._classes, self._force = target, classes, force
        self._sources: dict[Path, Found] = {}

    def plan(self, found: Found, *, known: bool) -> None:
        """Refuse a recording whose file would be another's, or is there and not `known`.

        Raises:
            UsageError: That is so.
        """
        path = self.target.path_of(found)
        first = self._sources.setdefault(path, found)
        if first.file == found.file and first.key != found.key:
            raise UsageError(
                f"{path} would be of several runs of parts of {found.file}",
                hint="sort the table by file and start: a file's parts go into one output then",
            )
        if (other := first.file) != found.file:
            above = "name the folder above both instead: its folders are kept"
            name = f"--out '{path.with_stem(EACH)}'"
            hint = above if EACH in self.target.path.name else name
            raise UsageError(f"{path} would be of {other} and of {found.file}", hint=hint)
        if exists(path) and not known and not self._force:
            raise UsageError(unknown(path), hint="--force writes it anew")

    def write(self, found: Found, rows: Rows, formers: Iterable[Rows]) -> None:
        """Write the file of a recording, unless a person has changed it since it was written."""
        if all(row.status == "error" for row in rows):
            return
        path, content = self.target.path_of(found), self._content(rows)
        if exists(path) and not self._force:
            there = path.read_bytes()
            if there == content:
                return
            if all(there != self._content(former) for former in formers):
                remark(f"{path} was changed since and is left as it is; --force writes it anew")
                return
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)

    def close(self) -> None:
        """Do nothing: each file was whole at once."""

    def _content(self, rows: Rows) -> bytes:
        made = self.target.format
        if made.whole:
            return made.whole(rows, self._classes)
        text = made.head(self._classes) + "".join(made.recording(rows, self._classes))
        return text.encode("utf-8", ERRORS)


class Through:
    """A pipe or a device that rows go to."""

    def __init__(self, target: Target, classes: Sequence[str]) -> None:
        """Open it."""
        self.target, self._classes = target, classes
        self._stream = target.path.open("wb", buffering=0)
        self._stream.write(target.format.head(classes).encode("utf-8", ERRORS))

    def write(self, found: Found, rows: Rows, formers: Iterable[Rows]) -> None:
        """Send the rows of a recording."""
        for text in self.target.format.recording(rows, self._classes):
            self._stream.write(text.encode("utf-8", ERRORS))

    def close(self) -> None:
        """Close it."""
        self._stream.close()


def unknown(path: Path | Target) -> str:
    """Return what is wrong with a file that is there and that no journal knows."""
    return f"{path} is there already, and no journal says that `ser predict` wrote it"
