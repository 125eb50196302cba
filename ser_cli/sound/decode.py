"""Two decoders, libsndfile and FFmpeg, behind one shape: a stream of float32 blocks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ser_cli.sound import headers, joined, tracks
from ser_cli.sound.watched_file import WatchedFile

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

# What libsndfile's log says of a WAV or AIFF, an AU, a W64 that is shorter than its header, of
# such an RF64, and of such a VOC.
_CUT = r"^\s*(?:data|SSND|Data Size|riff)\s*: (?P<said>\d+) \(should be (?P<there>\d+)\)"
_CUT_RF64 = r"frame count (?P<there>\d+) does not match value from 'ds64' chunk of (?P<said>\d+)"
_CUT_VOC = "Seems to be a truncated file"
FLOATS = ("FLOAT", "DOUBLE", "pcm_f")  # kinds of samples that may lie above full scale
# Packets of AMR in which nobody speaks, by codec, kind and bytes: they describe a noise, or are
# empty. FFmpeg's decoder of AMR-NB takes neither, that of AMR-WB no noise.
_PAUSES = {("amr_nb", 8, 6), ("amr_nb", 15, 1), ("amr_wb", 9, 6), ("amr_wb", 15, 1)}
# Codecs whose packets are of one size, so that a shorter one at the end is cut.
_EVEN = ("ac3", "eac3", "mp2", "amrnb", "amr_nb", "libopencore_amrnb", "mp3float", "mp3")
_MARKS = (b"ID3", b"TAG", b"APETAGEX")  # what stands between recordings that were joined


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
    floats: bool = False  # its samples may lie above full scale
    tracks: int = 1  # audio tracks, of which one is heard


@contextmanager
def by_soundfile(source: Path | BinaryIO) -> Iterator[Stream]:
    """Decode with libsndfile: WAV, FLAC, OGG, MP3, AIFF and the like."""
    import soundfile

    watched = WatchedFile()
    try:
        with joined.whole_wav(source) as whole, _opened(watched.over(whole)) as sound:
            rate, channels = sound.samplerate, sound.channels
            floats = sound.subtype.startswith(FLOATS)
            said = headers.read(source, sound.format).seconds
            stated_s = _stated_s(sound) if said is None else said
            blocks = watched.checked(_blocks(sound))
            stream = Stream(rate, channels, blocks, stated_s, floats=floats)
            if _CUT_VOC in sound.extra_info:
                stream.stated_s, stream.broken = 0.0, headers.MISSING
            yield stream
    except soundfile.SoundFileError as error:
        watched.check()
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
    cut = re.search(_CUT_RF64 if sound.format == "RF64" else _CUT, sound.extra_info, re.M)
    if not cut:
        return seconds
    said, there = int(cut["said"]), int(cut["there"])
    # A writer into a pipe cannot know the size, and says the largest one.
    unknown = said >= 2**31 - 2**16
    return seconds if unknown or not there else seconds * said / there


@contextmanager
def by_ffmpeg(source: Path | BinaryIO, *, track: int | None = None) -> Iterator[Stream]:
    """Decode with FFmpeg: AAC, ALAC, Opus in MP4, WEBM and the like, and damaged files.

    Args:
        source: The file.
        track: Number of the audio track, from 0; None is the first that holds sound.
    """
    import av

    try:
        # An open file, never a name: FFmpeg takes "a:b" for a protocol.
        with headers.binary(source) as opened:
            file = joined.whole_amr(opened)
            guessed = track is None
            if track is None:
                with _container(file) as container:
                    several = len(container.streams.audio) > 1
                    track = tracks.first_with_sound(container) if several else 0
                file.seek(0)
            with _container(file) as container:
                stream = _stream(container, track, headers.read(file, container.format.name))
                stream.tracks = len(container.streams.audio) if guessed else 1
                yield stream
    except (av.FFmpegError, OSError, EOFError) as error:  # damage leads outside of the file
        raise UndecodableError(getattr(error, "strerror", None) or str(error)) from error


def _container(file: BinaryIO) -> av.container.InputContainer:
    import av

    options = {"format_whitelist": DEMUXERS}
    container = av.open(file, mode="r", options=options, metadata_errors="replace")
    if not container.streams.audio:
        container.close()
        raise UndecodableError("it has no audio track")
    return container


def _stream(container: av.container.InputContainer, number: int, said: headers.Said) -> Stream:
    import av

    count = len(container.streams.audio)
    if number >= count:
        raise UndecodableError(f"it has {count} audio tracks, and no track {number + 1}")
    track = container.streams.audio[number]
    floats = track.codec_context.name.startswith(FLOATS)
    stated_s = _track_s(container, track) if said.seconds is None else said.seconds
    stream = Stream(0, 0, iter(()), stated_s, floats=floats)
    if said.cut:
        stream.stated_s, stream.broken = 0.0, headers.MISSING
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
        except (av.FFmpegError, OSError, ValueError) as error:
            stream.broken = str(error)

    stream.blocks = blocks()
    return stream


def _frames(
    container: av.container.InputContainer, track: av.AudioStream, stream: Stream
) -> Iterator[av.AudioFrame]:
    """Yield the frames of a track; a packet that cannot be decoded is passed over and counted."""
    import av

    failed: list[float] = []  # seconds of those since the last good one
    sizes: list[int] = []
    try:
        for packet in _packets(container, track):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                frames = _pause(track, packet)
            if frames is None:
                if bytes(packet).startswith(_MARKS):
                    continue
                failed.append(float((packet.duration or 0) * (packet.time_base or 0)))
                continue
            if frames:  # the file goes on: it is damaged, and not cut
                stream.damaged += len(failed)
                stream.damaged_s += sum(failed)
                failed.clear()
            sizes += [packet.size] if packet.size else []
            yield from frames
    except (av.FFmpegError, OSError, EOFError) as error:
        stream.broken = str(error)
    if failed:
        stream.broken = stream.broken or "its last packets cannot be decoded"
    elif track.codec_context.name in _EVEN and _ends_short(sizes):
        stream.broken = stream.broken or "its last packet is cut"


def _pause(track: av.AudioStream, packet: Any) -> list[av.AudioFrame] | None:
    """Return the silence that a packet stands for in which nobody speaks; None of any other."""
    import av

    codec = track.codec_context
    kind = (bytes(packet) or b"\0")[0] >> 3 & 15
    if (codec.codec.canonical_name, kind, packet.size) not in _PAUSES:
        return None
    silence = np.zeros((1, codec.sample_rate // 50), np.float32)  # 20 ms
    frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")  # as the decoder's own
    frame.sample_rate, frame.pts, frame.time_base = codec.sample_rate, packet.pts, packet.time_base
    return [frame]


def _ends_short(sizes: list[int]) -> bool:
    """Tell whether packets of one size, up to rounding, end with a smaller one."""
    *others, last = sizes or [0]
    return len(others) > 2 and max(others) - min(others) <= 1 and last < min(others)


def _packets(container: av.container.InputContainer, track: av.AudioStream) -> Iterator[Any]:
    """Yield the packets of a track, also behind those of tracks that no header has announced."""
    while True:
        try:
            yield from container.demux(track)
            return
        except IndexError:  # PyAV knows only the tracks that were there when it was opened
            continue


def _track_s(container: av.container.InputContainer, track: av.AudioStream) -> float:
    """Return the seconds a container promises for an audio track, 0 where it does not."""
    import av

    if track.duration and track.time_base:
        return float(track.duration * track.time_base)
    # The length of the longest track is the sound's only where there is no picture.
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return 0.0
