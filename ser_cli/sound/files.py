"""What the user names -> audio files: files, folders and patterns, in the order given."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from ser_cli import addresses
from ser_cli.remarks import counted, listed, remark
from ser_cli.sound.sniff import is_sound
from ser_cli.types import Turn

STDIN = "-"  # stands for standard input, as in many commands
Passed = Counter[str]  # how many files were passed over, by their ending


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, or what is wrong with what was named.

    Attributes:
        file: Its name.
        error: What is wrong.
        root: The folder that was named, where it was found below one.
        speaker: Who speaks in it, where that is known.
        parts: Those of it that are heard, by their starts; without any, all of it is.
        version: Of a file elsewhere: another text once its content is another.
    """

    file: str
    error: str = ""
    root: str = ""
    speaker: str = ""
    parts: tuple[Turn, ...] = ()
    version: str = ""

    @property
    def name(self) -> str:
        """How rows and messages call it."""
        return "stdin" if self.file == STDIN else self.file

    @property
    def key(self) -> str:
        """What tells it from all others: the file, and whatever else its rows depend on.

        No name of a file holds the sign that ends it here.
        """
        if not (self.speaker or self.parts):
            return self.file
        return f"{self.file}\0{self.speaker}\0{[astuple(part) for part in self.parts]}"


def find(paths: Iterable[str | Path], passed: Passed | None = None) -> Iterator[Found]:
    """Yield the files that are meant.

    A folder stands for all files of sound below it, sorted, without hidden ones; what they are is
    told by their endings, or else by their first bytes. A pattern (`*`, `?`, `[...]`, `**` for any
    depth) stands for what it matches, also where no shell has expanded it. A file that is named is
    taken whatever it is. Addresses of stores and servers stand for the same (see `elsewhere`).

    Args:
        paths: As typed. Nothing is dropped: what stands for no file yields an error.
        passed: Counts the files that are no sound.

    Raises:
        SerError: An address is not followed, or its store cannot be asked.
    """
    passed = Passed() if passed is None else passed
    for path in map(addresses.checked, map(str, paths)):
        if not path:  # it would be this folder
            yield Found(path, "the name is empty")
        elif addresses.is_url(path):
            from ser_cli.sound import remote_files

            yield from remote_files.find(path, passed)
        elif Path(path).is_dir():
            yield from _below(path, passed)
        elif Path(path).exists() or not glob.has_magic(path):
            yield Found(path)
        else:
            yield from _matching(path, passed)


def audio_files(folder: Path, passed: Passed | None = None) -> tuple[Path, ...]:
    """List the sound files below a folder by file name, then path: the same on every machine."""
    found = walk(folder, passed=passed)
    return tuple(sorted(found, key=lambda path: (path.name, path.relative_to(folder).as_posix())))


def tell(where: str | Sequence[str], passed: Passed) -> None:
    """Say how many files were passed over, and what they are called."""
    if passed:
        place = where if isinstance(where, str) else listed(where)
        over = counted(passed.total(), "file that is", "files that are")
        kinds = listed([f"{ending or 'no ending'} {n}" for ending, n in passed.most_common()])
        remark(f"{place}: passed over {over} no sound: {kinds}")


def walk(
    folder: str | Path, closed: list[OSError] | None = None, passed: Passed | None = None
) -> Iterator[Path]:
    """Yield the sound files below a folder, sorted folder by folder.

    Links to folders are followed, and no folder is entered twice. Hidden files and folders, the
    "._x.wav" shadows that macOS leaves among them, are passed over.

    Args:
        folder: Where to look.
        closed: Is told of the folders that cannot be read.
        passed: Counts the files that are no sound.
    """
    note = closed.append if closed is not None else None
    entered = set()
    for place, folders, files in os.walk(folder, onerror=note, followlinks=True):
        if (own := os.path.realpath(place)) in entered:
            folders.clear()
            continue
        entered.add(own)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith("."):
                continue
            if is_sound(path := Path(place, name)):
                yield path
            elif passed is not None:
                passed[path.suffix.lower()] += 1


def _below(folder: str, passed: Passed) -> Iterator[Found]:
    closed: list[OSError] = []
    empty = True
    for path in walk(folder, closed, passed):
        empty = False
        yield Found(str(path), root=folder)
    for error in closed:
        yield Found(str(error.filename), f"the folder cannot be read ({error.strerror})")
    if empty and not closed:
        yield Found(folder, "there is no audio file in this folder")


def _matching(pattern: str, passed: Passed) -> Iterator[Found]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - takes absolute ones
    # `**` matches folders and the files in them: each file once.
    folders = [] if "**" in pattern else [match for match in matches if Path(match).is_dir()]
    files = [match for match in matches if Path(match).is_file() and is_sound(Path(match))]
    for match in sorted(folders + files):
        if match in folders:
            yield from _below(match, passed)
        else:
            yield Found(match)
    if not folders and not files:
        yield Found(pattern, "no audio file matches this")
