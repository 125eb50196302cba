"""Kept files of arrays (.npy, .npz) that disks and power cuts may have damaged."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ser_cli.remarks import remark


def lacking(files: Iterable[Path], *, what: str) -> set[Path]:
    """Return the files that are to be made: absent ones, and damaged ones, of which is told.

    Args:
        files: Where they are kept.
        what: Names them in the plural.
    """
    # Asked for first: another process may be making them.
    there = {file: file.exists() for file in files}
    absent = {file for file in there if not is_whole(file)}
    if damaged := sum(there[file] for file in absent):
        remark(f"{what} that were kept are damaged ({damaged} of them): they are made again")
    return absent


def is_whole(file: Path) -> bool:
    """Whether a file is there and has all its bytes; those of .npz are compared with checksums."""
    try:
        return _is_npz(file) if file.suffix == ".npz" else _is_npy(file)
    except (OSError, ValueError, EOFError, SyntaxError, zipfile.BadZipFile):
        return False


def _is_npy(file: Path) -> bool:
    with file.open("rb") as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        size = stream.tell() + math.prod(shape) * dtype.itemsize
    return not dtype.hasobject and file.stat().st_size == size


def _is_npz(file: Path) -> bool:
    with zipfile.ZipFile(file) as zipped:
        return zipped.testzip() is None
