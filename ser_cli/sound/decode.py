"""Two decoders, libsndfile and FFmpeg, behind one shape: a stream of float32 blocks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ser_cli.sound import mpeg

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

# Streams of packets without a header, of whose length FFmpeg makes a guess.
BARE = frozenset({"aac", "ac3", "amr", "eac3", "mp3"})


class UndecodableError(Exception):
    """One decoder cannot read this file; the next may."""


@dataclass
class Stream:
    """A file that is being decoded: blocks (n, channels), and what is known of the whole."""

    rate: int
    channels: int
    blocks: Iterator[Floats]
    stated_s: float = 0.0
    broken: str = ""  # why it ended early
    damaged: int = 0  # packets that could not be decoded and were passed over
    damaged_s: float = 0.0  # their seconds, as far as they are known


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
    except UnicodeEncodeError:  # it takes no name whose bytes are not UTF-8
        number = os.open(str(source), os.O_RDONLY)
        return soundfile.SoundFile(number, closefd=True)
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
        stated_s = mpeg.stated_s(file)
        options = {"format_whitelist": DEMUXERS}
        with av.open(file, mode="r", options=options, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise UndecodableError("it has no audio track")
            bare = container.format.name in BARE
            yield _stream(container, stated_s if bare else _track_s(container))
    except (av.FFmpegError, EOFError) as error:
        raise UndecodableError(getattr(error, "strerror", None) or str(error)) from error
    finally:
        if isinstance(source, Path):
            file.close()


def _stream(container: av.container.InputContainer, stated_s: float) -> Stream:
    import av

    track = container.streams.audio[0]
    stream = Stream(0, 0, iter(()), stated_s)
    frames = _frames(container, track, stream)
    # The decoder's own rate: HE-AAC headers state half of it.
    first = next(frames, None)
    if first is None:
        raise UndecodableError(stream.broken or "it holds no samples")
    stream.rate, stream.channels = first.sample_rate, first.layout.nb_channels
    # Packed: PyAV reads the planes of eight channels and more out of bounds.
    packed = av.AudioResampler(format="flt", layout=first.layout, rate=first.sample_rate)

    def blocks() -> Iterator[Floats]:
        try:
            for frame in chain([first], frames):
                for part in packed.resample(frame):
                    samples = part.to_ndarray().reshape(-1, stream.channels)
                    yield samples.astype(np.float32, copy=False)
        except (av.FFmpegError, ValueError) as error:
            stream.broken = str(error)

    stream.blocks = blocks()
    return stream


def _frames(
    container: av.container.InputContainer, track: av.AudioStream, stream: Stream
) -> Iterator[av.AudioFrame]:
    """Yield the frames of a track; a packet that cannot be decoded is passed over and counted."""
    import av

    failed: list[float] = []  # seconds of those since the last good one
    try:
        for packet in container.demux(track):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                failed.append(float((packet.duration or 0) * (packet.time_base or 0)))
                continue
            if frames:  # the file goes on: it is damaged, and not cut
                stream.damaged += len(failed)
                stream.damaged_s += sum(failed)
                failed.clear()
            yield from frames
    except (av.FFmpegError, EOFError) as error:
        stream.broken = str(error)
    if failed:
        stream.broken = stream.broken or "its last packets cannot be decoded"


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
