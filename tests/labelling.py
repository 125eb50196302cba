"""A model of text files that worker processes load quickly, and that some recordings end."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ser_cli.sound.files import Found
from ser_cli.types import Prediction

CLASSES = ("calm", "sad")


def failed(file: str, why: str) -> Prediction:
    return Prediction(file, math.nan, math.nan, "", math.nan, None, "error", error=why)


def rows_of(found: Found) -> list[Prediction]:
    """Return two rows of a recording by its content; none where it says so."""
    text = Path(found.file).read_text(encoding="utf-8")
    if "bad" in text:
        return [failed(found.file, "bad")]
    if "mute" in text:
        return []
    share = len(text) / 100
    shares = np.array([share, 1 - share], "f4")
    return [Prediction(found.file, at, at + 1, "sad", 1 - share, shares) for at in (0.0, 1.0)]


def unless_deadly(items: Sequence[Found]) -> Iterator[list[Prediction]]:
    for one in items:
        if "deadly" in one.file:
            os._exit(1)
        yield rows_of(one)
