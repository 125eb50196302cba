"""Sounds without speech: silence, noise, hum, tones and simple music, made up.

A network that has only ever heard voices is sure of an emotion in anything. These teach it that
there may be none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from ser_cli.types import Floats

SECONDS = (0.5, 6.0)
MAINS_HZ = (50, 60)
SCALE = (0, 2, 3, 5, 7, 8, 10)  # semitones of a minor scale


def nothing(number: int, rng: Generator, *, sample_rate: int) -> Floats:
    """Return a sound (n,) without speech, of 0.5 to 6 s; kinds take turns with the number."""
    n_samples = round(rng.uniform(*SECONDS) * sample_rate)
    at = np.arange(n_samples) / sample_rate
    kinds = (_noise, _hum, _tones, _music, _bursts)
    sound = kinds[number % len(kinds)](at, rng)
    if rng.random() < 0.7:
        sound += 10 ** rng.uniform(-5, -1.5) * rng.standard_normal(n_samples)
    loudest = float(np.abs(sound).max()) or 1.0
    made: Floats = (sound / loudest * 10 ** rng.uniform(-3, -0.05)).astype(np.float32)
    return made


def _noise(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Steady noise whose spectrum falls or rises, in one band."""
    spectrum = np.fft.rfft(rng.standard_normal(len(at)))
    share = np.linspace(0, 1, len(spectrum))
    spectrum *= (share + 0.002) ** rng.uniform(-1.5, 0.5)
    low, high = np.sort(rng.uniform(0, 1, 2)) if rng.random() < 0.3 else (0, 1)
    spectrum[(share < low) | (share > max(high, low + 0.1))] *= 0.01
    return np.fft.irfft(spectrum, len(at))


def _hum(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Mains or an engine: many harmonics of a low tone."""
    base = rng.choice(MAINS_HZ) if rng.random() < 0.5 else rng.uniform(25, 200)
    sound = np.zeros(len(at))
    for n in range(1, 20):
        sound += rng.uniform(0, 1) / n * np.sin(2 * np.pi * n * base * at + rng.uniform(0, 6))
    return sound


def _tones(at: np.ndarray, rng: Generator) -> np.ndarray:
    """One to three tones, steady or sliding, as of beeps, dials and sirens."""
    sound = np.zeros(len(at))
    for _ in range(rng.integers(1, 4)):
        begin, end = (
            rng.uniform(80, 4_000, 2) if rng.random() < 0.3 else [rng.uniform(80, 4_000)] * 2
        )
        phase = 2 * np.pi * (begin * at + (end - begin) * at**2 / (2 * at[-1]))
        beat = np.sin(2 * np.pi * rng.uniform(0.5, 8) * at) > 0 if rng.random() < 0.4 else 1.0
        sound += rng.uniform(0.2, 1) * beat * np.sin(phase)
    return sound


def _music(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Notes of a scale, plucked or held, over a bass, and sometimes a drum."""
    sound, pace, root = np.zeros(len(at)), rng.uniform(0.12, 0.6), rng.uniform(90, 400)
    decay, harmonics = rng.uniform(1, 12), rng.integers(1, 9)
    for begin in np.arange(0, at[-1], pace):
        since = np.maximum(at - begin, 0)
        envelope = (at >= begin) * np.exp(-decay * since) * np.minimum(since * 200, 1)
        for octave in (0.5, 1.0):
            hertz = root * octave * 2 ** (rng.choice(SCALE) / 12)
            for n in range(1, harmonics + 1):
                sound += envelope * np.sin(2 * np.pi * n * hertz * since) / n
        if rng.random() < 0.3:
            sound += np.exp(-40 * since) * (at >= begin) * rng.standard_normal(len(at))
    return sound


def _bursts(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Knocks, clicks and rustling: noise that comes and goes."""
    level = np.zeros(len(at))
    for _ in range(rng.integers(1, 30)):
        begin, decay = rng.uniform(0, at[-1]), 10 ** rng.uniform(0.5, 2.5)
        level += (at >= begin) * np.exp(-decay * np.maximum(at - begin, 0)) * rng.uniform(0.1, 1)
    rustling: np.ndarray = level * _noise(at, rng)
    return rustling
