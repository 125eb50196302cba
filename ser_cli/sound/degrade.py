"""What happens to speech between a mouth and a file: noise, rooms, telephones, codecs, cuts.

Each function takes a waveform (n,) and returns another; randomness comes in as a generator. The
level of noise is told against the speech alone, without the silence around it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.augment import speed
from ser_cli.sound.speech import speech_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from ser_cli.types import Copy, Floats

TELEPHONE_HZ = 8_000
SHORTEST = 1_600  # samples; what is shorter is not degraded
SYLLABLES_HZ = 4  # how often babble swells
TALKERS = 6
# Format, subtype, rate in Hz and compression of libsndfile, whose scale runs from 0 to 1; the rates
# it yields were measured on speech: 32.7 kbit/s for MP3, 12.4 for Opus.
CODECS: dict[str, tuple[str, str, int, float | None]] = {
    "alaw": ("WAV", "ALAW", TELEPHONE_HZ, None),
    "gsm": ("WAV", "GSM610", TELEPHONE_HZ, None),
    "mp3": ("MP3", "MPEG_LAYER_III", 16_000, 0.85),
    "opus": ("OGG", "OPUS", 16_000, 0.976),
}


def add_noise(waveform: Floats, rng: Generator, *, snr_db: float, tilt: float = 0.0) -> Floats:
    """Add steady noise.

    Args:
        waveform: (n,).
        rng: Of the noise.
        snr_db: Power of the speech over that of the noise, in dB.
        tilt: Of its spectrum: 0 is white; 1 falls by 6 dB an octave.
    """
    noise = rng.standard_normal(len(waveform))
    if tilt:
        noise = _shaped(noise, lambda share: (share + 1e-3) ** -tilt)
    return _mixed(waveform, noise, snr_db)


def add_babble(waveform: Floats, rng: Generator, *, snr_db: float) -> Floats:
    """Add noise like many voices: with the spectrum of speech, swelling as syllables do."""
    n_knots = 2 + int(len(waveform) * SYLLABLES_HZ / 16_000)
    at = np.linspace(0, n_knots - 1, len(waveform))
    noise = np.zeros(len(waveform))
    for _ in range(TALKERS):
        # The long-term spectrum of speech falls by about 9 dB an octave above 500 Hz.
        voice = _shaped(rng.standard_normal(len(waveform)), lambda s: 1 / (1 + (s / 0.06) ** 1.5))
        noise += voice * np.interp(at, np.arange(n_knots), rng.uniform(0, 1, n_knots) ** 2)
    return _mixed(waveform, noise, snr_db)


def reverberate(
    waveform: Floats, rng: Generator, *, sample_rate: int, rt60: float, direct_db: float = 0.0
) -> Floats:
    """Play in a room: an exponentially decaying tail after the direct sound.

    Args:
        waveform: (n,).
        rng: Of the tail.
        sample_rate: Hz.
        rt60: Seconds in which the tail falls by 60 dB.
        direct_db: Energy of the direct sound over that of the tail.

    Returns:
        n samples and the tail.
    """
    n_tail = round(rt60 * sample_rate)
    tail = rng.standard_normal(n_tail) * 10 ** (-3 * np.arange(n_tail) / n_tail)
    tail[0] = 0
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = len(waveform) + n_tail
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(tail, size), size)
    return wet.astype(np.float32)


def narrow(waveform: Floats, *, sample_rate: int, to: int = TELEPHONE_HZ) -> Floats:
    """Pass through a lower sample rate, which leaves nothing above half of it."""
    import soxr

    low = soxr.resample(waveform, sample_rate, to)
    return _fitted(soxr.resample(low, to, sample_rate), len(waveform))


def code(waveform: Floats, codec: str, *, sample_rate: int) -> Floats:
    """Encode and decode with one of CODECS; full scale before it is the loudest sample."""
    import soundfile
    import soxr

    kind, subtype, rate, level = CODECS[codec]
    loudest = _loudest(waveform)
    sound = soxr.resample(waveform / loudest * 0.9, sample_rate, rate)
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind, subtype=subtype, compression_level=level)
    file.seek(0)
    heard, rate = soundfile.read(file, dtype="float32")
    back = soxr.resample(heard, rate, sample_rate) * np.float32(loudest / 0.9)
    return _fitted(back, len(waveform))


def gain(waveform: Floats, decibels: float) -> Floats:
    """Make louder or, below 0, quieter; what exceeds full scale is clipped."""
    louder: Floats = np.clip(waveform * np.float32(10 ** (decibels / 20)), -1, 1)
    return louder


def surround(waveform: Floats, seconds: float, *, sample_rate: int) -> Floats:
    """Add silence before and after."""
    return np.pad(waveform, round(seconds * sample_rate))


def cut(waveform: Floats, margin_s: float, *, sample_rate: int) -> Floats:
    """Cut to the speech and so many seconds around it."""
    inside, margin = speech_part(waveform), round(margin_s * sample_rate)
    return waveform[max(0, inside.start - margin) : inside.stop + margin]


def part(waveform: Floats, begin: float, end: float) -> Floats:
    """Cut to a part of the speech, told as shares of it (0..1)."""
    heard = waveform[speech_part(waveform)]
    return heard[int(begin * len(heard)) : max(int(end * len(heard)), int(begin * len(heard)) + 1)]


def _mixed(waveform: Floats, noise: np.ndarray, snr_db: float) -> Floats:
    speech = float(np.square(waveform[speech_part(waveform)], dtype=np.float64).mean())
    scale = np.sqrt(speech / 10 ** (snr_db / 10) / max(float(np.square(noise).mean()), 1e-12))
    noisy: Floats = (waveform + scale * noise).astype(np.float32)
    return noisy


def _shaped(noise: np.ndarray, gain_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Filter noise; the gain is a function of frequency as a share of half the sample rate."""
    spectrum = np.fft.rfft(noise)
    spectrum *= gain_of(np.linspace(0, 1, len(spectrum)))
    return np.fft.irfft(spectrum, len(noise))


