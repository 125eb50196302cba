"""Atomic files, the cache's place, and the small things that are remembered."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from modules import printed
from platformdirs.api import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from ser_cli import process
from ser_cli.data import store


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    store.write_text(path, "old")
    with pytest.raises(RuntimeError), store.atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_the_temporary_file_lies_beside_with_the_same_ending(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with store.atomic_write(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".onnx")
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


def left_by(writer: str, folder: Path) -> Path:
    """Return a temporary file that another process has begun, and is gone or at work."""
    code = (
        "import os, sys; from pathlib import Path; from ser_cli.data import store\n"
        f"with store.atomic_write(Path({str(folder)!r}) / 'model.onnx') as temporary:\n"
        f"    print(temporary, flush=True); {writer}"
    )
    return Path(printed(code).strip())


def test_temporary_files_of_the_dead_are_swept_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = left_by("os._exit(0)", tmp_path)
    assert dead.is_file()
    mark = f"-{process.machine()}-"
    assert f"{mark}" in dead.name
    others = [
        dead.name.replace(mark, "-00000000-"),  # of another machine, whose processes are unknown
        f".model{mark}{os.getpid()}-abcd1234.onnx",  # of a process at work
        ".model-abcd1234.onnx",
        "mine" + dead.name,
    ]
    for name in others:
        (tmp_path / name).touch()
    with store.atomic_write(tmp_path / "a.txt") as temporary:
        present = {path.name for path in tmp_path.iterdir()}
        assert present == {*others, temporary.name}
    old = tmp_path / others[0]
    os.utime(old, (0, 0))
    store._sweep.cache_clear()  # a folder is looked through once in a process
    store.write_text(tmp_path / "a.txt", "")
    assert {path.name for path in tmp_path.iterdir()} == {*others[1:], "a.txt"}


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 125 + ".txt")
    store.write_text(path, "x")
    assert path.read_text() == "x"


@pytest.mark.parametrize("sync", [True, False])
def test_what_is_renamed_is_synced_before_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    path, synced = tmp_path / "a", []
    # Windows' folders cannot be synced.
    folders = [(tmp_path.stat().st_ino, True)] if os.name == "posix" else []

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with store.atomic_write(path, sync=sync) as temporary:
        temporary.write_bytes(b"x")
    assert synced == ([(path.stat().st_ino, False), *folders] if sync else [])


def test_where_nothing_can_be_synced_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError

    monkeypatch.setattr(os, "fsync", fsync)
    store.write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"


def test_text_has_plain_newlines_and_utf8(tmp_path: Path) -> None:
    store.write_text(tmp_path / "a", "ä\n")
    assert (tmp_path / "a").read_bytes() == "ä\n".encode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_files_follow_the_users_mask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        store.write_text(tmp_path / "a", "")
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_facts_are_remembered_and_damage_forgets_them(tmp_path: Path) -> None:
    assert store.remembered("ravdess") is None
    store.remember("ravdess", "/data")
    store.remember("other", "x")
    store.remember("ravdess", "/data2")
    assert (store.remembered("ravdess"), store.remembered("other")) == ("/data2", "x")
    (store.cache_dir() / "remembered.json").write_text("{", encoding="utf-8")
    assert store.remembered("ravdess") is None
    store.remember("ravdess", "/data3")
    assert store.remembered("ravdess") == "/data3"


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path))
    assert store.cache_dir() == tmp_path


@pytest.mark.parametrize(
    ("system", "expected"),
    [(Unix, ".cache/ser"), (MacOS, "Library/Caches/ser"), (Windows, "AppData/Local/ser")],
)
def test_the_cache_has_a_home_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: type[PlatformDirsABC], expected: str
) -> None:
    for name in ("SER_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    local = str(tmp_path / "AppData" / "Local")
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: local)
    monkeypatch.setattr("platformdirs.PlatformDirs", system)
    assert store.cache_dir() == tmp_path / expected


def test_what_downloads_need_is_not_imported_before() -> None:
    code = (
        "import sys, ser_cli.data.store, ser_cli.data.unpack, ser_cli.stages.predict;"
        "print(*{'platformdirs', 'urllib3'} & sys.modules.keys())"
    )
    assert printed(code).split() == []
