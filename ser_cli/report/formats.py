"""The formats that rows are written in, by the endings of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.errors import UsageError
from ser_cli.report.annotations import audacity, rttm, textgrid
from ser_cli.report.rows import csv_head, csv_line, json_line
from ser_cli.report.subtitles import VTT_HEAD, srt, vtt

if TYPE_CHECKING:
    from ser_cli.types import Prediction

    Classes = Sequence[str]


@dataclass(frozen=True, slots=True)
class Format:
    """How rows become text.

    Attributes:
        recording: Rows of one recording, classes -> its text, in pieces as the rows come.
        head: Classes -> what a file begins with.
        joint: Whether a file may hold several recordings.
        tells: Whether it says why a recording has no label.
        whole: Rows of one recording, classes -> a file that is no text; nothing else is used then.
    """

    recording: Callable[[Iterable[Prediction], Classes], Iterator[str]]
    head: Callable[[Classes], str] = lambda classes: ""
    joint: bool = False
    tells: bool = False
    whole: Callable[[Sequence[Prediction], Classes], bytes] | None = None


def _each(line: Callable[[Prediction, Classes], str]) -> Callable[..., Iterator[str]]:
    return lambda rows, classes: (line(row, classes) for row in rows)


def _picture(rows: Sequence[Prediction], classes: Classes) -> bytes:
    from ser_cli.report.over_time import picture

    return picture(rows, classes)


FORMATS = {
    ".csv": Format(_each(csv_line), csv_head, joint=True, tells=True),
    ".jsonl": Format(_each(json_line), joint=True, tells=True),
    ".ndjson": Format(_each(json_line), joint=True, tells=True),
    ".rttm": Format(rttm, joint=True),
    ".srt": Format(srt),
    ".vtt": Format(vtt, lambda classes: VTT_HEAD),
    ".TextGrid": Format(textgrid),
    ".txt": Format(audacity),
    ".png": Format(audacity, whole=_picture),
}


def format_of(file: Path) -> Format:
    """Return the format that a file's ending stands for.

    Raises:
        UsageError: It stands for none.
    """
    known = {ending.lower(): made for ending, made in FORMATS.items()}
    made = known.get(file.suffix.lower())
    if made is None:
        raise UsageError(
            f"{file}: no format is known by the ending {file.suffix!r}",
            hint="known are " + ", ".join(FORMATS),
        )
    return made
