"""Changing the tempo of a sound with a phase vocoder: librosa's, with its loop over blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.sound.features import BLOCK, HOP_LENGTH, N_FFT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

    Complex = NDArray[np.complex64]

TURN = 2.0 * np.pi


def stretch(waveform: Floats, rate: float) -> Floats:
    """Change the tempo and keep the pitch; the same samples as `librosa.effects.time_stretch`.

    Args:
        waveform: (n,).
        rate: Tempo; above 1 is faster and shorter.

    Returns:
        round(n / rate) samples.
    """
    import librosa

    frames = stretch_frames(librosa.stft(waveform, n_fft=N_FFT, hop_length=HOP_LENGTH).T, rate)
    length = round(len(waveform) / rate)
    stretched: Floats = librosa.istft(
        frames.T, n_fft=N_FFT, hop_length=HOP_LENGTH, dtype=waveform.dtype, length=length
    )
    return stretched


def stretch_frames(frames: Complex, rate: float) -> Complex:
    """Read the frames of a transform (T, bins) at another pace, as `librosa.phase_vocoder` does.

    Only the phases follow from each other frame by frame; all else is computed for a block of
    frames at a time, in the order and precision of librosa, so that the results are equal to
    the last bit.

    Returns:
        (ceil(T / rate), bins).
    """
    import librosa

    at = np.arange(0, len(frames), rate, dtype=np.float64)
    left = at.astype(np.intp)
    advance = HOP_LENGTH * librosa.fft_frequencies(sr=TURN, n_fft=N_FFT)
    padded = np.pad(frames, ((0, 2), (0, 0)))
    angle, magnitude = np.angle(padded), np.abs(padded)
    phase = angle[0].copy()
    read = np.empty((len(at), frames.shape[1]), np.complex64)
    for start in range(0, len(at), BLOCK):
        here = left[start : start + BLOCK]
        share = np.mod(at[start : start + BLOCK], 1.0)[:, None]
        level = (1.0 - share) * magnitude[here] + share * magnitude[here + 1]
        step = _unexpected(angle[here + 1] - angle[here] - advance) + advance
        phases = np.empty(step.shape, np.float32)
        for row, turned in zip(phases, step, strict=True):
            row[:] = phase
            phase += turned
        read[start : start + BLOCK] = librosa.util.phasor(phases, mag=level)
    return read


def _unexpected(turned: NDArray[Any]) -> NDArray[Any]:
    """Wrap phases to half a turn either way."""
    turned -= TURN * np.round(turned / TURN)
    return turned
