"""Waveforms whose features are known, and files of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest

if TYPE_CHECKING:
    from ser_cli.types import Floats

CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "m4a": "aac",
    "webm": "libopus",
    "ogg": "libopus",
}


FORMANTS = ((500, 120), (1_500, 180), (2_500, 250))  # Hz, and their width


def sine(hertz: float, rate: int = 16_000, seconds: float = 1.0) -> Floats:
    at = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def signals(rate: int) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    chirp = librosa.chirp(fmin=100, fmax=6000, sr=rate, duration=1.0)
    return {
        "silence": np.zeros(rate, np.float32),
        "noise": (0.1 * rng.standard_normal(rate)).astype(np.float32),
        "sine": sine(440, rate),
        "chirp": chirp.astype(np.float32),
        "quiet": (1e-4 * rng.standard_normal(rate)).astype(np.float32),
        "short": (0.1 * rng.standard_normal(4_500)).astype(np.float32),
    }


def speech(rate: int = 16_000, seconds: float = 1.0) -> Floats:
    """Return something like speech: harmonics of a gliding voice in syllables, and breath."""
    at = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros(len(at))
    for n in range(1, int(0.45 * rate / 150)):
        formants = sum(np.exp(-(((n * pitch - f) / w) ** 2)) for f, w in FORMANTS)
        voice += formants * np.sin(n * phase)
    syllables = np.maximum(np.sin(2 * np.pi * 2.2 * at), 0) ** 0.5
    breath = 0.02 * np.random.default_rng(0).standard_normal(len(at))
    sound = syllables * (voice + breath) + 0.02 * breath
    scaled: Floats = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return scaled


def encode(
    path: Path,
    codec: str,
    rate: int,
    waveform: np.ndarray,
    form: str | None = None,
    *,
    layout: str = "mono",
    options: dict[str, str] | None = None,
) -> Path:
    """Write a waveform (n,) with one of FFmpeg's encoders, the same in every channel."""
    av = pytest.importorskip("av")
    target = str(path) if isinstance(path, Path) else path
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.layout = layout
        size = stream.codec_context.frame_size or 1024
        fit = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=rate, frame_size=size
        )
        channels = av.AudioLayout(layout).nb_channels
        packed = np.repeat(waveform.astype(np.float32), channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = rate
        for part in [*fit.resample(frame), *fit.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path
