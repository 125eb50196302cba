"""Sounds in which nobody speaks, made otherwise than those that `ser_cli.sound.nothing` makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound import degrade

if TYPE_CHECKING:
    from numpy.random import Generator

    from ser_cli.types import Floats

RATE = 16_000
DTMF = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477, 1633)]
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)  # semitones of a chord


def sound(kind: str, rng: Generator, *, seconds: float = 4.0) -> Floats:
    """Return a sound (n,) at 16 kHz, of a peak between -40 and 0 dB of full scale."""
    made = KINDS[kind](np.arange(round(seconds * RATE)) / RATE, rng)
    peak = float(np.abs(made).max()) or 1.0
    if kind not in LEVELLED:
        made = made / peak * 10 ** rng.uniform(-2, 0)
    return made.astype(np.float32)


def _white(at: np.ndarray, rng: Generator) -> np.ndarray:
    return rng.standard_normal(len(at))


def _coloured(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Noise through a chain of one-pole filters: hiss to rumble."""
    return _filtered(_white(at, rng), rng.uniform(100, 6_000), int(rng.integers(1, 4)))


def _wind(at: np.ndarray, rng: Generator) -> np.ndarray:
    gusts = _filtered(_white(at, rng), 0.5, 1)
    return np.asarray(_filtered(_white(at, rng), rng.uniform(100, 600), 2) * (gusts - gusts.min()))


def _rain(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Thousands of drops on a soft hiss."""
    drops = (rng.random(len(at)) < rng.uniform(0.001, 0.05)) * rng.exponential(1, len(at))
    return drops + rng.uniform(0.01, 0.1) * _white(at, rng)


def _hum(at: np.ndarray, rng: Generator) -> np.ndarray:
    """A mains hum, rectified and overdriven, as of a bad cable or a transformer."""
    wave = np.abs(np.sin(2 * np.pi * rng.choice((50, 60, 400)) / 2 * at))
    return np.asarray(np.tanh(rng.uniform(1, 20) * (wave - wave.mean())))


def _engine(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Explosions of cylinders at a drifting speed, each unlike the last."""
    pace = rng.uniform(15, 90) * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.05, 0.3) * at))
    turns = np.cumsum(pace) / RATE
    stroke = np.exp(-rng.uniform(2, 12) * (turns % 1))
    strength = rng.uniform(0.5, 1, int(turns[-1]) + 1)[turns.astype(int)]
    return np.asarray(stroke * strength + 0.1 * _filtered(_white(at, rng), 800, 1))


def _tone(at: np.ndarray, rng: Generator) -> np.ndarray:
    """A sine, a square or a saw, with or without tremolo."""
    phase = rng.uniform(60, 3_000) * at
    wave = (np.sin(2 * np.pi * phase), np.sign(np.sin(2 * np.pi * phase)), 2 * (phase % 1) - 1)
    return wave[rng.integers(3)] * (1 + rng.uniform(0, 1) * np.sin(2 * np.pi * 5 * at))


def _siren(at: np.ndarray, rng: Generator) -> np.ndarray:
    sweep = np.sin(2 * np.pi * rng.uniform(0.2, 4) * at)
    hertz = rng.uniform(500, 900) * 2 ** (rng.uniform(0.2, 1) * sweep)
    return np.asarray(np.tanh(3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)))


def _dtmf(at: np.ndarray, rng: Generator) -> np.ndarray:
    keys = rng.integers(len(DTMF), size=int(at[-1] / 0.15) + 1)[(at / 0.15).astype(int)]
    low, high = np.array(DTMF).T[:, keys]
    both = np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at)
    return np.asarray((at % 0.15 < 0.1) * both)


def _alarm(at: np.ndarray, rng: Generator) -> np.ndarray:
    hertz, pace = rng.uniform(800, 3_500), rng.uniform(1, 8)
    return (at * pace % 1 < 0.5) * np.sign(np.sin(2 * np.pi * hertz * at))


def _clicks(at: np.ndarray, rng: Generator) -> np.ndarray:
    """A clock, a metronome or a keyboard: short resonances, regular or not."""
    begins = np.cumsum(rng.uniform(0.08, 0.6, 60) if rng.random() < 0.5 else np.full(60, 0.5))
    return _struck(at, begins, rng, hertz=(800, 5_000), decay=(100, 800), noise=0.3)


def _drums(at: np.ndarray, rng: Generator) -> np.ndarray:
    beat = rng.uniform(0.25, 0.6)
    kick = _struck(at, np.arange(0, at[-1], beat), rng, hertz=(45, 80), decay=(8, 20), noise=0.0)
    snare = np.arange(beat, at[-1], 2 * beat)
    hat = np.arange(0, at[-1], beat / 2)
    return np.asarray(
        kick
        + _struck(at, snare, rng, hertz=(150, 250), decay=(15, 30), noise=3.0)
        + _struck(at, hat, rng, hertz=(5_000, 7_500), decay=(60, 150), noise=0.5)
    )


