"""What a file is, by its first bytes: every format of sound, and what is mistaken for sound."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from sounds import encode, sine

from ser_cli.errors import AudioError
from ser_cli.remarks import LOG
from ser_cli.sound import audio, sniff
from ser_cli.sound.files import Passed, find, tell, walk

# Format -> FFmpeg's encoder and rate.
ENCODED = {
    "mp3": ("libmp3lame", 44_100),
    "mp2": ("mp2", 44_100),
    "adts": ("aac", 44_100),
    "mp4": ("aac", 44_100),
    "mov": ("alac", 44_100),
    "3gp": ("aac", 44_100),
    "webm": ("libopus", 48_000),
    "matroska": ("libopus", 48_000),
    "asf": ("libmp3lame", 44_100),
    "avi": ("pcm_s16le", 44_100),
    "flv": ("aac", 44_100),
    "mpegts": ("aac", 44_100),
    "ac3": ("ac3", 44_100),
    "wv": ("wavpack", 44_100),
    "tta": ("tta", 44_100),
}
WRITTEN = ("WAV", "RF64", "WAVEX", "FLAC", "OGG", "AIFF", "AU", "CAF", "W64", "NIST", "VOC")


@pytest.mark.parametrize("form", ENCODED)
def test_formats_of_ffmpeg_are_sound_whatever_their_names(form: str, tmp_path: Path) -> None:
    codec, rate = ENCODED[form]
    path = encode(tmp_path / "noending", codec, rate, sine(440, rate), form)
    assert sniff.is_sound(path)
    assert sniff.other(sniff.head(path)) is None
    assert audio.load(path, sample_rate=16_000).duration == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("form", WRITTEN)
def test_formats_of_libsndfile_are_sound_whatever_their_names(form: str, tmp_path: Path) -> None:
    path = tmp_path / "noending"
    soundfile.write(path, sine(440), 16_000, format=form)
    assert sniff.is_sound(path)
    assert sniff.other(sniff.head(path)) is None


def archive(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as zipped:
            zipped.writestr("a.wav", b"RIFF")
    else:
        with tarfile.open(fileobj=stream, mode="w:gz" if kind == "gz" else "w") as tar:
            tar.addfile(tarfile.TarInfo("a.wav"))
    return stream.getvalue()


OTHERS = {
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:c6f9\n",
    "page of the web": b"\xef\xbb\xbf\n <!DOCTYPE html>\n<html>Not found</html>",
    "ZIP archive": archive("zip"),
    "gzip archive": archive("gz"),
    "tar archive": archive("tar"),
    "is a text": "Grüße, das ist kein Ton. ".encode() * 30,
    "PDF": b"%PDF-1.7\n\xff\xfe",
    "picture": b"\x89PNG\r\n\x1a\n\0\0",
    "MIDI": b"MThd\0\0\0\6",
}


@pytest.mark.parametrize("named", OTHERS)
def test_what_is_no_sound_is_named(named: str, tmp_path: Path) -> None:
    path, content = tmp_path / "clip.wav", OTHERS[named]
    path.write_bytes(content)
    assert not sniff.holds_sound(sniff.head(path))
    for source in (path, io.BytesIO(content)):
        with pytest.raises(AudioError, match=named):
            audio.load(source, sample_rate=16_000)


@pytest.mark.parametrize(
    "content",
    [
        "Notes on the clips".encode("utf-16"),
        b"caffeine is no sound at all",
        b"ID3 was here",
        b"OggS is a name",
        b"\0\0\0\x18ftypheic\0\0\0\0",
    ],
)
def test_what_only_looks_like_sound_is_passed_over(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    assert not sniff.is_sound(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not [*walk(tmp_path)]


@given(st.binary(max_size=600))
def test_any_bytes_are_one_thing_at_most(content: bytes) -> None:
    assert not (sniff.holds_sound(content[: sniff.HEAD]) and sniff.other(content[: sniff.HEAD]))


def test_noise_is_seldom_taken_for_sound() -> None:
    rng = np.random.default_rng(0)
    taken = sum(sniff.holds_sound(rng.bytes(sniff.HEAD)) for _ in range(20_000))
    assert taken < 100


def test_a_folder_is_searched_by_content(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call", sine(440), 16_000, format="WAV")
    (tmp_path / "notes.txt").write_text("not a sound")
    (tmp_path / "notes.TXT").write_text("not a sound")
    (tmp_path / ".hidden").write_text("of the system")
    passed = Passed()
    assert [found.file for found in find([tmp_path], passed)] == [str(tmp_path / "call")]
    assert passed == {".txt": 2}


def test_what_was_passed_over_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tell(["in", "out"], Passed({".txt": 2, "": 1}))
    assert caplog.messages == [
        "in, out: passed over 3 files that are no sound: .txt 2, no ending 1"
    ]
    assert caplog.records[0].name == LOG.name
    caplog.clear()
    tell("in", Passed())
    assert not caplog.messages


def test_links_are_followed_and_no_folder_is_entered_twice(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for place in (inside / "a", outside):
        place.mkdir(parents=True)
        (place / "x.wav").touch()
    try:
        (inside / "b").symlink_to(outside, target_is_directory=True)
        (inside / "a" / "loop").symlink_to(inside, target_is_directory=True)
        (inside / "c").symlink_to(outside, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    found = [path.relative_to(inside).as_posix() for path in walk(inside)]
    assert found == ["a/x.wav", "b/x.wav"]
