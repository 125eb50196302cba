"""Two decoders side by side, and what one of them alone would pass over without a word."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from command import ser
from decoders import SOUNDS, compare
from formats import FORMATS
from sounds import encode, speech

from ser_cli.sound import audio, decode, joined
from ser_cli.sound.decode import UndecodableError

RATE = 16_000
SECONDS = 1.5
FEW = ("wav-24", "wav-alaw", "flac", "ogg-vorbis", "ogg-opus", "mp3-vbr", "m4a-aac", "amr")


@pytest.mark.parametrize("name", FEW)
def test_two_decoders_agree(name: str, tmp_path: Path) -> None:
    compared = compare(name, "speech", tmp_path)
    assert compared.agree, compared


@pytest.mark.slow
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("name", FORMATS)
def test_all_decoders_agree_on_all_files(name: str, sound: str, tmp_path: Path) -> None:
    compared = compare(name, sound, tmp_path)
    assert compared.agree, compared


def wav(*parts: bytes, size: int | None = None, kind: bytes = b"") -> bytes:
    """Return a WAV of 16 bits with so many data chunks."""
    head = kind or struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head
    for part in parts:
        stated = len(part) if size is None else size
        body += b"data" + struct.pack("<I", stated) + part
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def pcm() -> bytes:
    return (speech(RATE, SECONDS) * 32_767).astype("<i2").tobytes()


def heard(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    return audio.load(path, sample_rate=RATE)


def same(waveform: np.ndarray, times: int) -> bool:
    wanted = np.tile((speech(RATE, SECONDS) * 32_767).astype("<i2") / 32_768, times)
    return len(waveform) == len(wanted) and bool(np.abs(waveform - wanted).max() < 1e-4)


@pytest.mark.parametrize(
    "content",
    [wav(pcm(), pcm()), wav(pcm()) + wav(pcm()), wav(pcm()) + b"LIST\4\0\0\0abcd" + wav(pcm())],
    ids=["two data chunks", "two files", "two files and a chunk"],
)
def test_a_wav_in_two_pieces_is_heard_whole(content: bytes, tmp_path: Path) -> None:
    sound = heard(tmp_path / "a.wav", content)
    assert same(sound.waveform, 2) and sound.flags == ()


def test_a_wav_in_pieces_is_heard_from_memory_too() -> None:
    assert same(audio.load(io.BytesIO(wav(pcm(), pcm())), sample_rate=RATE).waveform, 2)


def test_a_second_wav_of_another_kind_is_left_out(tmp_path: Path) -> None:
    other = struct.pack("<HHIIHH", 1, 2, 44_100, 4 * 44_100, 4, 16)
    assert same(heard(tmp_path / "a.wav", wav(pcm()) + wav(pcm(), kind=other)).waveform, 1)


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**32 - 1])
def test_a_wav_written_into_a_pipe_is_heard_to_its_end(size: int, tmp_path: Path) -> None:
    sound = heard(tmp_path / "a.wav", wav(pcm(), size=size))
    assert same(sound.waveform, 1) and sound.flags == ()


@pytest.mark.parametrize("times", [2, 3])
def test_a_chain_of_flac_is_heard_whole(times: int, tmp_path: Path) -> None:
    link = tmp_path / "a.flac"
    soundfile.write(link, np.frombuffer(pcm(), "<i2"), RATE)
    assert same(heard(tmp_path / "chain.flac", link.read_bytes() * times).waveform, times)
    assert not joined.is_chain(link, link.read_bytes()[:64])


JOINED = ("mp3-cbr", "mp2", "adts", "ac3", "amr", "ogg-opus", "ogg-vorbis")


@pytest.mark.parametrize("name", JOINED)
def test_joined_streams_are_heard_whole(name: str, tmp_path: Path) -> None:
    one = FORMATS[name].write(tmp_path, "one", lambda rate: speech(rate, SECONDS)).read_bytes()
    sound = heard(tmp_path / f"two.{FORMATS[name].suffix}", one + one)
    assert sound.duration == pytest.approx(2 * SECONDS, abs=0.1) and sound.flags == ()


CUT = ("ac3", "eac3", "mp2", "ogg-opus", "au", "w64", "rf64", "voc", "nist", "caf", "flv-mp3",
       "avi-mp3", "ts-aac", "wma")  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_was_cut_says_so(name: str, tmp_path: Path) -> None:
    one = FORMATS[name].write(tmp_path, "one", lambda rate: speech(rate, 2.5))
    content = one.read_bytes()
    cut = heard(tmp_path / f"cut{one.suffix}", content[: len(content) * 6 // 10 + 7])
    assert "truncated" in cut.flags and 0.9 < cut.duration < 2
    assert audio.load(one, sample_rate=RATE).flags == ()


@pytest.mark.parametrize("codec", ["aac", "ac3", "mp2"])
def test_a_transport_stream_that_ends_within_a_packet_of_sound_says_so(
    codec: str, tmp_path: Path
) -> None:
    content = encode(tmp_path / "a.ts", codec, 48_000, speech(48_000, 2.5)).read_bytes()
    begins = [bool(content[at + 1] & 0x40) for at in range(0, len(content), 188)]
    goes_on = [at for at in range(len(begins) - 1) if begins[at] and not begins[at + 1]]
    last = heard(tmp_path / "last.ts", content[: 188 * (goes_on[-1] + 1)])
    assert "truncated" in last.flags and last.duration > 1
    assert audio.load(tmp_path / "a.ts", sample_rate=RATE).flags == ()


class Pipe:
    """What can be written to, and not gone back in."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, part: bytes) -> int:
        self.content += part
        return len(part)


