"""A recording as a web page draws it: outline and log-mel spectrum in a few kilobytes.

Both are reduced to at most COLUMNS columns and the spectrum is made block by block, so that an
hour of sound costs a page no more memory than a sentence.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.sound.features import HOP_LENGTH, N_FFT, TOP_DB, hz_to_mel, mel_decibels, spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ser_cli.types import Floats

COLUMNS = 600  # about the pixels a page has across
N_MELS = 128
BLOCK_FRAMES = 512  # transformed at a time: 2 MB
SILENCE_DB = -99.0  # what `mel_decibels` gives digital silence, and rounding
# cividis, dark to bright, which colour-blind eyes read as others do.
SHADES = (
    "#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78", "#948e77", "#aea371",
    "#c8b866", "#e5cf52", "#fee838",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is drawn of a recording.

    Attributes:
        seconds: Its length.
        sample_rate: Hz it was read at; the spectrum ends at half of it.
        low: Smallest sample of each column, (n,), full scale is 1.
        high: Largest sample of each column, (n,).
        mel_png: Its log-mel spectrum as a picture, time to the right, frequency upwards.
    """

    seconds: float
    sample_rate: int
    low: Floats
    high: Floats
    mel_png: bytes


def sketch(waveform: Floats, sample_rate: int) -> Sketch:
    """Draw a waveform (n,), n > 0, at `sample_rate` Hz."""
    low, high = outline(waveform)
    picture = png(mel_levels(waveform, sample_rate))
    return Sketch(len(waveform) / sample_rate, sample_rate, low, high, picture)


def outline(waveform: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Return the smallest and the largest sample of each of at most `columns` equal parts."""
    count = min(columns, len(waveform))
    starts = np.arange(count) * len(waveform) // count
    return np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)


def mel_levels(waveform: Floats, sample_rate: int, columns: int = COLUMNS) -> Floats:
    """Return the level in mel bands over time, (t, N_MELS) dB, 0 the loudest, -80 the lowest.

    Args:
        waveform: (n,), n > 0.
        sample_rate: Hz.
        columns: Most columns t; where there are more frames, a column shows the loudest of its.
    """
    n_frames = 1 + len(waveform) // HOP_LENGTH
    together = -(-n_frames // columns)
    block = together * max(1, BLOCK_FRAMES // together)
    context = N_FFT // 2 // HOP_LENGTH  # frames whose windows reach across a block's border
    parts = []
    for first in range(0, n_frames, block):
        left = min(first, context)
        part = waveform[(first - left) * HOP_LENGTH : (first + block + context) * HOP_LENGTH]
        frames = mel_decibels(spectrum(part, sample_rate), N_MELS)[left : left + block]
        parts.append(np.maximum.reduceat(frames, np.arange(0, len(frames), together)))
    levels = np.concatenate(parts)
    loudest = levels.max()
    if loudest <= SILENCE_DB:
        return np.full_like(levels, -TOP_DB)
    relative: Floats = np.maximum(levels - loudest, -TOP_DB)
    return relative


def mel_place(hertz: float, sample_rate: int) -> float:
    """Return where a frequency lies in `mel_levels`, 0..N_MELS from the bottom of its picture."""
    # The middle of band k, at k + 1/2, is tone k + 1 of N_MELS + 2 that begin at 0 Hz.
    return hz_to_mel(hertz) / hz_to_mel(sample_rate / 2) * (N_MELS + 1) - 0.5


def png(levels: Floats) -> bytes:
    """Return (t, m) dB in -80..0 as a picture of m rows, the first band lowest."""
    from PIL import Image

    shades = np.rint((1 + levels.T[::-1] / TOP_DB) * 255).astype(np.uint8)
    picture = Image.fromarray(shades)
    picture.putpalette(palette(SHADES).tobytes())  # it is paletted from now on, not grey
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def palette(shades: Sequence[str]) -> NDArray[np.uint8]:
    """Return 256 colours (256, 3), evenly between those given as #rrggbb."""
    fixed = np.array([list(bytes.fromhex(shade[1:])) for shade in shades])
    places = np.linspace(0, 255, len(fixed))
    mixed = [np.interp(np.arange(256), places, channel) for channel in fixed.T]
    colours: NDArray[np.uint8] = np.rint(np.stack(mixed, axis=1)).astype(np.uint8)
    return colours
