"""`ser extract`: features once, and what fails does not stop the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import ser, succeed, tone
from corpus import by_folder


def test_extract_computes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    data = by_folder(tmp_path / "clips")
    first = succeed("extract", "--data", data, "--jobs", 1)
    # 0.6 s at 16 kHz and a frame every 512 samples: 19 frames.
    assert first.out == "48 clips, 912 frames of 139 features (48 computed now, 0 failed)\n"
    assert first.err == ""
    second = json.loads(succeed("extract", "--data", data, "--json").out)
    assert second == {
        "recipe": "cnn-bilstm",
        "clips": 48,
        "computed": 0,
        "frames": 912,
        "features": 139,
        "failed": [],
        "table": None,
    }


def test_extract_goes_on_after_a_broken_file(tmp_path: Path) -> None:
    for n, emotion in enumerate(("sad", "happy")):
        tone(tmp_path / emotion / "a.wav", 300, seed=n)
    broken = tmp_path / "sad" / "b.wav"
    broken.write_bytes(b"RIFF")
    done = ser("extract", "--data", tmp_path)
    assert done.code == 3
    assert done.out.startswith("2 clips, 38 frames") and "(2 computed now, 1 failed)" in done.out
    assert done.err.count(str(broken)) == 1 and "no sound that can be decoded" in done.err
    done = ser("extract", "--data", tmp_path, "--json")
    (failed,) = json.loads(done.out)["failed"]
    assert done.code == 3 and failed["file"] == str(broken) and failed["error"]
