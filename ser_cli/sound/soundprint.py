"""An acoustic fingerprint: what of a recording outlasts another codec, level, name or cut.

Signs of differences between neighbouring bands and frames, 32 bits a frame (after Haitsma and
Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002). Long frames tell the pitch's
harmonics apart, so that the same words said twice by one voice differ.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.features import at_least
from ser_cli.sound.frontend import Frontend, columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

SAMPLE_RATE = 8_000  # Hz: a telephone's, so that its copies are found as well
FIELD = 1_024  # samples of a frame: 128 ms
HOP = 128  # 16 ms
BACK = 3  # frames to the one that a frame is compared with: 48 ms
BITS = 32
LOWEST_HZ, HIGHEST_HZ = 300.0, 3_000.0
FLOOR_DB = 35.0  # what is further below the loudest frame tells nothing
STEADY = 0.05  # mean change of a steady tone's differences, at most: it tells nothing either
LEAST = 1e-5  # of a frame's strongest band: what is weaker than that counts as this
BLOCK = 1_024  # frames at once, so that an hour needs no more memory than a minute


def soundprint(waveform: Floats) -> Floats:
    """Return the fingerprint of a waveform at 8 kHz.

    Returns:
        (t, 3), a row every 16 ms: the upper and the lower 16 of a frame's bits as numbers, and
        whether it is loud enough to tell anything (1 or 0). t may be 0.
    """
    frames = np.lib.stride_tricks.sliding_window_view(at_least(waveform, FIELD), FIELD)[::HOP]
    blocks = [_bands(frames[at : at + BLOCK]) for at in range(0, len(frames), BLOCK)]
    bands, power = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    change = bands[BACK:] - bands[:-BACK]
    bits, level = change > 0, power[BACK:]
    loud = level > level.max(initial=0.0) * 10 ** (-FLOOR_DB / 10)
    loud &= np.abs(change).mean(axis=1) > STEADY
    halves = bits.reshape(-1, 2, BITS // 2) @ (1 << np.arange(BITS // 2)[::-1])
    return np.column_stack([halves, loud]).astype(np.float32)


def _bands(frames: Floats) -> tuple[Floats, Floats]:
    """Return differences of the log energies of neighbouring bands (n, 32), and the power (n,)."""
    power = np.square(np.abs(np.fft.rfft(frames * _window(), axis=1)))
    energy = np.add.reduceat(power, _edges()[:-1], axis=1)[:, : BITS + 1]
    strongest = energy.max(axis=1, keepdims=True)
    bands = np.log(energy + LEAST * strongest + np.finfo(np.float32).tiny)
    return np.diff(bands, axis=1), power.sum(axis=1)


@lru_cache(maxsize=1)
def _window() -> Floats:
    return np.hanning(FIELD).astype(np.float32)


@lru_cache(maxsize=1)
def _edges() -> NDArray[np.int64]:
    """Return the first bin of each band, and of what follows: as wide as an ear's are."""
    hertz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2)
    return np.round(hertz * FIELD / SAMPLE_RATE).astype(np.int64)


SOUNDPRINT = Frontend(
    name="soundprint",
    sample_rate=SAMPLE_RATE,
    columns=columns(bits=2, loud=1),
    extract=soundprint,
    hop=HOP,
    field=FIELD,
    centred=False,
)
