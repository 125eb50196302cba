"""What a clip sounds like, in numbers that people know: level, noise, pitch, the silence around it.

All of it is by level, without a model: of frames of 25 ms the quietest tenth tells how loud noise
is, and speech lasts from the first to the last frame that stands out from that. The signal-to-noise
ratio is that of the speech to all frames that do not stand out: the pauses in and around it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.frontend import Column, Frontend
from ser_cli.sound.speech import FLOOR_DB, FRAME, HOP, speech_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

    Doubles = NDArray[np.float64]

SAMPLE_RATE = 16_000
LOWEST_HZ, HIGHEST_HZ = 60.0, 600.0  # of voices, shouted and sung ones among them
COLUMNS = tuple(
    Column(name, 0, unit)
    for name, unit in {
        "level": "dB of full scale",
        "snr": "dB",
        "f0": "Hz",
        "silence_before": "s",
        "silence_after": "s",
        "speech": "s",
    }.items()
)
NAMES = tuple(column.family for column in COLUMNS)

_QUIETEST = 0.1  # share of the frames that is taken for the pauses
_FAINTEST = 1e-10  # power, -100 dB of full scale: 16 bits hold nothing below
_ABOVE_DB = 6.0  # the pauses: what is louder is speech
_WINDOW, _STEP = 1_024, 320  # 64 ms, which holds two periods of the lowest voice, every 20 ms
_VOICED = 0.5  # correlation of a frame with itself a period later
_FEWEST = 5  # voiced frames, .1 s, that tell a pitch


def measure(waveform: Floats) -> Floats:
    """Return the COLUMNS of a clip; NaN for what cannot be told.

    Args:
        waveform: (n,) at 16 kHz.

    Returns:
        (1, 6): RMS of the speech in dB of full scale; its power, less that of the noise, over the
        median power of all frames that are no speech, in dB, NaN where all of it is speech; the
        median pitch of its voiced frames in Hz; seconds of silence before and after it, and of it.
    """
    power = _frame_power(waveform)
    if power.max() <= _FAINTEST:
        return np.full((1, len(COLUMNS)), np.nan, np.float32)
    floor_db = _floor_db(power)
    inside = speech_part(waveform, floor_db) if floor_db > 0 else slice(0, len(waveform))
    speech = waveform[inside]
    level = float(np.square(speech, dtype=np.float64).mean())
    samples = (inside.start, len(waveform) - inside.stop, len(speech))
    seconds = (count / SAMPLE_RATE for count in samples)
    row = (10 * np.log10(level), _snr_db(level, power, floor_db), _pitch(speech), *seconds)
    return np.array([row], np.float32)


def _frame_power(waveform: Floats) -> Doubles:
    """Return the mean square of each frame, (t,); at least one, silence beyond the end."""
    squares = np.square(np.pad(waveform, (0, max(0, FRAME - len(waveform)))), dtype=np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(squares, FRAME)[::HOP]
    power: Doubles = frames.mean(axis=1)
    return power


def _floor_db(power: Doubles) -> float:
    """Return how far below the loudest frame speech ends: above the noise, where there is any."""
    quiet = np.sort(power)[: max(1, round(_QUIETEST * len(power)))]
    noise = max(float(quiet.mean()), _FAINTEST)
    return min(FLOOR_DB, 10 * math.log10(float(power.max()) / noise) - _ABOVE_DB)


def _snr_db(level: float, power: Doubles, floor_db: float) -> float:
    if floor_db <= 0:
        return float("nan")
    pauses = power[power <= power.max() * 10 ** (-floor_db / 10)]
    noise = max(float(np.median(pauses)), _FAINTEST)
    return 10 * math.log10(max(level - noise, noise / 10) / noise)


def _pitch(speech: Floats) -> float:
    """Return the median of YIN's pitch over the voiced frames, in Hz; NaN where few are voiced."""
    if len(speech) < _WINDOW:
        return float("nan")
    import librosa

    found = librosa.yin(
        speech, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=SAMPLE_RATE,
        frame_length=_WINDOW, hop_length=_STEP, center=False,
    )  # fmt: skip
    frames = np.lib.stride_tricks.sliding_window_view(speech, _WINDOW)[::_STEP]
    voiced = [hertz for hertz, frame in zip(found, frames, strict=True) if _repeats(frame, hertz)]
    return float(np.median(voiced)) if len(voiced) >= _FEWEST else float("nan")


def _repeats(frame: Floats, hertz: float) -> bool:
    """Tell whether a frame sounds the same a period later."""
    lag = round(SAMPLE_RATE / hertz)
    one, two = frame[:-lag].astype(np.float64), frame[lag:].astype(np.float64)
    return float(one @ two) > _VOICED * float(np.sqrt((one @ one) * (two @ two)))


FRONTEND = Frontend("acoustics", SAMPLE_RATE, COLUMNS, measure)