@pytest.mark.parametrize(
    ("form", "codec"),
    [("asf", "wmav2"), ("asf", "libmp3lame"), ("avi", "libmp3lame"), ("caf", "pcm_s16le")],
)
def test_what_was_written_into_a_pipe_is_whole(form: str, codec: str, tmp_path: Path) -> None:
    pipe, options = Pipe(), {"b": "64000"}
    encode(pipe, codec, 44_100, speech(44_100, 2.5), form, options=options)  # type: ignore[arg-type]
    sound = heard(tmp_path / f"a.{form}", pipe.content)
    assert sound.flags == () and sound.duration == pytest.approx(2.5, abs=0.06)


def test_floats_above_full_scale_are_not_clipped(tmp_path: Path) -> None:
    loud = 4 * speech(RATE, SECONDS)
    soundfile.write(tmp_path / "floats.wav", loud, RATE, "FLOAT")
    encode(tmp_path / "floats.mov", "pcm_f32le", RATE, loud)
    soundfile.write(tmp_path / "clipped.wav", np.clip(loud, -1, 1), RATE, "PCM_16")
    soundfile.write(tmp_path / "full.wav", np.clip(loud, -1, 1), RATE, "FLOAT")
    for name in ("floats.wav", "floats.mov"):
        assert audio.load(tmp_path / name, sample_rate=RATE).flags == ()
    for name in ("clipped.wav", "full.wav"):
        assert audio.load(tmp_path / name, sample_rate=RATE).flags == ("clipped",)


def film(path: Path, waves: list[np.ndarray]) -> Path:
    """Write a file of several audio tracks."""
    with av.open(str(path), "w") as container:
        tracks: list[Any] = [container.add_stream("aac", rate=44_100) for _ in waves]
        for track in tracks:
            track.layout = "mono"
        for track, wave in zip(tracks, waves, strict=True):
            fit = av.AudioResampler("fltp", "mono", 44_100, track.codec_context.frame_size or 1024)
            frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
            frame.sample_rate = 44_100
            for part in [*fit.resample(frame), *fit.resample(None)]:
                container.mux(track.encode(part))
            container.mux(track.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["m4a", "mka", "ts"])
def test_of_several_tracks_the_first_with_sound_is_heard(suffix: str, tmp_path: Path) -> None:
    voice = speech(44_100, SECONDS)
    silent, tone = np.zeros_like(voice), np.float32(0.1) * voice
    path = film(tmp_path / f"film.{suffix}", [silent, voice, tone])
    sound = audio.load(path, sample_rate=RATE)
    assert sound.flags == ("tracks",) and np.abs(sound.waveform).max() > 0.3
    loudest = {}
    for track in range(3):
        with decode.by_ffmpeg(path, track=track) as stream:
            assert stream.tracks == 1  # of which it need not be told which
            loudest[track] = max(np.abs(block).max() for block in stream.blocks)
    assert loudest[0] < 0.001 and 0.01 < loudest[2] < 0.1 < loudest[1]
    with pytest.raises(UndecodableError, match="3 audio tracks, and no track 4"):
        decode.by_ffmpeg(path, track=3).__enter__()


