"""Two commands on one folder: one works, the other is told who does; no lock outlives a kill."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import ser
from corpus import by_table
from fake import ROW

from ser_cli.data import locks
from ser_cli.report import results

HOLD = """
import sys
from pathlib import Path
from typing import Any
from ser_cli.data import locks
with locks.held(Path(sys.argv[1]), name=sys.argv[2], hint=""):
    print("held", flush=True)
    sys.stdin.read()
"""
Other = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def other() -> Iterator[Other]:
    """Start a process that holds a folder until it is killed, or its input ends."""
    started = []

    def hold(folder: Path, name: str = locks.LOCK) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", HOLD, str(folder), name]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        started.append(process)
        assert process.stdout and process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def is_free(folder: Path) -> bool:
    try:
        with locks.held(folder, hint=""):
            return True
    except locks.BusyError:
        return False


def test_the_second_is_refused_at_once_and_told_who_holds_it(tmp_path: Path, other: Other) -> None:
    holder = other(tmp_path)
    with pytest.raises(locks.BusyError) as caught, locks.held(tmp_path, hint="or take another"):
        pytest.fail("both hold it")
    assert f"{tmp_path} is in use by process {holder.pid} on " in str(caught.value)
    assert " since 20" in str(caught.value)
    assert caught.value.hint == "wait until that has ended; or take another"
    holder.communicate("")
    assert is_free(tmp_path) and not list(tmp_path.iterdir())


def test_a_lock_does_not_outlive_its_process(tmp_path: Path, other: Other) -> None:
    holder = other(tmp_path)
    assert not is_free(tmp_path)
    holder.kill()
    holder.wait()
    assert (tmp_path / locks.LOCK).exists()
    assert is_free(tmp_path)


def test_one_may_wait(tmp_path: Path, other: Other) -> None:
    holder = other(tmp_path)
    threading.Timer(0.3, holder.kill).start()
    begun = time.monotonic()
    with locks.held(tmp_path, hint="", wait_s=60):
        assert time.monotonic() - begun > 0.2


def test_of_many_that_come_at_once_one_holds(tmp_path: Path) -> None:
    folder = tmp_path / "made"  # and removed again, each time that nobody has it
    holding, most, done = 0, 0, []

    def work() -> None:
        nonlocal holding, most
        for _ in range(20):
            with locks.held(folder, hint="", wait_s=60):
                holding += 1
                most = max(most, holding)
                time.sleep(0.0001)
                holding -= 1
                done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, len(done)) == (1, 80)


def test_a_folder_that_is_removed_just_when_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, calls = tmp_path / "made", Path.mkdir, []

    def mkdir(path: Path, *args: Any, **kwargs: Any) -> None:
        calls.append(path)
        if len(calls) == 1:  # it was there when the system was asked, and is gone at pathlib's look
            raise FileExistsError(path)
        real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with locks.held(folder, hint=""):
        assert folder.is_dir() and len(calls) == 2


def test_what_stands_in_a_folders_place_is_an_error(tmp_path: Path) -> None:
    place = tmp_path / "made"
    place.write_text("a file")
    with pytest.raises(FileExistsError), locks.held(place, hint=""):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="removes no file that is open")
def test_a_lock_that_its_holder_has_removed_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = locks.take
    tries: list[int] = []

    def late(descriptor: int) -> None:
        if not tries:
            (tmp_path / locks.LOCK).unlink()
        tries.append(1)
        take(descriptor)

    monkeypatch.setattr(locks, "take", late)
    with locks.held(tmp_path, hint=""):
        assert not is_free(tmp_path)


def test_where_nothing_can_be_locked_work_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "take", fail)
    with locks.held(tmp_path, hint=""):
        pass
    assert f"{tmp_path} cannot be locked" in caplog.text


def test_a_folder_made_for_nothing_goes_again(tmp_path: Path) -> None:
    for content in ([], ["model.onnx"]):
        with locks.held(tmp_path / "new" / "inner", hint=""):
            for name in content:
                (tmp_path / "new" / "inner" / name).touch()
        assert (tmp_path / "new").exists() == bool(content)


def test_a_second_training_is_refused_before_it_learns(
    tmp_path: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table, holder = by_table(tmp_path / "corpus"), other(Path("own"))
    done = ser("train", "--data", table, "--artifacts", "own")
    assert done.code == 1
    assert done.err.splitlines() == [
        f"ser: own is in use by {locks._holder(Path('own/.lock'))}",
        "  try: wait until that has ended; or choose another folder: --artifacts DIR",
    ]
    assert f"process {holder.pid} " in done.err and [*Path("own").iterdir()] == [
        Path("own", locks.LOCK)
    ]


def test_rows_of_two_commands_are_both_kept(tmp_path: Path, other: Other) -> None:
    table = tmp_path / "results.csv"
    holder = other(tmp_path, ".results.csv.lock")
    threading.Timer(0.3, holder.kill).start()
    results.add(table, [ROW])
    assert holder.poll() is not None and len(results.read(table)) == 1


def test_a_table_that_is_kept_for_long_is_told(
    tmp_path: Path, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    other(tmp_path, ".results.csv.lock")
    monkeypatch.setattr(results, "WAIT_S", 0.0)
    with pytest.raises(locks.BusyError):
        results.add(tmp_path / "results.csv", [ROW])
