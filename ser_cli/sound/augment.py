"""Changes to a waveform that keep its emotion: what makes a small corpus larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from ser_cli.types import Copy, Floats


def noise(waveform: Floats, rng: Generator, amplitude: float) -> Floats:
    """Add white Gaussian noise whose standard deviation is `amplitude` of full scale (0..1)."""
    hiss = rng.standard_normal(len(waveform), dtype=np.float32)
    return waveform + np.float32(amplitude) * hiss


def peak(waveform: Floats) -> float:
    """Return the largest magnitude of a waveform, which amounts of noise are often relative to."""
    return float(np.abs(waveform).max())


def stretch_and_shift(waveform: Floats, *, rate: float, semitones: float) -> Floats:
    """Change tempo and pitch with a single phase vocoder.

    Shifting a pitch is stretching and resampling, so a stretch before it costs nothing more.

    Args:
        waveform: (n,).
        rate: Tempo; above 1 is faster and shorter.
        semitones: Pitch; above 0 is higher.

    Returns:
        About n / rate samples.
    """
    import librosa
    import soxr

    octave = 2.0 ** (semitones / 12)
    stretched = librosa.effects.time_stretch(waveform, rate=rate / octave)
    shifted = soxr.resample(stretched, octave, 1.0, quality="HQ") if semitones else stretched
    return np.asarray(shifted, dtype=np.float32)


def tempo_and_pitch(waveform: Floats, copy: Copy) -> Floats:
    """Stretch to a tempo of .9 to 1.1 and shift the pitch by up to 2 semitones."""
    return stretch_and_shift(
        waveform, rate=copy.rng.uniform(0.9, 1.1), semitones=copy.rng.uniform(-2, 2)
    )


def speed(waveform: Floats, rate: float) -> Floats:
    """Play faster (rate above 1) or slower, as a tape does: tempo and pitch move together.

    Returns:
        About n / rate samples.
    """
    import soxr

    return np.asarray(soxr.resample(waveform, rate, 1.0, quality="HQ"), dtype=np.float32)


def shift(waveform: Floats, samples: int) -> Floats:
    """Move in time, later where `samples` is above 0; what leaves at one end enters at the other.

    No speech is lost, and the length stays.
    """
    return np.roll(waveform, samples)


def mask(features: Floats, rng: Generator, *, frames: int, columns: int) -> Floats:
    """Set one random run of frames and one of columns to zero in every clip of a batch.

    After scaling, zero is the mean of the training clips (SpecAugment, Park et al. 2019,
    with one mask of each kind).

    Args:
        features: (N, T, F), scaled.
        rng: Source of the runs' places and lengths.
        frames: Longest run of frames.
        columns: Longest run of columns.

    Returns:
        A masked copy.
    """
    masked = features.copy()
    n_clips, n_frames, n_columns = features.shape
    masked[_runs(rng, n_clips, n_frames, frames)] = 0
    masked.transpose(0, 2, 1)[_runs(rng, n_clips, n_columns, columns)] = 0
    return masked


def _runs(rng: Generator, n_clips: int, size: int, longest: int) -> np.ndarray:
    length = rng.integers(0, min(longest, size) + 1, size=(n_clips, 1))
    start = rng.integers(0, size - length + 1)
    at = np.arange(size)
    return (at >= start) & (at < start + length)
