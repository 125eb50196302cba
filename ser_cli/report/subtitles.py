"""Rows of one recording as subtitles, for players: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ser_cli.report.spans import Span, spans

if TYPE_CHECKING:
    from ser_cli.types import Prediction

VTT_HEAD = "WEBVTT\n\n"


def srt(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield the numbered cues of SubRip, whose seconds have a comma."""
    for number, span in enumerate(spans(rows), 1):
        text = span.said.replace("-->", "->")
        yield f"{number}\n{_time(span.start, ',')} --> {_time(span.end, ',')}\n{text}\n\n"


def vtt(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield the cues of WebVTT, in whose text & < > are escaped."""
    for span in spans(rows):
        yield f"{_time(span.start, '.')} --> {_time(span.end, '.')}\n{_escaped(span)}\n\n"


def _escaped(span: Span) -> str:
    return span.said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, point: str) -> str:
    """Return hh:mm:ss and milliseconds; more than 99 hours have more digits."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    whole, rest = divmod(milliseconds, 1000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{whole:02}{point}{rest:03}"
