"""Rows as labelled spans of time, of which a speaker has one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from ser_cli.disarm import visible

if TYPE_CHECKING:
    from ser_cli.types import Prediction

DIGITS = 6  # of seconds, as in a row


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording: seconds, one line that says what was heard, and of whom."""

    start: float
    end: float
    label: str
    speaker: str = ""

    @property
    def said(self) -> str:
        """The label, and before it the speaker, where there is one."""
        return f"{self.speaker}: {self.label}" if self.speaker else self.label


def spans(rows: Iterable[Prediction]) -> list[Span]:
    """Return a span for each row of a recording, by their starts; none for an error.

    Where windows overlap, each row holds from its start to the start of the speaker's next.
    """
    of: dict[str, list[Prediction]] = {}
    for row in rows:
        if row.status != "error":
            of.setdefault(row.speaker, []).append(row)
    found = [span for own in of.values() for span in _one_by_one(own)]
    return sorted(found, key=lambda span: span.start)


def _one_by_one(heard: Iterable[Prediction]) -> Iterator[Span]:
    for row, following in pairwise(chain(heard, (None,))):
        assert row
        start, end = round(row.start, DIGITS), round(row.end, DIGITS)
        if following:
            end = min(end, round(following.start, DIGITS))
        if end > start:
            yield Span(start, end, line(row.emotion), line(row.speaker))


def line(text: str) -> str:
    """Return a text as one visible line, each run of blanks and control characters as one blank."""
    return visible(re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip())
