"""Any audio file -> a mono float32 waveform at the rate that is asked for.

A file is decoded in blocks, and of each block only its mono mix at the target rate is kept: a
file of many hours needs the memory of its result, whatever its channels, rate or header.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from ser_cli.errors import AudioError
from ser_cli.sound import sniff
from ser_cli.sound.decode import Stream, UndecodableError, by_ffmpeg, by_soundfile
from ser_cli.sound.mixer import Mixer
from ser_cli.types import Audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

T = TypeVar("T")
Decoder = Callable[[Path | BinaryIO], AbstractContextManager[Stream]]

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

TRUNCATED_S = 0.1  # headers of lossy files are off by a frame or two (about 0.05 s) in good files
# Kinds of numbers that a waveform may hold, their zero and full scale.
_ARRAYS: dict[np.dtype[Any], tuple[int, int]] = {
    **{np.dtype(kind): (0, 1) for kind in ("f2", "f4", "f8")},
    np.dtype("u1"): (128, 128),
    np.dtype("i2"): (0, 2**15),
    np.dtype("i4"): (0, 2**31),
}
RATES = range(1_000, 1_000_001)  # Hz; outside, a header is damaged and resampling would explode


def load(source: Path | str | BinaryIO, *, sample_rate: int) -> Audio:
    """Decode sound, mix it down to mono and resample it.

    The result of a plain PCM file equals `librosa.load(sr=sample_rate, res_type="soxr_hq")`.

    Args:
        source: A file, or an open binary file. libsndfile reads it where it can, else FFmpeg.
        sample_rate: Rate of the result in Hz.

    Returns:
        Waveform (n,) and flags: "short", "silent", "clipped", "antiphase" (the channels cancel
        each other, so the loudest one is taken), "non-finite" (replaced by 0), "damaged" (parts
        were passed over), "truncated" (less sound than the header promises).

    Raises:
        AudioError: There is no such file, or nothing in it can be decoded.
    """
    return _first(lambda decoder, file: _decode(decoder, file, sample_rate), source)


def measure(source: Path | str) -> tuple[int, float]:
    """Return the sample rate in Hz and the length in seconds that a file's header states.

    Nothing is decoded, except where no length is stated.

    Raises:
        AudioError: There is no such file, or it is no sound.
    """

    def read(decoder: Decoder, file: Path | BinaryIO) -> tuple[int, float]:
        with decoder(file) as stream:
            seconds = stream.stated_s or sum(map(len, stream.blocks)) / stream.rate
            return stream.rate, seconds

    return _first(read, source)


def from_array(waveform: NDArray[Any], *, sample_rate: int, target: int) -> Audio:
    """Mix and resample a waveform that is in memory, and look for what `load` looks for.

    Args:
        waveform: (n,), or (n, channels) or (channels, n), of which the longer side is time. Floats
            in about -1..1, or integers, whose type states full scale; 8 bits are unsigned, as in
            WAV.
        sample_rate: Its rate in Hz.
        target: Rate of the result in Hz.

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
    if not waveform.size or sample_rate not in RATES:
        raise AudioError(f"a waveform of {len(waveform)} samples at {sample_rate} Hz is no sound")
    samples, channels = _as_floats(waveform), waveform.shape[1]
    mixer = Mixer(sample_rate, target, channels, None)
    mixer.add(samples)
    if mixer.cancels:
        mixer = Mixer(sample_rate, target, channels, int(mixer.energies.argmax()))
        mixer.add(samples)
    return Audio(waveform=mixer.waveform(), sample_rate=target, flags=mixer.flags())


def _as_floats(samples: NDArray[Any]) -> Floats:
    """Return samples as floats, full scale being 1."""
    zero, full = _ARRAYS[samples.dtype]
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    scaled: Floats = ((samples.astype(np.float64) - zero) / full).astype(np.float32)
    return scaled


def windows(
    n_samples: int, *, sample_rate: int, length: float, step: float
) -> list[tuple[float, float, slice]]:
    """Cut a recording into windows that cover all of it.

    Args:
        n_samples: Length of the recording in samples.
        sample_rate: Hz.
        length: Seconds a window holds; a shorter recording is one window.
        step: Seconds from one start to the next. The last window ends where the file ends,
            so it may overlap its neighbour more than the others.

    Returns:
        Start and end in seconds, and the slice of the waveform.
    """
    size = max(1, round(length * sample_rate))
    hop = max(1, min(size, round(step * sample_rate)))
    last = max(0, n_samples - size)
    starts = [*range(0, last, hop), last]
    cuts = [slice(start, min(start + size, n_samples)) for start in starts]
    return [(cut.start / sample_rate, cut.stop / sample_rate, cut) for cut in cuts]


def _first(read: Callable[[Decoder, Path | BinaryIO], T], source: Path | str | BinaryIO) -> T:
    """Return what the first decoder that can reads of a source."""
    name = _name(source)
    file = _readable(source, name)
    first = _head(file)
    # libsndfile guesses how long an MP3 without a length is, and reads a chain's first link alone.
    decoders = (by_ffmpeg, by_soundfile) if sniff.is_stream(first) else (by_soundfile, by_ffmpeg)
    reasons = {}
    for decoder in decoders:
        try:
            return read(decoder, file)
        except UndecodableError as error:
            reasons[decoder] = str(error)
    what = sniff.other(first)
    reason = f"is {what}" if what else f"no sound that can be decoded ({reasons[by_ffmpeg]})"
    raise AudioError(
        f"{name}: {reason}", hint="check that the file plays, or convert it: ffmpeg -i FILE out.wav"
    )


def _head(source: Path | BinaryIO) -> bytes:
    if isinstance(source, Path):
        return sniff.head(source)
    source.seek(0)
    return source.read(sniff.HEAD)


def _name(source: Path | str | BinaryIO) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "audio stream"))


def _readable(source: Path | str | BinaryIO, name: str) -> Path | BinaryIO:
    """Return the source once it is known to be a file with bytes in it."""
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


def _decode(
    decoder: Decoder, source: Path | BinaryIO, sample_rate: int, channel: int | None = None
) -> Audio:
    with decoder(source) as stream:
        if stream.rate not in RATES:
            raise UndecodableError(f"its header claims {stream.rate} Hz")
        mixer = Mixer(stream.rate, sample_rate, stream.channels, channel)
        for block in stream.blocks:
            mixer.add(block)
    if not mixer.count:
        raise UndecodableError(stream.broken or "it holds no samples")
    if mixer.cancels:
        return _decode(decoder, source, sample_rate, channel=int(mixer.energies.argmax()))
    lost = stream.stated_s - stream.damaged_s - mixer.count / stream.rate > TRUNCATED_S
    # Something else may follow the sound, as tags do; where a length is stated, that tells.
    cut = lost or bool(stream.broken and not stream.stated_s)
    odd = {"damaged": bool(stream.damaged), "truncated": cut}
    flags = mixer.flags() + tuple(name for name, found in odd.items() if found)
    return Audio(waveform=mixer.waveform(), sample_rate=sample_rate, flags=flags)
