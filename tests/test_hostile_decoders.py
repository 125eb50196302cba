"""Decoders that crash, hang or ask for too much: a file's loss, and nobody else's."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import numpy as np
import pytest
import soundfile
from modules import printed

from ser_cli.errors import AudioError, SerError
from ser_cli.sound import audio, decode, guard, guard_child
from ser_cli.sound.decode import Stream, UndecodableError, by_soundfile
from ser_cli.sound.limits import Limits

LIMITS = Limits(stall_s=1.0, memory_mb=512)


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    yield
    guard._end()


def file(tmp_path: Path, content: bytes = b"abc") -> Path:
    (tmp_path / "a.bin").write_bytes(content)
    return tmp_path / "a.bin"


def heard(decoder: guard.Decoder, what: Path | io.BytesIO, limits: Limits = LIMITS) -> int:
    with guard.guarded(decoder, what, limits) as stream:
        return sum(map(len, stream.blocks))


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        (hostile.crashing, "crashed on it"),
        (hostile.failing, "failed on it .KeyError"),
        (hostile.hanging, "did not answer for 1 s"),
        pytest.param(
            hostile.greedy,
            "more memory than it may have",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="bounded on Linux alone"),
        ),
    ],
)
def test_what_a_decoder_does_is_told_and_the_next_file_is_read(
    decoder: guard.Decoder, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UndecodableError, match=reason):
        heard(decoder, file(tmp_path))
    assert heard(hostile.talkative, file(tmp_path)) == 3


def test_a_stream_is_the_same_in_a_child(tmp_path: Path) -> None:
    for what in (file(tmp_path), io.BytesIO(b"abc")):
        with guard.guarded(hostile.talkative, what, LIMITS) as stream:
            blocks = list(stream.blocks)
        assert np.array_equal(blocks[0][:, 0], [97, 98, 99])
        assert (stream.rate, stream.channels, stream.stated_s, stream.damaged) == (16_000, 1, 1, 2)


def test_a_large_file_without_a_name_is_not_held_in_memory() -> None:
    size = 200 * 2**20
    assert heard(hostile.measuring, io.BytesIO(bytes(size)), Limits(memory_mb=128)) == 1


def test_nor_is_it_on_the_disk_where_it_must_not_be() -> None:
    def measured(memory_mb: int) -> int:
        what = io.BytesIO(bytes(200 * 2**20))
        return heard(hostile.measuring, what, Limits(memory_mb=memory_mb, on_disk=False))

    assert measured(512) == 1
    for _ in range(3):
        with pytest.raises(UndecodableError, match="more memory than it may have"):
            measured(128)
    (child,) = guard._idle
    few = Limits(memory_mb=128, on_disk=False)
    assert heard(hostile.talkative, io.BytesIO(b"abc"), few) == 3
    assert guard._idle == [child]  # what it did not read of the large one was no request


def test_a_file_that_grows_spoils_no_other_one(tmp_path: Path) -> None:
    class Growing(io.BytesIO):
        def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
            return super().seek(offset, whence) - (2 if whence == io.SEEK_END else 0)

    assert heard(hostile.talkative, Growing(b"abcde")) == 3
    (child,) = guard._idle
    assert heard(hostile.talkative, file(tmp_path)) == 3 and guard._idle == [child]


def test_who_is_interrupted_does_not_wait_for_the_decoder(tmp_path: Path) -> None:
    before = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        guard.guarded(hostile.hanging, file(tmp_path), Limits()) as stream,
    ):
        next(stream.blocks)
        raise KeyboardInterrupt
    assert time.monotonic() - before < 20 and not guard._idle


def test_another_thread_may_take_the_child_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taken(list[guard._Child]):
        def __bool__(self) -> bool:
            return True

    with monkeypatch.context() as patched:
        patched.setattr(guard, "_idle", Taken())
        assert heard(hostile.talkative, io.BytesIO(b"abc")) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="bounded on Linux alone")
def test_a_bound_that_the_system_sets_is_kept() -> None:
    code = (
        "import resource; from ser_cli.sound import guard_child as guard; most = 2**33;"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most)); guard._bound(2**20);"
        "print(resource.getrlimit(resource.RLIMIT_AS)[1] == most)"
    )
    assert printed(code).strip() == "True"


def test_one_child_reads_many_files(tmp_path: Path) -> None:
    assert heard(hostile.talkative, file(tmp_path)) == 3
    (child,) = guard._idle
    for number in range(1, 5):
        assert heard(hostile.talkative, io.BytesIO(bytes(number))) == number
    assert guard._idle == [child]
    assert heard(hostile.talkative, file(tmp_path), Limits()) == 3  # other limits, another child
    assert guard._idle != [child] and not child.is_alive()


def test_the_end_of_a_file_may_be_left_unheard(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(50_000), 16_000)
    with guard.guarded(by_soundfile, tmp_path / "a.wav", LIMITS) as stream:
        next(stream.blocks)
    (child,) = guard._idle
    assert heard(by_soundfile, tmp_path / "a.wav") == 50_000
    assert guard._idle == [child]


def test_a_crash_is_the_reason_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.ogg", np.zeros(16_000), 16_000)
    monkeypatch.setattr(decode, "by_ffmpeg", hostile.crashing)
    monkeypatch.setattr(decode, "by_soundfile", hostile.crashing)
    with pytest.raises(AudioError, match=r"a.ogg: .*its decoder crashed on it"):
        audio.load(tmp_path / "a.ogg", sample_rate=16_000)
    soundfile.write(tmp_path / "b.wav", np.zeros(16_000), 16_000)
    monkeypatch.undo()
    assert audio.load(tmp_path / "b.wav", sample_rate=16_000).duration == 1.0


def test_sound_beyond_the_hours_is_cut(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", 0.1 * np.ones(48_000), 16_000)
    limits = Limits(hours=2 / 3600)
    loaded = audio.load(tmp_path / "a.flac", sample_rate=8_000, limits=limits)
    assert (loaded.duration, loaded.flags) == (2.0, ("cut",))
    assert audio.load(tmp_path / "a.flac", sample_rate=8_000).flags == ()


def test_a_block_for_each_sample_takes_no_longer() -> None:
    blocks = [np.full((1, 1), 0.5, np.float32)] * 2**15
    began = time.process_time()
    joined = [len(block) for _, block in guard_child._together(Stream(16_000, 1, iter(blocks)))]
    assert joined == [2**14, 2**14]
    assert time.process_time() - began < 2  # s; 16 where all that are held are counted each time


def test_damage_lies_where_a_block_begins() -> None:
    def blocks() -> Iterator[np.ndarray]:
        for stream.damaged in (0, 0, 2, 2, 3):
            yield np.zeros((100, 1), np.float32)

    stream = Stream(16_000, 1, blocks())
    found = [(told["damaged"], len(block)) for told, block in guard_child._together(stream)]
    assert found == [(0, 200), (2, 200), (3, 100)]


@pytest.mark.parametrize("missing", [None, ""])
def test_a_program_that_names_no_python_is_told_so(
    missing: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "a.ogg", np.zeros(16_000), 16_000)
    guard._end()
    monkeypatch.setattr(sys, "executable", missing)
    assert audio.load(tmp_path / "a.wav", sample_rate=16_000).duration == 1.0
    with pytest.raises(SerError, match=r"sys.executable is empty") as told:
        audio.load(tmp_path / "a.ogg", sample_rate=16_000)
    assert "set it" in told.value.hint and not isinstance(told.value, AudioError)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, signal, hostile, io; from ser_cli.sound import guard, limits;"
        "opened = guard.guarded(hostile.talkative, io.BytesIO(b'abc'), limits.Limits());"
        "opened.__enter__(); opened.__exit__(None, None, None);"
        "print(guard._idle[0]._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    child = int(printed(code, ends=-signal.SIGKILL))
    gone(lambda: os.kill(child, 0))


def gone(call: Callable[[], object]) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            call()
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("it lives on")
