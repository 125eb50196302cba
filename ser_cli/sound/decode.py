"""Two decoders, libsndfile and FFmpeg, behind one shape: a stream of float32 blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import av
    import soundfile

    from ser_cli.types import Floats

FULL_SCALE = np.float32(2.0**-15)  # of a step of 16 bits
BLOCK = 2**18  # samples over all channels (1 MiB) decoded at a time

# FFmpeg also reads playlists, which name other files and addresses to open: only containers.
DEMUXERS = (
    "mov,matroska,webm,aac,asf,avi,flv,mpeg,mpegts,ogg,wav,w64,aiff,au,caf,flac,mp3,amr,ac3,eac3,"
    "gsm,nistsphere,tta,voc,wv"
)


class UndecodableError(Exception):
    """One decoder cannot read this file; the next may."""


@dataclass
class Stream:
    """A file that is being decoded: blocks (n, channels), and the seconds its header states."""

    rate: int
    channels: int
    blocks: Iterator[Floats]
    stated_s: float = 0.0
    broken: list[str] = field(default_factory=list)


@contextmanager
def by_soundfile(source: Path | BinaryIO) -> Iterator[Stream]:
    """Decode with libsndfile: WAV, FLAC, OGG, MP3, AIFF and the like."""
    import soundfile

    if not isinstance(source, Path):
        source.seek(0)
    try:
        with _opened(source) as sound:
            rate, channels = sound.samplerate, sound.channels
            yield Stream(rate, channels, _blocks(sound), _stated_s(sound))
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", None) or str(error)
        raise UndecodableError(reason) from error


def _opened(source: Path | BinaryIO) -> soundfile.SoundFile:
    import soundfile

    try:
        return soundfile.SoundFile(source)
    except TypeError as error:
        raise UndecodableError("a .raw file has no header") from error


def _blocks(sound: soundfile.SoundFile) -> Iterator[Floats]:
    frames = max(1, BLOCK // sound.channels)
    # libsndfile takes four times as long to make the same floats of 16-bit integers.
    dtype = "int16" if sound.subtype == "PCM_16" else "float32"
    while len(block := sound.read(frames, dtype=dtype, always_2d=True)):
        yield block if dtype == "float32" else np.multiply(block, FULL_SCALE, dtype=np.float32)


def _stated_s(sound: soundfile.SoundFile) -> float:
    """Return the seconds the header promises.

    libsndfile shortens a WAV or AIFF silently to what is there; its log knows what was said.
    """
    seconds = float(sound.frames / max(1, sound.samplerate))
    cut = re.search(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", sound.extra_info, re.M)
    if not cut:
        return seconds
    said, there = int(cut[1]), int(cut[2])
    # A writer into a pipe cannot know the size, and says the largest one.
    unknown = said >= 2**31 - 2**16
    return seconds if unknown or not there else seconds * said / there


@contextmanager
def by_ffmpeg(source: Path | BinaryIO) -> Iterator[Stream]:
    """Decode with FFmpeg: AAC, ALAC, Opus in MP4, WEBM and the like, and damaged files."""
    import av

    # An open file, never a name: FFmpeg takes "a:b" for a protocol.
    file = source.open("rb") if isinstance(source, Path) else source
    try:
        file.seek(0)
        options = {"format_whitelist": DEMUXERS}
        with av.open(file, mode="r", options=options, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise UndecodableError("it has no audio track")
            yield _stream(container)
    except (av.FFmpegError, EOFError) as error:
        raise UndecodableError(getattr(error, "strerror", None) or str(error)) from error
    finally:
        if isinstance(source, Path):
            file.close()


def _stream(container: av.container.InputContainer) -> Stream:
    import av

    track = container.streams.audio[0]
    frames = container.decode(track)
    # The decoder's own rate: HE-AAC headers state half of it.
    first = next(frames, None)
    if first is None:
        raise UndecodableError("it holds no samples")
    rate, layout = first.sample_rate, first.layout
    stream = Stream(rate, layout.nb_channels, iter(()), _track_s(container))
    planar = av.AudioResampler(format="fltp", layout=layout, rate=rate)

    def blocks() -> Iterator[Floats]:
        try:
            for frame in chain([first], frames):
                for part in planar.resample(frame):
                    yield part.to_ndarray().astype(np.float32, copy=False).T
        except (av.FFmpegError, ValueError) as error:
            stream.broken.append(str(error))

    stream.blocks = blocks()
    return stream


def _track_s(container: av.container.InputContainer) -> float:
    """Return the seconds a container promises for its first audio track, 0 where it does not."""
    import av

    track = container.streams.audio[0]
    if track.duration and track.time_base:
        return float(track.duration * track.time_base)
    # The length of the longest track is the sound's only where there is no picture.
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return 0.0
