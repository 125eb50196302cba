"""Files of 35 kinds with the same sound in them, made by two libraries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from sounds import encode


@dataclass(frozen=True, slots=True)
class Format:
    """How a kind of file is written.

    Attributes:
        suffix: What the file is called.
        codec: FFmpeg's encoder, or libsndfile's subtype where there is no `form`.
        rate: Hz.
        form: FFmpeg's muxer, or libsndfile's format, in capitals.
        layout: Of the channels.
        options: Of the encoder.
    """

    suffix: str
    codec: str
    rate: int = 16_000
    form: str | None = None
    layout: str = "mono"
    options: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path, name: str, sound: Callable[[int], np.ndarray]) -> Path:
        """Write a sound, which is made at a rate, into a file."""
        path, wave = folder / f"{name}.{self.suffix}", sound(self.rate)
        if self.form and self.form.isupper():
            soundfile.write(path, wave, self.rate, self.codec, format=self.form)
            return path
        options = {"layout": self.layout, "options": self.options}
        return encode(path, self.codec, self.rate, wave, self.form, **options)  # type: ignore[arg-type]


FORMATS = {
    "wav-16": Format("wav", "PCM_16", form="WAV"),
    "wav-24": Format("wav", "PCM_24", form="WAV"),
    "wav-float": Format("wav", "FLOAT", form="WAV"),
    "wav-alaw": Format("wav", "ALAW", 8_000, form="WAV"),
    "wav-ulaw": Format("wav", "ULAW", 8_000, form="WAV"),
    "wav-adpcm": Format("wav", "MS_ADPCM", form="WAV"),
    "wav-gsm": Format("wav", "GSM610", 8_000, form="WAV"),
    "rf64": Format("rf64", "PCM_16", form="RF64"),
    "w64": Format("w64", "PCM_16", form="W64"),
    "aiff": Format("aiff", "PCM_16", form="AIFF"),
    "au": Format("au", "PCM_16", form="AU"),
    "caf": Format("caf", "PCM_16", form="CAF"),
    "nist": Format("sph", "PCM_16", form="NIST"),
    "voc": Format("voc", "PCM_16", form="VOC"),
    "flac": Format("flac", "flac"),
    "ogg-vorbis": Format("ogg", "VORBIS", form="OGG"),
    "ogg-opus": Format("opus", "libopus", 48_000, "ogg"),
    "mp3-cbr": Format("mp3", "libmp3lame", 22_050),
    "mp3-vbr": Format("mp3", "libmp3lame", 44_100, options={"q": "4"}),
    "mp2": Format("mp2", "mp2", 32_000),
    "m4a-aac": Format("m4a", "aac", 44_100),
    "m4a-alac": Format("m4a", "alac", 44_100),
    "m4a-8": Format("m4a", "aac", 48_000, layout="7.1"),
    "mov-pcm": Format("mov", "pcm_s16le", 44_100),
    "adts": Format("aac", "aac", 44_100),
    "amr": Format("amr", "libopencore_amrnb", 8_000),
    "webm-opus": Format("webm", "libopus", 48_000),
    "mka-pcm": Format("mka", "pcm_s16le"),
    "mkv-aac": Format("mkv", "aac", 44_100),
    "wma": Format("wma", "wmav2", 44_100, options={"b": "64000"}),
    "ac3": Format("ac3", "ac3", 48_000),
    "eac3": Format("eac3", "eac3", 48_000),
    "ts-aac": Format("ts", "aac", 44_100),
    "avi-mp3": Format("avi", "libmp3lame", 44_100),
    "flv-mp3": Format("flv", "libmp3lame", 44_100),
    "tta": Format("tta", "tta"),
    "wv": Format("wv", "wavpack"),
}
