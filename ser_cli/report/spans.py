"""Rows as labelled spans of time, for formats in which only one label can hold at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ser_cli.types import Prediction

DIGITS = 6  # of seconds, as in a row


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording: seconds, and one line that says what was heard."""

    start: float
    end: float
    label: str


def spans(rows: Iterable[Prediction]) -> Iterator[Span]:
    """Yield a span for each row of a recording, in order; none for an error.

    Where windows overlap, each row holds from its start to the start of the next.
    """
    heard = (row for row in rows if row.status != "error")
    for row, following in pairwise(chain(heard, (None,))):
        assert row
        start, end = round(row.start, DIGITS), round(row.end, DIGITS)
        if following:
            end = min(end, round(following.start, DIGITS))
        if end > start:
            yield Span(start, end, line(row.emotion))


def line(text: str) -> str:
    """Return a text as one line: without control characters, each run of blanks as one."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()
