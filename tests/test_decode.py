"""Sound is decoded to its last packet, or it is said: two decoders, damage, many channels."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from sounds import encode, sine

from ser_cli.sound import audio, decode, mpeg
from ser_cli.sound.decode import Stream

# Format -> encoder, rate; those that two decoders read, and those that FFmpeg alone does.
BOTH = {
    "wav": ("pcm_s16le", 44_100),
    "flac": ("flac", 44_100),
    "aiff": ("pcm_s16be", 44_100),
    "au": ("pcm_s16be", 44_100),
    "caf": ("pcm_s16le", 44_100),
    "w64": ("pcm_s16le", 44_100),
    "mp3": ("libmp3lame", 44_100),
    "ogg": ("libopus", 48_000),
}
SECONDS = 6.0


def voice(rate: int) -> np.ndarray:
    """Return something whose every second differs."""
    at = np.arange(round(SECONDS * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 + 60 * np.floor(at)) * at)).astype(np.float32)


def whole(opened: AbstractContextManager[Stream]) -> tuple[np.ndarray, Stream]:
    with opened as stream:
        return np.concatenate(list(stream.blocks)), stream


@pytest.mark.parametrize("suffix", BOTH)
def test_two_decoders_agree(suffix: str, tmp_path: Path) -> None:
    codec, rate = BOTH[suffix]
    path = encode(tmp_path / f"a.{suffix}", codec, rate, voice(rate))
    (one, first), (other, second) = whole(decode.by_soundfile(path)), whole(decode.by_ffmpeg(path))
    assert (first.rate, first.channels) == (second.rate, second.channels)
    assert abs(len(one) - len(other)) <= 0.05 * rate
    # libsndfile leaves Opus's 6.5 ms of run-up in, FFmpeg takes it out; the end is no longer sound.
    shift, n = (312, 5 * rate) if codec == "libopus" else (0, min(len(one), len(other)))
    assert np.abs(one[shift : shift + n] - other[:n]).mean() < 2e-3
    assert audio.load(path, sample_rate=16_000).flags == ()


def written_into_a_pipe(content: np.ndarray, rate: int) -> bytes:
    """Return an MP3 of variable rate without a length: a pipe cannot be written to again."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as c:
        track: Any = c.add_stream("libmp3lame", rate=rate, options={"q": "4"})
        track.layout, track.format = "mono", "fltp"
        for start in range(0, len(content), 1152):
            frame = av.AudioFrame.from_ndarray(content[None, start : start + 1152], "fltp", "mono")
            frame.sample_rate, frame.pts = rate, start
            c.mux(track.encode(frame))
        c.mux(track.encode(None))
    return stream.getvalue()


def test_an_mp3_without_a_length_is_heard_whole(tmp_path: Path) -> None:
    rate = 44_100
    content = voice(rate)
    content[rate : 4 * rate] = 0  # pauses take few bytes: what a guess from the first frames misses
    path = tmp_path / "piped.mp3"
    path.write_bytes(written_into_a_pipe(content, rate))
    with path.open("rb") as file:
        assert mpeg.stated_s(file) == 0
    heard = audio.load(path, sample_rate=16_000)
    assert heard.duration == pytest.approx(SECONDS, abs=0.1)
    assert heard.flags == ()


@pytest.mark.parametrize(("suffix", "codec"), [("ogg", "libopus"), ("mp3", "libmp3lame")])
def test_a_chain_is_heard_to_its_last_link(suffix: str, codec: str, tmp_path: Path) -> None:
    link = encode(tmp_path / f"a.{suffix}", codec, 48_000, voice(48_000))
    chain = tmp_path / f"chain.{suffix}"
    chain.write_bytes(link.read_bytes() * 3)
    assert audio.load(chain, sample_rate=16_000).duration == pytest.approx(3 * SECONDS, abs=0.3)


