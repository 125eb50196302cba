"""Any audio file -> a mono float32 waveform at the rate that is asked for.

A file is decoded in blocks, and of each block only its mono mix at the target rate is kept: a
file needs the memory of its result, whatever its channels, rate or header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ser_cli.sound import source as sources
from ser_cli.sound.decode import Stream
from ser_cli.sound.limits import CLIP, Limits
from ser_cli.sound.mixer import SHORT_S, is_silent
from ser_cli.sound.reading import Reading, decoded
from ser_cli.types import Audio

if TYPE_CHECKING:
    from ser_cli.types import Floats

# Of what browsers play as it is.
MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".webm": "audio/webm",
}


def load(source: Path | str | BinaryIO, *, sample_rate: int, limits: Limits = CLIP) -> Audio:
    """Decode sound, mix it down to mono and resample it.

    The result of a plain PCM file equals `librosa.load(sr=sample_rate, res_type="soxr_hq")`.

    Args:
        source: A file, or an open binary file. libsndfile reads it where it can, else FFmpeg.
        sample_rate: Rate of the result in Hz.
        limits: What is beyond its hours is not heard.

    Returns:
        Waveform (n,) and flags: "short", "silent", and those of `Reading.flags`.

    Raises:
        AudioError: There is no such file, or nothing in it can be decoded.
    """
    return whole(read(source, sample_rate=sample_rate, limits=limits))


def read(source: Path | str | BinaryIO, *, sample_rate: int, limits: Limits = CLIP) -> Reading:
    """Return the same while it is read, part by part.

    Raises:
        AudioError: There is no such file, or it cannot be opened.
    """
    return Reading(sources.opened(source, limits), sample_rate, limits=limits)


def whole(reading: Reading) -> Audio:
    """Read a recording to its end.

    Raises:
        AudioError: It cannot be decoded.
    """
    waveform = np.concatenate(list(reading))
    odd = {"short": reading.seconds < SHORT_S, "silent": is_silent(waveform)}
    flags = tuple(name for name, found in odd.items() if found)
    return Audio(waveform, reading.sample_rate, flags + reading.flags())


def measure(source: Path | str | BinaryIO) -> tuple[int, float]:
    """Return the sample rate in Hz and the length in seconds that a file's header states.

    Nothing is decoded, except where no length is stated.

    Raises:
        AudioError: There is no such file, or it is no sound.
    """

    def stated(stream: Stream) -> Iterator[tuple[int, float]]:
        seconds = stream.stated_s or sum(map(len, stream.blocks)) / stream.rate
        yield stream.rate, seconds

    (found,) = decoded(sources.opened(source), stated)
    return found


def sliding(parts: Iterable[Floats], size: int, hop: int) -> Iterator[tuple[int, Floats]]:
    """Cut a waveform that comes in parts into windows that cover all of it.

    Args:
        parts: Of the waveform, (n,) each.
        size: Samples that a window holds; a shorter waveform is one window.
        hop: Samples from one start to the next, at most `size`. The last window ends where the
            waveform ends, so it may overlap its neighbour more than the others.

    Yields:
        Where a window starts, and its samples.
    """
    held: list[Floats] = []
    offset = end = start = 0  # of what is held, and where the next window starts
    for part in parts:
        held.append(part)
        end += len(part)
        if end <= start + size:
            continue
        wave = np.concatenate(held)
        while start + size < end:
            yield start, wave[start - offset :][:size]
            start += hop
        first = max(offset, min(start, end - size))
        held, offset = [wave[first - offset :]], first
    last = max(0, end - size)
    yield last, np.concatenate(held)[last - offset :]


def window_samples(length: float, step: float, sample_rate: int) -> tuple[int, int]:
    """Return size and hop in samples of windows whose length and step are seconds."""
    size = max(1, round(length * sample_rate))
    return size, max(1, min(size, round(step * sample_rate)))


def spans(parts: Iterable[Floats], wanted: Sequence[tuple[int, int]]) -> Iterator[Floats]:
    """Cut stretches out of a waveform that comes in parts.

    Args:
        parts: Of the waveform, (n,) each.
        wanted: Where each starts and ends, in samples, sorted by their starts.

    Yields:
        The samples of each; fewer where the waveform ends before, and none where it does not
        reach it.
    """
    coming, held, offset = iter(parts), np.zeros(0, np.float32), 0
    for start, end in wanted:
        kept, reached = [held], offset + len(held)
        while reached < end and (part := next(coming, None)) is not None:
            kept.append(part)
            reached += len(part)
            while kept and offset + len(kept[0]) <= start:
                offset += len(kept.pop(0))
        held = np.concatenate([held[:0], *kept])
        first = min(max(0, start - offset), len(held))
        held, offset = held[first:], offset + first
        yield held[: max(0, end - offset)]
