"""Who speaks when in a recording, as diarization systems write it: RTTM, or a table."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from ser_cli.data import bounds, tables
from ser_cli.data.corpora.table import named
from ser_cli.errors import DataError, UsageError
from ser_cli.remarks import listed, remark
from ser_cli.sound.sniff import ENDINGS
from ser_cli.types import Turn

Turns = Mapping[str, tuple[Turn, ...]]  # by recording, sorted by their starts
_Place = tuple[str, ...]  # folders and name of a file

_RTTM_FIELDS = 8  # of a line: SPEAKER file channel start duration <NA> <NA> speaker ...
_HINT = "an RTTM, or a table with the columns start, end and speaker"
_OWN = (
    "name one recording, or a table with the columns file (with its folders), start, end, speaker"
)


def read(file: Path) -> Turns:
    """Return the turns of each recording, by the name that the file gives it.

    Those of a table without a column of files are under "".

    Raises:
        DataError: It cannot be read, holds no turn, or one that is no stretch of time.
    """
    of: dict[str, list[Turn]] = {}
    found = _rttm(file) if file.suffix.lower() == ".rttm" else _table(file)
    try:
        for recording, turn in found:
            of.setdefault(recording, []).append(turn)
    except ValueError as error:
        raise DataError(f"{file}, {error}", hint=_HINT) from error
    if not of:
        raise DataError(f"{file} names no turn of a speaker", hint=_HINT)
    return {name: tuple(sorted(own, key=lambda turn: turn.start)) for name, own in of.items()}


def assigned(file: Path, turns: Turns, recordings: Iterable[str]) -> Turns:
    """Return the turns of each of these recordings of which there are some.

    They are found by as much of its path as the file states, whatever the ending; else, and that
    is said, by its name alone.

    Args:
        file: Where they were read, for messages.
        turns: See `read`.
        recordings: Their paths.

    Raises:
        UsageError: It cannot be told of which recording some turns are.
    """
    places = {recording: _place(os.path.abspath(recording)) for recording in recordings}  # noqa: PTH100 - ends ".."
    if "" in turns:
        chosen = dict.fromkeys(places, "")
    else:
        chosen = _by_path(turns, places)
        others = {recording: own for recording, own in places.items() if recording not in chosen}
        chosen |= _by_name(file, turns.keys() - chosen.values(), others)
    _check_one_each(file, chosen)
    return {recording: turns[name] for recording, name in chosen.items()}


def nobody(recording: str, turns: Iterable[str]) -> str:
    """Return what is wrong with a recording of which these turns are not."""
    own, others = repr(_stem(Path(recording).name)), listed([repr(name) for name in turns])
    return f"{recording}: nobody says who speaks when in {own}, but in {others}"


def _by_path(names: Iterable[str], places: Mapping[str, _Place]) -> dict[str, str]:
    """Return which name each recording's path ends with, the longest of several."""
    known, chosen = _by_stem(names), {}
    for recording, own in places.items():
        fits = [
            (len(place), place[-1] == own[-1], name)
            for name in known.get(_stem(own[-1]), ())
            if (place := _place(name))[:-1] == own[len(own) - len(place) : -1]
        ]
        if fits:
            chosen[recording] = max(fits)[-1]
    return chosen


def _by_name(file: Path, names: Collection[str], places: Mapping[str, _Place]) -> dict[str, str]:
    """Return which name each recording has, if one does whose folders are others."""
    known, chosen = _by_stem(names), {}
    for recording, own in places.items():
        fits = known.get(_stem(own[-1]), [])
        if len(fits) > 1:
            raise UsageError(
                f"{file} has turns of {listed([repr(name) for name in fits])}, and none of these "
                f"is {recording}",
                hint=_OWN,
            )
        if fits:
            chosen[recording] = fits[0]
    if chosen:
        told = [f"{name!r} for {recording}" for recording, name in chosen.items()]
        remark(f"{file}: turns in another folder are taken: {listed(told)}")
    return chosen


def _check_one_each(file: Path, chosen: Mapping[str, str]) -> None:
    """Refuse turns that would be those of several recordings.

    Raises:
        UsageError: There are some.
    """
    first: dict[str, str] = {}
    for recording, name in chosen.items():
        other = first.setdefault(name, recording)
        if os.path.abspath(other) != os.path.abspath(recording):  # noqa: PTH100 - ends ".."
            what = f"says who speaks in {name!r}, and not" if name else "does not say"
            raise UsageError(f"{file} {what} whether that is {other} or {recording}", hint=_OWN)


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    for name in names:
        known.setdefault(_stem(_place(name)[-1]), []).append(name)
    return known


def _place(recording: str) -> _Place:
    """Return folders and name, however another system writes them."""
    parts = unicodedata.normalize("NFC", recording).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".", "..")) or (recording,)


def _stem(name: str) -> str:
    """Return a name without its ending: "EN2001a.Mix-Headset" ends in none."""
    path = Path(name)
    return path.stem if path.suffix.lower() in ENDINGS else path.name


def _rttm(file: Path) -> Iterator[tuple[str, Turn]]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}", hint=tables.UNREAD) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8: {error.reason}", hint=_HINT) from error
    channels: dict[str, set[str]] = {}
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if fields[:1] == ["SPEAKER"]:
            fields += [""] * (_RTTM_FIELDS - len(fields))
            if not fields[1]:
                raise ValueError(f"line {number} does not say of which file it is")
            channels.setdefault(fields[1], set()).add(fields[2])
            cells = {"start": fields[3], "duration": fields[4]}
            yield fields[1], _turn(number, cells, fields[7])
    if several := [name for name, own in channels.items() if len(own) > 1]:
        remark(
            f"{file} tells channels apart, and turns are heard in all of them together, or in the "
            f"one that --channel names: {listed(several)}"
        )


def _table(file: Path) -> Iterator[tuple[str, Turn]]:
    table = tables.read_any(file)
    rows = named(table, ("file", "speaker"), needed=("speaker",), hint=_HINT)
    if not bounds.columns(table)["start"]:
        raise DataError(f"{file} does not say who speaks when", hint=_HINT)
    has_files = any(row["file"] for _, row in rows)
    for number, row in rows:
        if has_files and not row["file"]:
            raise ValueError(f"line {number} does not say of which file it is")
        yield row["file"], _turn(number, row, row["speaker"])


def _turn(number: int, cells: Mapping[str, str], speaker: str) -> Turn:
    try:
        start, end = bounds.stated(cells)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if end is None or not speaker:
        raise ValueError(f"line {number} does not say who speaks from when to when")
    return Turn(start, end, speaker)
