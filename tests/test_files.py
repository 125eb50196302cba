"""What is found of what a user names: files, folders and patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser_cli.sound.files import find


def tree(root: Path) -> Path:
    names = ("b/2.WAV", "b/10.mp3", "a/x.Flac", "c.m4a", ".hidden.wav", ".git/x.wav", "b/._2.wav",
             "notes.txt", "b/noext")  # fmt: skip
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(root: Path, *paths: Path | str) -> list[str]:
    return [Path(item.file).relative_to(root).as_posix() + ("!" if item.error else "")
            for item in find(paths)]  # fmt: skip


def test_folders(tmp_path: Path) -> None:
    assert names(tree(tmp_path), tmp_path) == ["c.m4a", "a/x.Flac", "b/10.mp3", "b/2.WAV"]


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path)
    assert names(root, root / "b" / "*") == ["b/10.mp3", "b/2.WAV"]
    assert names(root, root / "**" / "*") == ["a/x.Flac", "b/10.mp3", "b/2.WAV", "c.m4a"]
    assert names(root, root / "**" / "*.mp3") == ["b/10.mp3"]
    assert names(root, root / "?") == ["a/x.Flac", "b/10.mp3", "b/2.WAV"]  # folders, as a shell's
    assert names(root, root / "*.ogg") == ["*.ogg!"]
    monkeypatch.chdir(root)
    assert [item.file for item in find(["*.m4a"])] == ["c.m4a"]


def test_order_and_named_files(tmp_path: Path) -> None:
    root = tree(tmp_path)
    odd = root / "take [1].wav"
    odd.touch()
    given = [root / "c.m4a", root / "notes.txt", odd, root / "a", root / "c.m4a", root / "no.wav"]
    assert names(root, *given) == [
        "c.m4a", "notes.txt", "take [1].wav", "a/x.Flac", "c.m4a", "no.wav",
    ]  # fmt: skip


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert [(item.file, bool(item.error)) for item in find([tmp_path])] == [(str(tmp_path), True)]
