"""A recording, part by part -> the passages in which somebody speaks, between two pauses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.detector import Detector, Spans

if TYPE_CHECKING:
    from ser_cli.types import Floats

LONGEST_S = 60.0  # of a passage: one that goes on is continued by the next


def passages(
    parts: Iterable[Floats], *, sample_rate: int, pause_s: float
) -> Iterator[tuple[int, Floats]]:
    """Cut speech out of a waveform that comes in parts.

    Args:
        parts: Of the waveform, (n,) each.
        sample_rate: Hz.
        pause_s: Seconds without speech that part two passages.

    Yields:
        Where a passage starts, in samples, and its samples.
    """
    detector = Detector(sample_rate=sample_rate)
    spans = Spans(pause_s=pause_s, longest_s=LONGEST_S)
    held, offset = np.zeros(0, np.float32), 0
    for part in parts:
        held = np.concatenate([held, part])
        over = spans.add(detector.hear(part))
        yield from _cut(held, offset, over, sample_rate)
        gone = max(0, round(spans.since_s * sample_rate) - offset)
        held, offset = held[gone:], offset + min(gone, len(held))
    over = spans.add(detector.finish())
    end = (offset + len(held)) / sample_rate
    yield from _cut(held, offset, over + spans.finish(seconds=end), sample_rate)


def _cut(
    held: Floats, offset: int, over: list[tuple[float, float]], sample_rate: int
) -> Iterator[tuple[int, Floats]]:
    for start, end in over:
        first, last = (round(side * sample_rate) for side in (start, end))
        yield first, held[first - offset : last - offset]
