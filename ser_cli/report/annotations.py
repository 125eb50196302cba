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
    """Yield a TextGrid in Praat's long form, with one tier whose intervals leave no gap."""
    tiles = list(_tiles(spans(rows)))
    end = tiles[-1].end if tiles else 0.0
    yield (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {_number(end)}\ntiers? <exists>\nsize = 1\nitem []:\n"
        f'    item [1]:\n        class = "IntervalTier"\n        name = "{TIER}"\n'
        f"        xmin = 0\n        xmax = {_number(end)}\n"
        f"        intervals: size = {len(tiles)}\n"
    )
    for number, tile in enumerate(tiles, 1):
        text = tile.label.replace('"', '""')
        yield (
            f"        intervals [{number}]:\n            xmin = {_number(tile.start)}\n"
            f'            xmax = {_number(tile.end)}\n            text = "{text}"\n'
        )


def rttm(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield lines of RTTM, in which a recording is called as in the rows, without its ending."""
    rows = list(rows)
    name = _word(rows[0].file.removesuffix(Path(rows[0].file).suffix)) if rows else ""
    for span in spans(rows):
        length = round(span.end - span.start, 6)
        times = f"{span.start:.3f} {length:.3f}"
        yield f"SPEAKER {name} 1 {times} <NA> <NA> {_word(span.label)} <NA> <NA>\n"


def audacity(rows: Iterable[Prediction], classes: Sequence[str]) -> Iterator[str]:
    """Yield lines of a label track of Audacity; each row keeps its own end."""
    for row in rows:
        if row.status != "error":
            yield f"{row.start:.6f}\t{row.end:.6f}\t{line(row.emotion)}\n"


def _tiles(found: Iterable[Span]) -> Iterator[Span]:
    """Yield the spans, and an empty one wherever nothing was heard before the next."""
    at = 0.0
    for span in found:
        if span.start > at:
            yield Span(at, span.start, "")
        yield span
        at = span.end


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _word(text: str) -> str:
    """Return a text as one field of a line whose fields are parted by blanks."""
    return re.sub(r"\s", "_", line(text)) or "_"
