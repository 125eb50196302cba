"""The conditions that a model is tried under: one change each, of a stated strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ser_cli.sound import degrade

if TYPE_CHECKING:
    from numpy.random import Generator

    from ser_cli.types import Copy, Floats

CLEAN = "clean"
Change = Callable[["Floats", int, "Generator"], "Floats"]  # waveform, Hz, draws -> waveform

CONDITIONS: Mapping[str, Change] = {
    CLEAN: lambda wave, rate, rng: wave,
    "cut to 100 ms around the speech": lambda wave, rate, rng: degrade.cut(
        wave, 0.1, sample_rate=rate
    ),
    "cut to the speech": lambda wave, rate, rng: degrade.cut(wave, 0.0, sample_rate=rate),
    "2 s of silence on both sides": lambda wave, rate, rng: degrade.surround(
        wave, 2.0, sample_rate=rate
    ),
    "-40 dB": lambda wave, rate, rng: degrade.gain(wave, -40),
    "-20 dB": lambda wave, rate, rng: degrade.gain(wave, -20),
    "+12 dB, clipped": lambda wave, rate, rng: degrade.gain(wave / _peak(wave), 12),
    "8 kHz": lambda wave, rate, rng: degrade.narrow(wave, sample_rate=rate),
    "A-law": lambda wave, rate, rng: degrade.code(wave, "alaw", sample_rate=rate),
    "GSM": lambda wave, rate, rng: degrade.code(wave, "gsm", sample_rate=rate),
    "white noise, 20 dB": lambda wave, rate, rng: degrade.add_noise(wave, rng, snr_db=20),
    "white noise, 10 dB": lambda wave, rate, rng: degrade.add_noise(wave, rng, snr_db=10),
    "white noise, 0 dB": lambda wave, rate, rng: degrade.add_noise(wave, rng, snr_db=0),
    "babble, 20 dB": lambda wave, rate, rng: degrade.add_babble(wave, rng, snr_db=20),
    "babble, 10 dB": lambda wave, rate, rng: degrade.add_babble(wave, rng, snr_db=10),
    "babble, 0 dB": lambda wave, rate, rng: degrade.add_babble(wave, rng, snr_db=0),
    "reverberation, .5 s": lambda wave, rate, rng: degrade.reverberate(
        wave, rng, sample_rate=rate, rt60=0.5
    ),
    "MP3, 32 kbit/s": lambda wave, rate, rng: degrade.code(wave, "mp3", sample_rate=rate),
    "Opus, 12 kbit/s": lambda wave, rate, rng: degrade.code(wave, "opus", sample_rate=rate),
    "first half": lambda wave, rate, rng: degrade.part(wave, 0.0, 0.5),
    "second half": lambda wave, rate, rng: degrade.part(wave, 0.5, 1.0),
}


def under(name: str, sample_rate: int, waveform: Floats, copy: Copy) -> Floats:
    """Return a waveform under a condition; with the first two arguments bound, an `Augment`."""
    return CONDITIONS[name](waveform, sample_rate, copy.rng)


def _peak(waveform: Floats) -> float:
    return float(abs(waveform).max(initial=0.0)) or 1.0
