"""One number per frame: how loud, how often the waveform changes sign, where its spectrum lies.

As in features.py, with whose frames these line up, the definitions are librosa 0.11's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.features import HOP_LENGTH, N_FFT, Spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

ROLLOFF_SHARE = 0.85
_NO_SIGN = 1e-10  # a sample nearer to zero than this has the sign of zero


def rms(waveform: Floats) -> Floats:
    """Return the root mean square, (T, 1), of N_FFT samples every HOP_LENGTH, as `spectrum` cuts.

    Args:
        waveform: (n,); silence beyond the ends.
    """
    squares = np.pad(waveform, N_FFT // 2).astype(np.float64) ** 2
    return np.sqrt(_frame_sums(squares) / N_FFT).astype(np.float32)[:, None]


def zero_crossing_rate(waveform: Floats) -> Floats:
    """Return the share of samples whose sign is not that of the one before, (T, 1) in 0..1.

    Args:
        waveform: (n,); beyond the ends the outermost samples go on.
    """
    padded = np.pad(waveform, N_FFT // 2, mode="edge")
    negative = padded < -_NO_SIGN
    crossings = np.zeros(len(padded))
    crossings[1:] = negative[1:] != negative[:-1]
    sums = _frame_sums(crossings)
    # The first sample of a frame has none before it.
    sums -= crossings[: len(sums) * HOP_LENGTH : HOP_LENGTH]
    return (sums / N_FFT).astype(np.float32)[:, None]


def spectral_centroid(spec: Spectrum) -> Floats:
    """Return the centre of gravity of each frame's magnitudes, (T, 1) Hz; 0 where it is silent."""
    total = spec.magnitude.sum(axis=1, dtype=np.float64)
    moment = spec.magnitude @ _bins_hz(spec)
    centre = np.zeros((len(total), 1), np.float32)
    np.divide(moment, total, out=centre[:, 0], where=total > 0, casting="same_kind")
    return centre


def spectral_rolloff(spec: Spectrum) -> Floats:
    """Return the frequency with 85 % of a frame's magnitudes at or below it, (T, 1) Hz."""
    reached = np.cumsum(spec.magnitude, axis=1)
    first = np.argmax(reached >= ROLLOFF_SHARE * reached[:, -1:], axis=1)
    rolloff: Floats = _bins_hz(spec)[first, None].astype(np.float32)
    return rolloff


def trim(waveform: Floats, top_db: float) -> Floats:
    """Cut off the frames at either end that lie `top_db` or more below the loudest frame.

    Args:
        waveform: (n,); silence is returned as it is.
        top_db: Above 0.
    """
    power = np.maximum(rms(waveform)[:, 0] ** 2, np.float32(1e-10))
    heard = np.flatnonzero(10 * np.log10(power / power.max()) > -top_db)
    return waveform[heard[0] * HOP_LENGTH : (heard[-1] + 1) * HOP_LENGTH]


def _bins_hz(spec: Spectrum) -> NDArray[np.float64]:
    return np.asarray(np.fft.rfftfreq(N_FFT, 1 / spec.sample_rate), np.float64)


def _frame_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over N_FFT of n values every HOP_LENGTH: (T,), T = 1 + (n - N_FFT) // hop."""
    n_blocks = len(values) // HOP_LENGTH
    blocks = values[: n_blocks * HOP_LENGTH].reshape(n_blocks, HOP_LENGTH).sum(axis=1)
    sums: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(
        blocks, N_FFT // HOP_LENGTH
    ).sum(axis=1)
    return sums