def test_a_track_may_be_chosen(tmp_path: Path) -> None:
    voice = speech(44_100, SECONDS)
    path = film(tmp_path / "film.mka", [np.zeros_like(voice), voice])
    rows = {}
    for track in (1, 2):
        line = ser("predict", path, "--track", track, "--hear-all").out.splitlines()[1]
        rows[track] = line.split(",")[-3]
    assert rows == {1: "silent", 2: ""}
    assert "no track 3" in ser("predict", path, "--track", 3).out


def test_if_all_tracks_are_silent_the_first_is_heard(tmp_path: Path) -> None:
    silent = np.zeros(44_100, np.float32)
    sound = audio.load(film(tmp_path / "film.mka", [silent, silent]), sample_rate=RATE)
    assert set(sound.flags) == {"silent", "tracks"}


def test_pieces_are_read_as_one_file() -> None:
    file = io.BytesIO(b"0123456789")
    pieces = joined.Pieces(b"ab", file, [joined.Piece(7, 2), joined.Piece(1, 3)])
    whole = io.BufferedReader(pieces)  # type: ignore[type-var]
    assert whole.read() == b"ab78123" and pieces.size == 7
    for at in range(8):
        whole.seek(at)
        assert whole.read(3) == b"ab78123"[at : at + 3]


def test_of_joined_amr_every_one_is_heard(tmp_path: Path) -> None:
    one = FORMATS["amr"].write(tmp_path, "one", lambda rate: speech(rate, SECONDS)).read_bytes()
    alone, three = (heard(tmp_path / "a.amr", one * times).waveform for times in (1, 3))
    assert len(three) == 3 * len(alone)
    assert all(np.corrcoef(part, alone)[0, 1] > 0.99 for part in np.split(three, 3))


def test_a_sign_is_found_across_two_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "_STEP", 4)
    file = io.BytesIO(b"ab12345ab1ab")
    assert [list(joined._places(file, (b"ab",), after)) for after in (0, 1)] == [
        [0, 7, 10],
        [7, 10],
    ]


NB, WB = b"#!AMR\n", b"#!AMR-WB\n"
NOTHING = b"\x7c"  # a frame of AMR in which nothing is sent, of 20 ms


def spoken(folder: Path, suffix: str = "amr") -> Path:
    """Write speech around a pause of two seconds, for which comfort noise is sent."""
    voice, pause = speech(8_000, SECONDS), np.zeros(16_000, np.float32)
    wave = np.concatenate([voice, pause, voice])
    path = folder / f"pause.{suffix}"
    return encode(path, "libopencore_amrnb", 8_000, wave, options={"dtx": "1"})


@pytest.mark.parametrize("suffix", ["amr", "3gp"])
def test_a_pause_of_comfort_noise_keeps_its_length(suffix: str, tmp_path: Path) -> None:
    sound = audio.load(spoken(tmp_path, suffix), sample_rate=8_000)
    assert sound.flags == () and sound.duration == pytest.approx(2 * SECONDS + 2, abs=0.03)
    loud = np.abs(sound.waveform).reshape(-1, 160).max(axis=1) > 0.02
    at = np.flatnonzero(loud) * 0.02
    assert not np.any((at > SECONDS + 0.1) & (at < SECONDS + 1.9)) and at[-1] > SECONDS + 2.5


def test_amr_that_was_cut_in_a_pause_says_so(tmp_path: Path) -> None:
    content = spoken(tmp_path).read_bytes()
    noise = content.index(NOTHING * 7) + 7  # 5 bytes follow its first
    assert heard(tmp_path / "whole.amr", content[: noise + 6]).flags == ()
    assert "truncated" in heard(tmp_path / "cut.amr", content[: noise + 5]).flags


@pytest.mark.parametrize(
    ("mark", "voice", "noise"),
    [(NB, b"\x04" + bytes(12), b"\x44" + bytes(5)), (WB, b"\x14" + bytes(32), b"\x4c" + bytes(5))],
    ids=["narrow", "wide"],
)
def test_frames_of_amr_without_speech_are_heard_as_pauses(
    mark: bytes, voice: bytes, noise: bytes, tmp_path: Path
) -> None:
    for frames in (
        [voice] * 50 + ([noise] + [NOTHING] * 7) * 10 + [voice] * 20,
        [noise] + [NOTHING] * 49 + [voice] * 50,
        [NOTHING] * 50 + [voice] * 50 + [NOTHING] * 50,
    ):
        sound = heard(tmp_path / "a.amr", mark + b"".join(frames))
        assert sound.duration == pytest.approx(0.02 * len(frames)) and "damaged" not in sound.flags
