"""A file, an open one, or a waveform in memory -> what may decode it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from ser_cli import addresses, remote
from ser_cli.errors import AudioError
from ser_cli.sound import decode, joined, sniff
from ser_cli.sound.decode import Stream
from ser_cli.sound.guard import guarded
from ser_cli.sound.limits import USUAL, Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

Source = Path | str | BinaryIO
FFMPEG, SNDFILE, MEMORY = "FFmpeg", "libsndfile", "memory"

# Kinds of numbers that a waveform may hold, their zero and full scale.
_ARRAYS: dict[np.dtype[Any], tuple[int, int]] = {
    **{np.dtype(kind): (0, 1) for kind in ("f2", "f4", "f8")},
    np.dtype("u1"): (128, 128),
    np.dtype("i2"): (0, 2**15),
    np.dtype("i4"): (0, 2**31),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that may be decoded.

    Attributes:
        name: For messages.
        decoders: By their names, the likeliest first.
        judge: The one whose reason counts where none can.
        other: What it is by its first bytes, where that is no sound.
    """

    name: str
    decoders: Mapping[str, Callable[[], AbstractContextManager[Stream]]]
    judge: str
    other: str | None = None


def opened(source: Source, limits: Limits = USUAL, *, track: int | None = None) -> Opened:
    """Return a file as what may decode it.

    Args:
        source: A file, its address elsewhere, or an open binary file. libsndfile reads it where it
            can, else FFmpeg.
        limits: Of a decoder that runs in a process of its own.
        track: Number of the audio track, from 0; None is the first that holds sound.

    Raises:
        AudioError: There is no such file, or it is empty or cannot be read.
    """
    name = _name(source)
    file = _readable(source, name)
    first = _head(file)
    ffmpeg = partial(guarded, decode.by_ffmpeg, file, limits, track=track)
    # The rest of what it reads is less tried, and may crash.
    plain = partial(decode.by_soundfile, file) if sniff.is_plain(first) else None
    # Of a chain libsndfile reads the first alone, and of tracks it knows nothing.
    if track is not None or joined.is_chain(file, first):
        return Opened(name, {FFMPEG: ffmpeg}, FFMPEG)
    found = {SNDFILE: plain or partial(guarded, decode.by_soundfile, file, limits), FFMPEG: ffmpeg}
    # libsndfile guesses how long an MP3 without a length is, and reads a chain's first link alone.
    ordered = dict(reversed(found.items())) if sniff.is_stream(first) else found
    return Opened(name, ordered, FFMPEG, sniff.other(first))


def from_array(waveform: NDArray[Any], sample_rate: int, name: str = "waveform") -> Opened:
    """Return a waveform that is in memory as what needs no decoding.

    Args:
        waveform: (n,), or (n, channels) or (channels, n), of which the longer side is time. Floats
            in about -1..1, or integers, whose type states full scale; 8 bits are unsigned, as in
            WAV.
        sample_rate: Its rate in Hz.
        name: For messages.

    Raises:
        AudioError: It is no waveform, or holds no samples.
    """
    waveform = waveform.astype(waveform.dtype.newbyteorder("="), copy=False)
    if waveform.ndim == 2:
        waveform = waveform.T if waveform.shape[0] < waveform.shape[1] else waveform
    elif waveform.ndim == 1:
        waveform = waveform[:, None]
    if waveform.ndim != 2 or waveform.dtype not in _ARRAYS:
        raise AudioError(
            f"{waveform.shape} {waveform.dtype} is no waveform",
            hint="give (n,) or (n, channels) of floats in -1..1, or of 8, 16 or 32 bit integers",
        )
    if not waveform.size:
        raise AudioError(f"a waveform of {len(waveform)} samples is no sound")
    return Opened(name, {MEMORY: partial(_in_memory, waveform, sample_rate)}, MEMORY)


@contextmanager
def _in_memory(waveform: NDArray[Any], sample_rate: int) -> Iterator[Stream]:
    channels = waveform.shape[1]
    step = max(1, decode.BLOCK // channels)
    blocks = (_as_floats(waveform[at : at + step]) for at in range(0, len(waveform), step))
    yield Stream(sample_rate, channels, blocks)


def _as_floats(samples: NDArray[Any]) -> Floats:
    """Return samples as floats, full scale being 1."""
    zero, full = _ARRAYS[samples.dtype]
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    scaled: Floats = ((samples.astype(np.float64) - zero) / full).astype(np.float32)
    return scaled


def _head(source: Path | BinaryIO) -> bytes:
    if isinstance(source, Path):
        return sniff.head(source)
    source.seek(0)
    return source.read(sniff.HEAD)


def _name(source: Source) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "audio stream"))


def _readable(source: Source, name: str) -> Path | BinaryIO:
    """Return the source once it is known to be a file with bytes in it."""
    if isinstance(source, str) and addresses.is_url(source):
        source = cast("BinaryIO", remote.File(source))
    if not isinstance(source, (str, Path)):
        stream = source if source.seekable() else io.BytesIO(source.read())
        if not stream.seek(0, io.SEEK_END):
            raise AudioError(f"{name}: is empty (0 bytes)")
        return stream
    path = Path(source)
    try:
        if not path.exists():
            raise AudioError(f"{name}: no such file")
        if path.is_dir():
            raise AudioError(f"{name}: is a folder, not an audio file")
        if not path.is_file():
            raise AudioError(f"{name}: is a device or pipe, not an audio file")
        if path.stat().st_size == 0:
            raise AudioError(f"{name}: is empty (0 bytes)")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{name}: cannot be opened ({reason})") from error
    return path