def test_an_id3_mark_may_come_before_the_length(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame", 44_100, voice(44_100))
    bare = path.read_bytes()
    size = 300_000
    mark = b"ID3\x03\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    for content in (bare, mark + bare):
        stream = io.BytesIO(content)
        assert mpeg.stated_s(stream) == pytest.approx(SECONDS, abs=0.1) and stream.tell() == 0
    cut = io.BytesIO((mark + bare)[: size + len(bare) // 2])
    assert audio.load(cut, sample_rate=16_000).flags == ("truncated",)


TAILS = {
    "zeros": bytes(5_000),
    "lyrics": b"LYRICSBEGIN" + b"la " * 400,
    "ID3v1": b"TAG" + bytes(125),
}


@pytest.mark.parametrize("tail", TAILS)
def test_what_follows_an_mp3_does_not_cut_it(tail: str, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame", 44_100, voice(44_100))
    path.write_bytes(path.read_bytes() + TAILS[tail])
    heard = audio.load(path, sample_rate=16_000)
    assert heard.flags == () and heard.duration == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("aac", "aac"), ("mka", "aac")])
def test_a_damaged_packet_is_passed_over(suffix: str, codec: str, tmp_path: Path) -> None:
    path = encode(tmp_path / f"a.{suffix}", codec, 44_100, voice(44_100))
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = np.random.default_rng(0).bytes(40)
    path.write_bytes(content)
    heard = audio.load(path, sample_rate=16_000)
    assert heard.duration > 0.9 * SECONDS
    assert set(heard.flags) <= {"damaged", "truncated"}
    if suffix == "m4a":  # its table of packets says where the next one begins
        assert heard.flags == ("damaged",)


def test_it_is_known_where_a_packet_was_passed_over(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "aac", 44_100, voice(44_100))
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = np.random.default_rng(0).bytes(40)
    path.write_bytes(content)
    with decode.by_ffmpeg(path) as stream:
        before = sum(len(block) for block in stream.blocks if not stream.damaged) / stream.rate
    reading = audio.read(path, sample_rate=16_000)
    assert len(np.concatenate(list(reading))) and 1 < before < 5
    at = [k / 10 for k in range(60) if "damaged" in reading.flags(k / 10, k / 10 + 0.1)]
    assert at == [int(10 * before) / 10]


@pytest.mark.parametrize(
    ("channels", "layout", "suffix", "codec"),
    [
        (6, "5.1", "m4a", "aac"),
        (7, "6.1", "m4a", "aac"),
        (8, "7.1", "m4a", "aac"),
        (8, "7.1", "webm", "libopus"),
        (16, "hexadecagonal", "mka", "pcm_s16le"),
        (24, "22.2", "mka", "pcm_s16le"),
    ],
)
def test_many_channels_end_no_process(
    channels: int, layout: str, suffix: str, codec: str, tmp_path: Path
) -> None:
    rate, path = 48_000, tmp_path / f"a.{suffix}"
    tone = np.repeat(sine(440, rate)[:, None], channels, axis=1)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout = layout
        size = stream.codec_context.frame_size or 1024
        fit = av.AudioResampler(stream.codec_context.format, layout, rate, size)
        frame = av.AudioFrame.from_ndarray(tone.reshape(1, -1), "flt", layout)
        frame.sample_rate = rate
        for part in [*fit.resample(frame), *fit.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    heard = audio.load(path, sample_rate=16_000)
    assert heard.duration == pytest.approx(1.0, abs=0.1)
    assert np.sqrt(np.mean(heard.waveform[2_000:-2_000] ** 2)) == pytest.approx(
        0.5 / np.sqrt(2), rel=0.2
    )


def test_the_measure_of_a_file_is_that_of_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "piped.mp3"
    path.write_bytes(written_into_a_pipe(voice(44_100), 44_100))
    rate, seconds = audio.measure(path)
    assert rate == 44_100 and seconds == pytest.approx(SECONDS, abs=0.1)
    soundfile.write(tmp_path / "a.wav", voice(44_100), 44_100)
    assert audio.measure(tmp_path / "a.wav") == (44_100, SECONDS)


@pytest.mark.parametrize("after", [10, 1_000, 40_000])
def test_an_open_file_that_cannot_be_read_is_not_cut(
    after: int, capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            part = super().read(size)
            if self.tell() > after:
                raise OSError("the line is dead")
            return part

    content = io.BytesIO()
    soundfile.write(content, voice(16_000), 16_000, format="WAV")
    with pytest.raises(OSError, match="the line is dead"):
        audio.load(Broken(content.getvalue()), sample_rate=16_000)
    assert "Traceback" not in capfd.readouterr().err  # which libsndfile's binding would print
