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

SHORT_S = 0.5  # less than two syllables: too little to hear an emotion in
SILENT_PEAK = 2.0**-15  # one step of 16 bits: dither, not sound
CLIPPED_LEVEL = 0.999  # of full scale; above the largest peak that most mastering leaves
CLIPPED_SHARE = 0.001  # a lone full-scale peak is normalisation; one sample in 1,000 is overload
CANCELLED = 1e-4  # -40 dB: mix against loudest channel, below what lossy coding leaves of it
TRUNCATED_S = 0.1  # headers of lossy files are off by a frame or two (about 0.05 s) in good files
LARGEST = 2.0**32  # float files may hold 32-bit integers unscaled; beyond that it is no sound
RATES = range(1_000, 1_000_001)  # Hz; outside, a header is damaged and resampling would explode


def load(source: Path | str | BinaryIO, *, sample_rate: int) -> Audio:
    """Decode sound, mix it down to mono and resample it.

    The result of a plain PCM file equals `librosa.load(sr=sample_rate, res_type="soxr_hq")`.

    Args:
        source: A file, or an open binary file. libsndfile reads it where it can, else FFmpeg.
        sample_rate: Rate of the result in Hz.

    Returns:
        Waveform (n,) and flags: "short", "silent", "clipped", "antiphase" (the channels cancel
        each other, so the loudest one is taken), "non-finite" (replaced by 0), "truncated"
        (less sound than the header promises).

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
    """Resample a waveform that is in memory already, and look for what `load` looks for.

    Args:
        waveform: (n,) floats in about -1..1.
        sample_rate: Its rate in Hz.
        target: Rate of the result in Hz.

    Raises:
        AudioError: It is not one channel of floats, or holds no samples.
    """
    if waveform.ndim != 1 or waveform.dtype.kind != "f":
        raise AudioError(
            f"a waveform must be (n,) floats, not {waveform.shape} {waveform.dtype}",
            hint="mix channels with mean(), and divide 16-bit integers by 32768",
        )
    if not len(waveform) or sample_rate not in RATES:
        raise AudioError(f"a waveform of {len(waveform)} samples at {sample_rate} Hz is no sound")
    mixer = _Mixer(sample_rate, target, 1, None)
    mixer.add(waveform.astype(np.float32)[:, None])
    return Audio(waveform=mixer.waveform(), sample_rate=target, flags=mixer.flags())


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
    try:
        return read(by_soundfile, file)
    except UndecodableError:
        pass
    try:
        return read(by_ffmpeg, file)
    except UndecodableError as error:
        what = sniff.other(_head(file))
        reason = f"is {what}" if what else f"no sound that can be decoded ({error})"
        raise AudioError(
            f"{name}: {reason}",
            hint="check that the file plays, or convert it: ffmpeg -i FILE out.wav",
        ) from error


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
        mixer = _Mixer(stream.rate, sample_rate, stream.channels, channel)
        for block in stream.blocks:
            mixer.add(block)
    if not mixer.count:
        raise UndecodableError(stream.broken[0] if stream.broken else "it holds no samples")
    if mixer.cancels:
        return _decode(decoder, source, sample_rate, channel=int(mixer.energies.argmax()))
    lost = stream.stated_s - mixer.count / stream.rate > TRUNCATED_S
    flags = mixer.flags() + (("truncated",) if lost or stream.broken else ())
    return Audio(waveform=mixer.waveform(), sample_rate=sample_rate, flags=flags)


class _Mixer:
    """Mixes blocks (n, channels) to mono, resamples them, and watches for what is odd."""

    def __init__(self, rate: int, target: int, channels: int, channel: int | None) -> None:
        import soxr

        self.rate, self.target, self.channel = rate, target, channel
        self.count = 0  # samples per channel so far
        self.energies = np.zeros(channels)
        self.mix_energy = 0.0
        self._peak = 0.0
        self._clipped = 0
        self._replaced = False
        self._parts: list[Floats] = []
        same = rate == target
        self._resampler = (
            None if same else soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
        )

    def add(self, block: Floats) -> None:
        """Take the next block (n, channels)."""
        if not _peak(block) <= LARGEST:  # true for NaN, too
            block = np.where(np.abs(block) <= LARGEST, block, np.float32(0))
            self._replaced = True
        mono = self._mono(block)
        self.count += len(block)
        if _peak(block) >= CLIPPED_LEVEL:
            self._clipped += int(np.count_nonzero(np.abs(block) >= CLIPPED_LEVEL))
        self._peak = max(self._peak, _peak(mono))
        if len(self.energies) > 1:
            self.energies += np.square(block).sum(axis=0, dtype=np.float64)
            self.mix_energy += float(np.square(mono).sum(dtype=np.float64))
        self._parts.append(self._resampler.resample_chunk(mono) if self._resampler else mono)

    def _mono(self, block: Floats) -> Floats:
        if self.channel is None and len(self.energies) > 1:
            mixed: Floats = block.mean(axis=1)
            return mixed
        return np.ascontiguousarray(block[:, self.channel or 0])

    @property
    def cancels(self) -> bool:
        """Whether the channels hold sound, but their mix next to none."""
        loudest = float(self.energies.max())
        audible = loudest > self.count * SILENT_PEAK**2
        return self.channel is None and audible and self.mix_energy < CANCELLED * loudest

    def waveform(self) -> Floats:
        """Return all that was added as (n,) at the target rate."""
        if self._resampler:
            rest: Floats = np.zeros(0, np.float32)
            self._parts.append(self._resampler.resample_chunk(rest, last=True))
        wave = np.concatenate(self._parts)
        # As librosa does: rounded up, so that every started sample is there.
        missing = -(-self.count * self.target // self.rate) - len(wave)
        return np.pad(wave, (0, missing)) if missing > 0 else wave[: len(wave) + missing]

    def flags(self) -> tuple[str, ...]:
        """Return what is odd about the sound."""
        found = {
            "short": self.count / self.rate < SHORT_S,
            "silent": self._peak <= SILENT_PEAK,
            "clipped": self._clipped > CLIPPED_SHARE * self.count * len(self.energies),
            "antiphase": self.channel is not None,
            "non-finite": self._replaced,
        }
        return tuple(name for name, odd in found.items() if odd)


def _peak(samples: Floats) -> float:
    """Return the largest magnitude, NaN where a sample is; two passes, no copy."""
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
