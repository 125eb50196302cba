"""Where the speech of a recording is, by its level alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ser_cli.types import Floats

FRAME, HOP = 400, 160  # 25 ms every 10 ms at 16 kHz
FLOOR_DB = 40.0  # below the loudest frame, it is not speech


def speech_part(waveform: Floats, floor_db: float = FLOOR_DB) -> slice:
    """Return from the first to the last frame that is less than `floor_db` below the loudest.

    Args:
        waveform: (n,) at 16 kHz; all of a silent one is returned.
        floor_db: Above 0.
    """
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    starts = np.arange(0, max(1, len(waveform) - FRAME), HOP)
    stops = np.minimum(starts + FRAME, len(waveform))
    level = energy[stops] - energy[starts]
    heard = np.flatnonzero(level > level.max() * 10 ** (-floor_db / 10))
    if not len(heard):
        return slice(0, len(waveform))
    return slice(int(starts[heard[0]]), int(stops[heard[-1]]))
