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


def encode(
    path: Path, codec: str, rate: int, waveform: np.ndarray, form: str | None = None
) -> Path:
    """Write a waveform (n,) with one of FFmpeg's encoders."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        size = stream.codec_context.frame_size or 1024
        fit = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate, frame_size=size
        )
        frame = av.AudioFrame.from_ndarray(waveform[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for part in [*fit.resample(frame), *fit.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path