def _birds(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Chirps that slide and trill, two octaves above any voice."""
    made = np.zeros(len(at))
    for begin in rng.uniform(0, at[-1], 12):
        since = at - begin
        inside = (since > 0) & (since < rng.uniform(0.05, 0.4))
        slide = rng.uniform(2_000, 5_000) * since + rng.uniform(-3_000, 3_000) * since**2
        trill = rng.uniform(0, 6) * np.sin(2 * np.pi * rng.uniform(10, 40) * since)
        made += inside * np.sin(2 * np.pi * slide + trill)
    return made


def _chords(at: np.ndarray, rng: Generator) -> np.ndarray:
    """An organ's or strings' chords: detuned saws through a filter, held and swelling."""
    made, bar = np.zeros(len(at)), rng.uniform(0.6, 2)
    for begin in np.arange(0, at[-1], bar):
        inside = (at >= begin) & (at < begin + bar)
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for step in MAJOR if rng.random() < 0.5 else MINOR:
            for detune in (0.997, 1.0, 1.003):
                made += inside * (2 * ((root * 2 ** (step / 12) * detune * at) % 1) - 1)
    return _filtered(made, rng.uniform(400, 4_000), 2)


def _arpeggio(at: np.ndarray, rng: Generator) -> np.ndarray:
    """Plucked strings (Karplus and Strong) that climb chords."""
    made, pace = np.zeros(len(at)), rng.uniform(0.1, 0.35)
    root = 110 * 2 ** (rng.integers(0, 24) / 12)
    for n, begin in enumerate(np.arange(0, at[-1] - pace, pace)):
        period = round(RATE / (root * 2 ** (((*MAJOR, 12)[n % 4]) / 12)))
        first = round(begin * RATE)
        string, rounds = _white(at[:period], rng), (len(at) - first) // period + 1
        plucked = [string]
        for _ in range(rounds):
            plucked.append(0.498 * (plucked[-1] + np.roll(plucked[-1], 1)))
        made[first:] += np.concatenate(plucked)[: len(at) - first]
    return made


def _alaw_idle(at: np.ndarray, rng: Generator) -> np.ndarray:
    """A telephone line on which nobody speaks: A-law has no zero."""
    return rng.choice((-8.0, 8.0), len(at)) / 2**15


def _opus_silence(at: np.ndarray, rng: Generator) -> np.ndarray:
    """What Opus makes of a quiet room."""
    room = 10 ** rng.uniform(-4.5, -3) * _coloured(at, rng)
    quiet = degrade.code(room.astype(np.float32), "opus", sample_rate=RATE)
    return quiet.astype(np.float64)


def _filtered(wave: np.ndarray, hertz: float, order: int) -> np.ndarray:
    """Pass through one-pole low passes, by their spectrum."""
    share = np.fft.rfftfreq(len(wave), 1 / RATE) / hertz
    filtered: np.ndarray = np.fft.irfft(np.fft.rfft(wave) / (1 + 1j * share) ** order, len(wave))
    return filtered


def _struck(
    at: np.ndarray,
    begins: np.ndarray,
    rng: Generator,
    *,
    hertz: tuple[float, float],
    decay: tuple[float, float],
    noise: float,
) -> np.ndarray:
    """Hit something that rings at one frequency, and rattles."""
    made, pitch, fall = np.zeros(len(at)), rng.uniform(*hertz), rng.uniform(*decay)
    for begin in begins[begins < at[-1]]:
        since = np.maximum(at - begin, 0)
        ringing = np.sin(2 * np.pi * pitch * since) + noise * 0.3 * _white(at, rng)
        made += (at >= begin) * np.exp(-fall * since) * ringing * rng.uniform(0.5, 1)
    return made


KINDS: Mapping[str, Callable[[np.ndarray, Generator], np.ndarray]] = {
    "silence": lambda at, rng: np.zeros(len(at)),
    "A-law idle": _alaw_idle,
    "Opus silence": _opus_silence,
    "white noise": _white,
    "coloured noise": _coloured,
    "wind": _wind,
    "rain": _rain,
    "hum": _hum,
    "engine": _engine,
    "tone": _tone,
    "siren": _siren,
    "DTMF": _dtmf,
    "alarm": _alarm,
    "clicks": _clicks,
    "drums": _drums,
    "birds": _birds,
    "chords": _chords,
    "arpeggio": _arpeggio,
}
LEVELLED = {"silence", "A-law idle", "Opus silence"}  # their level is what they are
