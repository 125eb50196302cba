"""Whether a recording comes from a telephone: nothing above 4 kHz, where speech has some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.features import at_least

if TYPE_CHECKING:
    from ser_cli.types import Floats

LOWEST_HZ = 4_200.0  # above a telephone's band and the slope of the filters that leave it
# Clips of RAVDESS and nEMO have -36 dB there or more, after Opus and MP3 as well; after 8 kHz
# less than -94 dB, and quiet ones kept in 16 bits about -60.
FLOOR_DB = -50.0
FRAME, HOP = 512, 2_048  # samples: one frame of four says as much as all


def is_narrow(waveform: Floats, sample_rate: int) -> bool:
    """Tell whether a waveform (n,) has next to nothing above the telephone's band.

    Args:
        waveform: That holds sound.
        sample_rate: Hz; below 8,400, nothing can be there.
    """
    frames = np.lib.stride_tricks.sliding_window_view(at_least(waveform, FRAME), FRAME)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1))).sum(axis=0)
    first = int(np.ceil(LOWEST_HZ / sample_rate * FRAME))
    return float(power[first:].sum()) < 10 ** (FLOOR_DB / 10) * float(power.sum())
