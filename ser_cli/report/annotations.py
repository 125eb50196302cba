"""Rows as annotations, for research: Praat's TextGrid, RTTM, and Audacity's labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.report.spans import Span, line, spans

if TYPE_CHECKING:
    from ser_cli.types import Prediction

TIER = "emotion"


def textgrid(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield a TextGrid in Praat's long form: a tier for each speaker, without gaps."""
    tiers: dict[str, list[Span]] = {}
    for span in spans(rows):
        tiers.setdefault(span.speaker, []).append(span)
    last = max((own[-1].end for own in tiers.values()), default=0.0)
    end = _number(last)
    yield (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {end}\ntiers? <exists>\nsize = {len(tiers) or 1}\nitem []:\n"
    )
    for number, (speaker, own) in enumerate((tiers or {"": []}).items(), 1):
        tiles = list(_tiles(own, last))
        yield (
            f'    item [{number}]:\n        class = "IntervalTier"\n'
            f'        name = "{_quoted(speaker or TIER)}"\n'
            f"        xmin = 0\n        xmax = {end}\n        intervals: size = {len(tiles)}\n"
        )
        for place, tile in enumerate(tiles, 1):
            yield (
                f"        intervals [{place}]:\n            xmin = {_number(tile.start)}\n"
                f"            xmax = {_number(tile.end)}\n"
                f'            text = "{_quoted(tile.label)}"\n'
            )


def rttm(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield lines of RTTM, in which a recording is called as in the rows, without its ending."""
    rows = list(rows)
    name = _word(rows[0].file.removesuffix(Path(rows[0].file).suffix)) if rows else ""
    for span in spans(rows):
        length = round(span.end - span.start, 6)
        times = f"{span.start:.3f} {length:.3f}"
        yield f"SPEAKER {name} 1 {times} <NA> <NA> {_word(span.said)} <NA> <NA>\n"


def audacity(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield lines of a label track of Audacity; each row keeps its own end."""
    for row in rows:
        if row.status != "error":
            said = Span(row.start, row.end, line(row.emotion), line(row.speaker)).said
            yield f"{row.start:.6f}\t{row.end:.6f}\t{said}\n"


def _tiles(found: Iterable[Span], end: float) -> Iterator[Span]:
    """Yield the spans, and an empty one wherever nothing was heard before the next, or the end."""
    at = 0.0
    for span in found:
        if span.start > at:
            yield Span(at, span.start, "")
        yield span
        at = span.end
    if at < end:
        yield Span(at, end, "")


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _word(text: str) -> str:
    """Return a text as one field of a line whose fields are parted by blanks."""
    return re.sub(r"\s", "_", line(text)) or "_"
