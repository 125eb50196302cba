"""What the user names -> audio files: files, folders and patterns, in the order given."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ser_cli.sound.audio import EXTENSIONS


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, or what is wrong with what was named."""

    file: str
    error: str = ""


def find(paths: Iterable[str | Path]) -> Iterator[Found]:
    """Yield the files that are meant.

    A folder stands for all audio files below it, sorted, without hidden ones. A pattern
    (`*`, `?`, `[...]`, `**` for any depth) stands for what it matches, also where no shell
    has expanded it. A file that is named is taken whatever its name.

    Args:
        paths: As typed. Nothing is dropped: what stands for no file yields an error.
    """
    for path in map(str, paths):
        if Path(path).is_dir():
            yield from _below(path)
        elif Path(path).exists() or not glob.has_magic(path):
            yield Found(path)
        else:
            yield from _matching(path)


def audio_files(folder: Path) -> tuple[Path, ...]:
    """List the sound files below a folder by file name, then path: the same on every machine."""
    return tuple(
        sorted(walk(folder), key=lambda path: (path.name, path.relative_to(folder).as_posix()))
    )


def walk(folder: str | Path, closed: list[OSError] | None = None) -> Iterator[Path]:
    """Yield the sound files below a folder, sorted folder by folder.

    Hidden files and folders, the "._x.wav" shadows that macOS leaves among them, are passed over.

    Args:
        folder: Where to look.
        closed: Is told of the folders that cannot be read.
    """
    tell = closed.append if closed is not None else None
    for place, folders, files in os.walk(folder, onerror=tell):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(filter(_is_audio, files)))


def _below(folder: str) -> Iterator[Found]:
    closed: list[OSError] = []
    empty = True
    for path in walk(folder, closed):
        empty = False
        yield Found(str(path))
    for error in closed:
        yield Found(str(error.filename), f"the folder cannot be read ({error.strerror})")
    if empty and not closed:
        yield Found(folder, "there is no audio file in this folder")


def _matching(pattern: str) -> Iterator[Found]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - takes absolute ones
    # `**` matches folders and the files in them: each file once.
    folders = [] if "**" in pattern else [match for match in matches if Path(match).is_dir()]
    files = [match for match in matches if _is_audio(match) and Path(match).is_file()]
    for match in sorted(folders + files):
        if match in folders:
            yield from _below(match)
        else:
            yield Found(match)
    if not folders and not files:
        yield Found(pattern, "no audio file matches this")


def _is_audio(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
