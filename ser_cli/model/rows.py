"""Rows of a prediction as plain values: their columns, and the records made of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ser_cli.types import Prediction

if TYPE_CHECKING:
    import pandas

Record = dict[str, str | float | None]


class Rows(list[Prediction]):
    """The rows of a prediction, and how they are handed on.

    Attributes:
        classes: Names of the probabilities.
    """

    def __init__(self, rows: Iterable[Prediction] = (), classes: Sequence[str] = ()) -> None:
        """Take the rows."""
        super().__init__(rows)
        self.classes = tuple(classes)

    def to_dicts(self) -> list[Record]:
        """Return a dict per row, with the columns of the CSV; None for what is not known."""
        return [as_record(row, self.classes) for row in self]

    def to_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.to_dicts(), ensure_ascii=False)

    def to_frame(self) -> pandas.DataFrame:
        """Return the same as a DataFrame, with these columns even where there is no row."""
        import pandas

        return pandas.DataFrame(self.to_dicts(), columns=list(columns(self.classes)))


def columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of `as_record`; a class that is called like one gets p_."""
    first, last = (
        ("file", "start", "end", "emotion", "confidence"),
        ("status", "flags", "error", "speaker"),
    )
    taken = {*first, *last, *classes}

    def free(name: str) -> str:
        return free(f"p_{name}") if name in taken else name

    named = (free(name) if name in first + last else name for name in classes)
    return (*first, *named, *last)


def as_record(prediction: Prediction, classes: Sequence[str]) -> Record:
    """Return a row as plain values for CSV and JSON: None for what is not known.

    Args:
        prediction: The row.
        classes: Names of its probabilities.
    """
    known = prediction.probabilities
    shares: Any = [math.nan] * len(classes) if known is None else known.tolist()
    values = (
        prediction.file,
        _rounded(prediction.start),
        _rounded(prediction.end),
        prediction.emotion,
        _rounded(prediction.confidence),
        *map(_rounded, shares),
        prediction.status,
        ";".join(prediction.flags),
        prediction.error,
        prediction.speaker,
    )
    return dict(zip(columns(classes), values, strict=True))


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