def _fitted(waveform: Floats, n_samples: int) -> Floats:
    """Return exactly so many samples; codecs add some, and resampling rounds."""
    fitted = np.zeros(n_samples, np.float32)
    fitted[: min(n_samples, len(waveform))] = waveform[:n_samples]
    return fitted


def degrades(number: int) -> bool:
    """Tell whether `anyhow` degrades this copy; else it is only played faster or slower."""
    return number % 2 == 0


def anyhow(waveform: Floats, copy: Copy) -> Floats:
    """Make a copy as it may come from anywhere: another speed, and mostly some degradations.

    All may be played faster or slower, which is another voice; every other copy also goes through a
    random chain, each link of it by chance.
    """
    rng, rate = copy.rng, 16_000
    sound = speed(waveform, rng.uniform(0.88, 1.14)) if rng.random() < 0.6 else waveform
    if not degrades(copy.number) or len(sound) < SHORTEST:
        return sound if len(sound) else waveform
    if rng.random() < 0.2:
        begin = rng.uniform(0, 0.4) if rng.random() < 0.4 else 0.0
        sound = part(sound, begin, begin + rng.uniform(0.5, 0.6) if begin else 1.0)
    if rng.random() < 0.35:
        sound = reverberate(
            sound, rng, sample_rate=rate, rt60=rng.uniform(0.15, 0.8), direct_db=rng.uniform(-3, 12)
        )[: len(sound)]
    if rng.random() < 0.7:
        snr_db = rng.uniform(-6, 18)
        if rng.random() < 0.3:
            sound = add_babble(sound, rng, snr_db=snr_db)
        else:
            sound = add_noise(sound, rng, snr_db=snr_db, tilt=max(0.0, rng.uniform(-0.5, 1)))
    if rng.random() < 0.25:
        sound = _through_a_channel(sound, rng, rate)
    overload_db = rng.uniform(0, 12) if rng.random() < 0.1 else 0.0
    return gain(sound / max(1.0, _loudest(sound)), overload_db)


def _through_a_channel(waveform: Floats, rng: Generator, sample_rate: int) -> Floats:
    """Send through one of: a narrow band, a codec, a filter that tilts the spectrum."""
    kind = rng.choice(["narrow", "tilt", *CODECS], p=[0.3, 0.25, 0.15, 0.15, 0.1, 0.05])
    if kind == "narrow":
        return narrow(waveform, sample_rate=sample_rate, to=int(rng.uniform(6_000, 14_000)))
    if kind == "tilt":
        slope = rng.uniform(-0.35, 0.35)
        tilted = _shaped(waveform.astype(np.float64), lambda share: (share + 0.025) ** slope)
        return tilted.astype(np.float32)
    return code(waveform, str(kind), sample_rate=sample_rate)


def _loudest(waveform: Floats) -> float:
    return float(np.abs(waveform).max(initial=0.0)) or 1.0
