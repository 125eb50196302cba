"""Where clips begin and end in their files, as tables state it: in seconds, or as a clock does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.errors import AudioError, DataError
from ser_cli.remarks import counted, listed, plural

if TYPE_CHECKING:
    from ser_cli.data.tables import Table

Bounds = tuple[float, float | None]  # seconds at which a clip begins and ends; None: with its file
WHOLE: Bounds = (0.0, None)

NAMED = 50  # rows at fault that an error lists
SAME_S = 0.01  # seconds by which the end of a whole file may be stated too early
_BEGINS = ("start", "start_time", "begin", "begin_time", "onset")
_ENDS = ("end", "end_time", "finish", "finish_time", "offset", "stop")
_LENGTH = "duration"
# As pandas writes a Timedelta, with days before it, and as clocks show it.
_CLOCK = re.compile(r"(?:(\d+) days?)? ?(?:(?:(\d+):)?(\d+):(\d+(?:\.\d+)?))?")


def columns(table: Table) -> dict[str, str | None]:
    """Return under which names a table states start and end (or duration) of its clips.

    A duration alone is that of a whole file.

    Raises:
        DataError: It states but one of the two.
    """
    names = table.header
    begin = next((name for name in _BEGINS if name in names), None)
    if not begin and "offset" in names and _LENGTH in names:
        begin = "offset"
    end = next((name for name in _ENDS if name in names and name != begin), None)
    length = _LENGTH if begin and not end and _LENGTH in names else None
    if bool(begin) != bool(end or length):
        raise DataError(
            f"{table.file} states where clips {'begin' if begin else 'end'} in their files "
            f"({begin or end}), and not where they {'end' if begin else 'begin'}",
            hint="add the column end, or start; or rename the column if it means something else",
        )
    return {"start": begin, "end": end, "duration": length}


def read(
    table: Path, paths: Sequence[Path] | None, rows: Sequence[tuple[int, Mapping[str, str]]]
) -> list[Bounds]:
    """Return where the clip of each row begins and ends.

    Args:
        table: For messages.
        paths: File of each row; None leaves it to its reader whether it is so long.
        rows: Line numbers, and cells by the names that `columns` gives.

    Raises:
        DataError: Some are no times, end before they begin or after their files; it lists them.
    """
    lengths: dict[Path, float] = {}
    found, wrong = [], []
    whole: Sequence[Path | None] = [None] * len(rows) if paths is None else paths
    for path, (number, row) in zip(whole, rows, strict=True):
        try:
            bounds = stated(row)
            found.append(bounds if path is None else _checked(bounds, path, lengths))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        name = plural(len(wrong), "names no part of its file", "name no part of their file")
        raise DataError(
            f"{table}: {len(wrong)} of {counted(len(rows), 'row')} {name}: "
            f"{listed(wrong, most=NAMED)}",
            hint="start and end are seconds from the beginning of the file; rename the columns if "
            "they mean something else",
        )
    return found


def stated(row: Mapping[str, str]) -> Bounds:
    """Return where the clip of a row begins and ends; ValueError where it does not."""
    start, end, length = (row.get(name, "") for name in ("start", "end", "duration"))
    if not start and (end or length):
        raise ValueError("it has no start")
    begins = seconds(start) if start else 0.0
    ends = seconds(end) if end else None
    if length:
        ends = round(begins + seconds(length), 6)
    if ends is not None and ends <= begins:
        raise ValueError(f"it begins at {begins:g} s and ends at {ends:g} s")
    return begins, ends


def seconds(text: str) -> float:
    """Return a time in seconds, to the microsecond.

    >>> seconds("1,5"), seconds("0 days 00:00:01.500000"), seconds("1:02.5")
    (1.5, 1.5, 62.5)
    """
    plain = text.replace(",", ".")
    try:
        found = float(plain)
    except ValueError:
        clock = _CLOCK.fullmatch(plain)
        if clock is None:
            raise ValueError(f"{text!r} is no time") from None
        days, hours, minutes, rest = (float(part or 0) for part in clock.groups())
        found = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{text!r} is no time in a file")
    return round(found, 6)


def _checked(bounds: Bounds, path: Path, lengths: dict[Path, float]) -> Bounds:
    """Return the same, WHOLE where that is all of the file."""
    start, end = bounds
    if bounds == WHOLE:
        return bounds
    from ser_cli.sound.segments import ROUNDING_S

    if path not in lengths:
        lengths[path] = _length(path)
    whole = lengths[path]
    if start >= whole or (end or 0.0) > whole + ROUNDING_S:
        until = "on" if end is None else f"to {end:g} s"
        raise ValueError(f"from {start:g} s {until}, and {path.name} has {whole:.2f} s")
    return WHOLE if not start and end and end >= whole - SAME_S else bounds


def _length(path: Path) -> float:
    from ser_cli.sound import audio

    try:
        return audio.measure(path)[1]
    except AudioError:  # it is told where its sound is asked for
        return math.inf
