"""Voices of machines, made up: pulses and noise through formants, in syllables that mean nothing.

A network that has only ever heard people takes the buzz of a synthesiser for anger. Whoever reads
without a feeling is neutral, or calm, and a machine always does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from ser_cli.types import Floats

    Track = NDArray[np.float64]

SECONDS = (1.5, 4.0)
HOP_S = 0.010
PITCH_HZ = (75, 230)
# Hz of four formants: those of vowels (Peterson and Barney 1952, men to children), and of hisses.
VOWEL = ((250, 850), (800, 2_400), (2_300, 3_100), (3_200, 3_900))
HISS = ((1_500, 2_500), (2_500, 4_000), (4_000, 5_500), (5_500, 7_000))
BANDWIDTHS = np.array([1.0, 1.3, 1.8, 2.5])  # of the formants, over that of the first
_HIGHEST = 0.45  # of the sample rate: where a formant may be
_PARTS = 8  # hops that a part of the source rings for


@dataclass(frozen=True, slots=True)
class _Sound:
    """A vowel, a consonant or a pause: its frames, formants (4,) in Hz, gain, and its source."""

    frames: int
    formants: Track
    gain: float
    voiced: bool


def synthesised(number: int, rng: Generator, *, sample_rate: int) -> Floats:
    """Return a voice (n,) of a machine that speaks for 1.5 to 4 s, whatever its number."""
    count = round(rng.uniform(*SECONDS) / HOP_S)
    formants, gains, voiced = _articulated(rng, count)
    response = _response(formants, voiced, rng, sample_rate)
    power = np.square(np.abs(response)).mean(axis=1)
    hop = round(HOP_S * sample_rate)
    source = _source(sample_rate / _melody(rng, count), voiced, rng, hop)
    spoken = _filtered(source, response * (gains / np.sqrt(power))[:, None], hop)
    if rng.random() < 0.7:
        spoken += 10 ** rng.uniform(-3.5, -1.5) * spoken.std() * rng.standard_normal(len(spoken))
    made: Floats = (0.5 * spoken / (np.abs(spoken).max() or 1.0)).astype(np.float32)
    return made


def _articulated(rng: Generator, count: int) -> tuple[Track, Track, NDArray[np.bool_]]:
    """Return formants (n, 4), gains (n,) and whether there is a voice (n,), of so many frames."""
    size, pace = rng.uniform(0.9, 1.2), rng.uniform(0.7, 1.4)
    sounds: list[_Sound] = []
    while sum(sound.frames for sound in sounds) < count:
        sounds += _syllable(rng, size, pace)
    frames = np.repeat(np.arange(len(sounds)), [sound.frames for sound in sounds])[:count]
    formants = np.array([sound.formants for sound in sounds])[frames]
    gains = np.array([sound.gain for sound in sounds])[frames]
    voiced = np.array([sound.voiced for sound in sounds])[frames]
    glide = int(rng.integers(3, 9))
    return _smooth(formants.T, glide).T, _smooth(gains[None], 3)[0], voiced


def _syllable(rng: Generator, size: float, pace: float) -> Iterator[_Sound]:
    """Yield a consonant and a vowel, or a pause."""

    def between(hertz: tuple[tuple[int, int], ...]) -> Track:
        return np.array([rng.uniform(*pair) for pair in hertz]) * size

    vowel = between(VOWEL)
    if rng.random() < 0.08:
        yield _Sound(int(rng.uniform(10, 35)), vowel, 0.0, voiced=False)
    frames = int(rng.uniform(4, 11) / pace)
    kind = rng.choice(["stop", "hiss", "hum", "none"], p=[0.3, 0.25, 0.3, 0.15])
    if kind == "stop":
        yield _Sound(max(frames - 2, 1), vowel, 0.0, voiced=False)
        yield _Sound(2, between(VOWEL), rng.uniform(0.05, 0.3), voiced=False)
    elif kind == "hiss":
        yield _Sound(frames, between(HISS), rng.uniform(0.05, 0.3), voiced=False)
    elif kind == "hum":
        low = np.append(rng.uniform(200, 400), between(VOWEL[1:]))
        yield _Sound(frames, low, rng.uniform(0.15, 0.5), voiced=True)
    yield _Sound(int(rng.uniform(7, 20) / pace), vowel, rng.uniform(0.5, 1), voiced=True)


def _melody(rng: Generator, count: int) -> Track:
    """Return the pitch of each frame in Hz, which falls and swings a little."""
    through, swings = np.linspace(0, 1, count), rng.uniform(0.5, 3) * count * HOP_S
    falls = 1 + rng.uniform(-0.05, 0.3) * (1 - through)
    accents = np.sin(2 * np.pi * (swings * through + rng.random()))
    melody: Track = rng.uniform(*PITCH_HZ) * falls * (1 + rng.uniform(0, 0.2) * accents)
    return melody


def _response(
    formants: Track, voiced: NDArray[np.bool_], rng: Generator, sample_rate: int
) -> NDArray[np.complex128]:
    """Return the response of each frame, (n, frequencies): a resonance for each formant."""
    n_fft = _PARTS * round(HOP_S * sample_rate)
    back = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)  # by one sample
    radius = np.exp(-np.pi * rng.uniform(40, 100) * BANDWIDTHS / sample_rate)
    angle = 2 * np.pi * np.minimum(formants / sample_rate, _HIGHEST)
    tilt = np.where(voiced, rng.uniform(0, 0.97), 0)  # of the pulses, whose own spectrum is flat
    under = 1 - tilt[:, None] * back
    for r, at in zip(radius, angle.T, strict=True):
        under *= 1 - 2 * r * np.cos(at)[:, None] * back + r**2 * back**2
    response: NDArray[np.complex128] = 1 / under
    return response


def _source(periods: Track, voiced: NDArray[np.bool_], rng: Generator, hop: int) -> Track:
    """Return pulses where there is a voice and noise elsewhere, both of power 1."""
    at = np.arange(len(periods) * hop) / hop
    period = np.interp(at, np.arange(len(periods)), periods)
    pulses = np.diff(np.floor(np.cumsum(1 / period)), prepend=0.0) * np.sqrt(period)
    return np.where(np.repeat(voiced, hop), pulses, rng.standard_normal(len(at)))


def _filtered(source: Track, response: NDArray[np.complex128], hop: int) -> Track:
    """Send each part of the source through its filter, and lay the parts over each other."""
    parts = np.lib.stride_tricks.sliding_window_view(np.pad(source, hop), 2 * hop)[::hop]
    shaped = parts[: len(response)] * np.hanning(2 * hop + 1)[:-1]
    heard = np.fft.irfft(np.fft.rfft(shaped, _PARTS * hop) * response, _PARTS * hop)
    laid = np.zeros(len(source) + _PARTS * hop)
    for number, part in enumerate(heard):
        laid[number * hop : number * hop + len(part)] += part
    return laid[hop : hop + len(source)]


def _smooth(tracks: Track, width: int) -> Track:
    """Average each track (m, n) over so many frames."""
    window = np.full(width, 1 / width)
    padded = np.pad(tracks, ((0, 0), (width // 2, width - 1 - width // 2)), mode="edge")
    return np.array([np.convolve(track, window, mode="valid") for track in padded])
