"""What a program hands over -> recordings: files, their bytes, and waveforms of any library.

Whatever can be meant in one way alone is taken; the rest is a TypeError that says what to do.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from ser_cli.data.corpora.table import NAMES
from ser_cli.data.inputs import inputs, of_table
from ser_cli.data.tables import Table
from ser_cli.errors import UsageError
from ser_cli.remarks import listed
from ser_cli.sound.files import STDIN, Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

IN_MEMORY = 2**23  # bytes of standard input; more goes to a temporary file
FRAME = "DataFrame"  # what messages call one
_USAGE = (
    "give a file, a folder, bytes, an open binary file, a waveform with sample_rate=Hz, or a list "
    "of these"
)


@dataclass(frozen=True, slots=True)
class Waveform:
    """A sound in memory, as it was handed over, and its rate in Hz."""

    name: str
    samples: NDArray[Any]
    sample_rate: int


class _Spooled(SpooledTemporaryFile[bytes]):
    """What came from standard input, in memory as far as it is small."""

    name = "stdin"


class _Bytes(io.BytesIO):
    """The bytes of a file, with a name to tell them by."""

    def __init__(self, content: bytes | bytearray | memoryview, name: str) -> None:
        super().__init__(content)
        self.name = name


def read_ahead(items: Iterable[Found]) -> Iterator[Found]:
    """Yield files as they are, once standard input, where it is named, was read.

    Raises:
        UsageError: Standard input is a terminal.
    """
    for item in items:
        if item.file == STDIN:
            standard_input()
        yield item


@lru_cache(maxsize=1)
def standard_input() -> BinaryIO:
    """Return what comes from standard input, read to its end once.

    Raises:
        UsageError: It is a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            f"{STDIN} is standard input, and nothing is piped into it",
            hint=f"cat clip.wav | ser predict {STDIN}, or ./{STDIN} for a file of that name",
        )
    spooled = _Spooled(max_size=IN_MEMORY)
    shutil.copyfileobj(sys.stdin.buffer, spooled)
    return cast("BinaryIO", spooled)


def recordings(sources: Any, sample_rate: int | None) -> Iterator[Found | BinaryIO | Waveform]:
    """Yield what is meant by one source, or by each of several.

    Args:
        sources: A file, a folder or a pattern; bytes; an open binary file; a waveform (an array of
            one or two dimensions, a list of numbers, or (rate, array)); an array, list, Series or
            generator of such; a DataFrame with a column `file` or `path`.
        sample_rate: Hz of waveforms that come without their rate.

    Raises:
        TypeError: It is nothing of that kind.
        UsageError: A waveform comes without its rate.
    """
    items = [sources] if _is_one(sources) else _many(sources)
    for number, item in enumerate(items):
        yield from _recording(item, number, sample_rate)


def _is_one(source: Any) -> bool:
    files = isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview))
    if files or hasattr(source, "read"):
        return True
    if hasattr(source, "__array__") and not hasattr(source, "iloc"):
        return _is_numeric(np.asarray(source))
    return _is_pair(source) or _is_numbers(source)


def _is_numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "fiu"


def _is_pair(source: Any) -> bool:
    """Tell whether it is (rate, samples), as scipy and Gradio have it."""
    pair = isinstance(source, tuple) and len(source) == 2
    return pair and isinstance(source[0], Real) and not isinstance(source[1], Real)


def _is_numbers(source: Any) -> bool:
    listed = isinstance(source, (list, tuple)) and len(source) > 1
    return listed and all(isinstance(value, Real) for value in source)


def _many(sources: Any) -> Iterable[Any]:
    if hasattr(sources, "columns"):
        table = _table(sources)
        return of_table(table) if table.rows else ()
    if isinstance(sources, Mapping) or not isinstance(sources, Iterable):
        raise TypeError(f"{type(sources).__name__} is no recording: {_USAGE}")
    return sources


def _table(frame: Any) -> Table:
    """Return a DataFrame as a table of text; names of its index are columns too, as in audformat.

    Raises:
        TypeError: It holds something else than names of files.
    """
    if any(getattr(getattr(frame, "index", None), "names", ())):
        frame = frame.reset_index()
    if len({str(name).strip().lower() for name in frame.columns}) < len(frame.columns):
        raise TypeError("a table of files has two columns of one name")
    columns = {str(name).strip().lower(): list(frame[name]) for name in frame.columns}
    files = next((columns[name] for name in ("file", *NAMES["file"]) if name in columns), None)
    if files is None:
        raise TypeError("a table of files needs a column file or path")
    if odd := [type(one).__name__ for one in files if not isinstance(one, (str, os.PathLike))]:
        raise TypeError(f"a table of files needs their names, not {listed(odd)}")
    rows = zip(*columns.values(), strict=True)
    cells = [{n: str(cell) for n, cell in zip(columns, row, strict=True)} for row in rows]
    return Table(Path(FRAME), tuple(columns), tuple(enumerate(cells, start=1)))


def _recording(
    item: Any, number: int, sample_rate: int | None
) -> Iterator[Found | BinaryIO | Waveform]:
    if isinstance(item, Found):
        yield item
    elif isinstance(item, (str, os.PathLike)):
        yield from inputs([os.fspath(item)])
    elif isinstance(item, (bytes, bytearray, memoryview)):
        yield _Bytes(item, f"bytes[{number}]")
    elif hasattr(item, "read"):
        yield item
    else:
        yield _waveform(item, number, sample_rate)


def _waveform(item: Any, number: int, sample_rate: int | None) -> Waveform:
    rate, samples = item if _is_pair(item) else (sample_rate, item)
    array = np.asarray(samples) if hasattr(samples, "__array__") or _is_numbers(samples) else None
    if array is None or not _is_numeric(array):
        raise TypeError(f"{type(item).__name__} is no recording: {_USAGE}")
    if rate is None:
        raise UsageError("sample_rate is missing", hint="predict(waveform, sample_rate=Hz)")
    return Waveform(f"waveform[{number}]", array, int(rate))
