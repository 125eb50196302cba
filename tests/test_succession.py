"""Files change hands together: whoever reads, and wherever it is killed, a set is whole."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fake
import pytest

from ser_cli.data import succession
from ser_cli.errors import ArtifactsError, DataError
from ser_cli.model import artifacts

STEPS = ("os.rename", "os.remove", "os.link", "os.rmdir", "os.mkdir", "shutil.copyfile")
KNOWN = ("a", "b", "old", "new")
KILLED = 9


def begin(folder: Path) -> Path:
    return succession.begin(folder, "last", KNOWN)


def stage(folder: Path, version: int) -> None:
    """Write a set whose files are all of this version; one of them only this version has."""
    staging = begin(folder)
    for name in ("a", "b", "old" if version == 1 else "new", "last"):
        (staging / name).write_text(str(version))


def succeed(folder: Path) -> None:
    succession.succeed(folder, "last", KNOWN)


def read(place: Path) -> int:
    """Return the version of the files, each of which must be of it."""
    names = [path for path in place.iterdir() if path.name in (*KNOWN, "last")]
    versions = {path.name: int(path.read_text()) for path in names}
    if len(set(versions.values())) != 1 or not {"a", "b", "last"} <= versions.keys():
        raise DataError(f"they do not fit: {versions}")
    return versions["a"]


def version(folder: Path) -> int:
    return succession.steadily(folder, "last", read)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds version 1, and a file that is no part of it."""
    folder = tmp_path / "own"
    stage(folder, 1)
    succeed(folder)
    (folder / "results.csv").write_text("mine")
    return folder


def refuse(*_: object) -> None:
    """Make no hard link, as some file systems do."""
    raise OSError


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Do something in a process that dies just before its n-th step; return whether it did."""
    child = os.fork()
    if not child:
        left = iter(range(step))

        def watch(event: str, _: object) -> None:
            if event in STEPS and next(left, None) is None:
                os._exit(KILLED)

        sys.addaudithook(watch)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("links", [True, False])
def test_killed_at_any_step_a_set_is_whole(
    folder: Path, tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    stage(folder, 2)
    found: list[int] = []
    while True:
        own = shutil.copytree(folder, tmp_path / f"killed-{len(found)}")
        if not killed_at(len(found), partial(succeed, own)):
            break
        found.append(version(own))
        killed_at(len(found) % 7, partial(begin, own))  # nor does the next come far
        assert version(own) == found[-1]
        begin(own)
        assert read(own) == found[-1] and (own / "results.csv").read_text() == "mine"
        assert not (own / succession.SUCCESSOR).exists()
    assert found == sorted(found) and set(found) == {1, 2} and len(found) > 10
    assert read(own) == 2
    assert {path.name for path in own.iterdir()} == {"a", "b", "new", "last", "results.csv"}


def test_whoever_reads_while_sets_change_finds_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    over = threading.Event()

    def change() -> None:
        for number in range(2, 150):
            stage(folder, number)
            succeed(folder)
        over.set()

    thread = threading.Thread(target=change)
    thread.start()
    found = []
    while not over.is_set():
        found.append(version(folder))
    thread.join()
    assert found == sorted(found) and len(set(found)) > 5


def test_damage_is_told_and_not_waited_for(folder: Path) -> None:
    (folder / "b").write_text("7")
    with pytest.raises(DataError, match="do not fit"):
        version(folder)


def test_a_model_stays_until_its_successor_is_sealed(tmp_path: Path) -> None:
    own = fake.folder(tmp_path / "own", temperature=1.0)
    former = artifacts.load(own)
    staging = artifacts.begin(own)
    assert artifacts.load(own).temperature == 1.0
    fake.folder(staging, temperature=2.0)
    assert artifacts.load(own).temperature == 1.0 and former.onnx == own / "model.onnx"
    (own / succession.STAGING).rename(own / succession.SUCCESSOR)  # and killed
    found = artifacts.load(own)
    assert found.temperature == 2.0 and found.onnx.parent == own / succession.SUCCESSOR
    assert artifacts.is_complete(own)
    with pytest.raises(ArtifactsError, match="trained again"):  # it does not fit the former scaler
        _ = former.onnx
    artifacts.begin(own)
    assert artifacts.load(own).onnx == own / "model.onnx"
    with pytest.raises(ArtifactsError, match="trained again"):
        _ = former.onnx
