"""Who speaks when in a recording, as diarization systems write it: RTTM, or a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ser_cli.data import bounds, tables
from ser_cli.errors import DataError
from ser_cli.sound.sniff import ENDINGS
from ser_cli.types import Turn

_RTTM_FIELDS = 8  # of a line: SPEAKER file channel start duration <NA> <NA> speaker ...
_HINT = "an RTTM, or a table with the columns start, end and speaker"


def read(file: Path) -> Mapping[str, tuple[Turn, ...]]:
    """Return the turns of each recording, by the `stem` of its file, sorted by their starts.

    Those of a table without a column `file` are under "": they are any recording's.

    Raises:
        DataError: It cannot be read, holds no turn, or one that is no stretch of time.
    """
    of: dict[str, list[Turn]] = {}
    found = _rttm(file) if file.suffix.lower() == ".rttm" else _table(file)
    try:
        for recording, turn in found:
            of.setdefault(stem(recording), []).append(turn)
    except ValueError as error:
        raise DataError(f"{file}, {error}", hint=_HINT) from error
    if not of:
        raise DataError(f"{file} names no turn of a speaker", hint=_HINT)
    return {name: tuple(sorted(own, key=lambda turn: turn.start)) for name, own in of.items()}


def stem(recording: str) -> str:
    """Return a recording's name without folder and ending: "EN2001a.Mix-Headset" ends in none."""
    path = Path(recording)
    return path.stem if path.suffix.lower() in ENDINGS else path.name


def _rttm(file: Path) -> Iterator[tuple[str, Turn]]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", hint=tables.UNREAD) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8: {error.reason}", hint=_HINT) from error
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if fields[:1] == ["SPEAKER"]:
            fields += [""] * (_RTTM_FIELDS - len(fields))
            cells = {"start": fields[3], "duration": fields[4]}
            yield fields[1], _turn(number, cells, fields[7])


def _table(file: Path) -> Iterator[tuple[str, Turn]]:
    table = tables.read(file)
    names = bounds.columns(table)
    if not names["start"] or "speaker" not in table.header:
        raise DataError(f"{file} does not say who speaks when", hint=_HINT)
    for number, row in table.rows:
        cells = {side: row.get(name, "") for side, name in names.items() if name}
        yield row.get("file", ""), _turn(number, cells, row.get("speaker", ""))


def _turn(number: int, cells: Mapping[str, str], speaker: str) -> Turn:
    try:
        start, end = bounds.stated(cells)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if end is None or end <= start or not speaker:
        raise ValueError(f"line {number} does not say who speaks from when to when")
    return Turn(start, end, speaker)
