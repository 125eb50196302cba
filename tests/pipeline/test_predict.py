"""`ser predict` with a trained folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import EMOTIONS, ser, succeed, tone
from corpus import read_rows, rows_of


def test_predict_writes_a_table(trained: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    command = ("predict", table.parent / "wav", "--artifacts", trained, "--hear-all")
    done = succeed(*command, "--csv", out)
    assert done.out == "" and f"48 rows written: {out}" in done.err
    assert f"model: {trained}" in done.err
    rows = read_rows(out)
    names = ["file", "start", "end", "emotion", "confidence", *sorted(EMOTIONS)]
    assert list(rows[0]) == [*names, "status", "flags", "error", "speaker"]
    truth = {Path(row["file"]).name: row["emotion"] for row in read_rows(table)}
    right = [truth[Path(row["file"]).name] == row["emotion"] for row in rows]
    assert np.mean(right) > 0.8
    for row in rows:
        shares = {name: float(row[name]) for name in EMOTIONS}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert float(row["confidence"]) == pytest.approx(max(shares.values()), abs=1e-6)
        assert shares[row["emotion"]] == max(shares.values()) and row["status"] == "ok"
    assert rows_of(succeed(*command).out) == rows  # a pipe gets the same
    done = succeed(*command, "--csv", out, "--json", "--out", tmp_path / "%.srt")
    assert "48 of 48 files were done before" in done.err
    assert [json.loads(line)["file"] for line in done.out.splitlines()] == [r["file"] for r in rows]
    assert len(list(tmp_path.glob("*.srt"))) == 48


def test_predict_labels_what_it_can(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    tone(tmp_path / "b.wav", EMOTIONS["sad"], seed=5)
    done = ser("predict", tmp_path, "--artifacts", trained, "--json", "--hear-all")
    assert done.code == 3
    bad, good = map(json.loads, done.out.splitlines())
    assert (bad["status"], bad["emotion"], bad["sad"]) == ("error", "", None) and bad["error"]
    assert (good["status"], good["emotion"]) == ("ok", "sad")


def test_predict_in_windows(trained: Path, tmp_path: Path) -> None:
    clip = tone(tmp_path / "long.wav", EMOTIONS["happy"], seed=5, seconds=3.0)
    command = ("predict", clip, "--artifacts", trained, "--hear-all")
    (whole,) = rows_of(succeed(*command).out)
    assert (whole["flags"], whole["end"]) == ("long", "3.0")
    rows = rows_of(succeed(*command, "--window", 1, "--step", 0.5).out)
    assert [row["start"] for row in rows] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert {row["emotion"] for row in (*rows, whole)} == {"happy"}


def test_predict_scores_files_that_name_their_emotion(trained: Path, tmp_path: Path) -> None:
    for code, emotion in (("04", "sad"), ("05", "angry")):
        tone(tmp_path / f"03-01-{code}-01-01-01-09.wav", EMOTIONS[emotion], seed=9)
    command = ("predict", tmp_path, "--artifacts", trained, "--hear-all")
    done = succeed(*command)
    assert len(rows_of(done.out)) == 2  # what a program reads stays a table
    assert "2 files have labels in their names" in done.err and "macro avg" in done.err
    assert "macro avg" not in succeed(*command, "--no-report").err


def test_predict_never_writes_over_a_recording(trained: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    tone(clip, 440.0, seed=0)
    before = clip.read_bytes()
    done = ser("predict", clip, "--csv", clip, "--artifacts", trained, "--hear-all")
    assert done.code == 2 and "named like a recording" in done.err
    assert clip.read_bytes() == before


def test_predict_refuses_before_it_prints(trained: Path, tmp_path: Path) -> None:
    for wrong in (("--window", "0"), ("--csv", tmp_path / "x.csv", "--out", "x.doc")):
        done = ser("predict", tmp_path, "--artifacts", trained, *wrong)
        assert (done.code, done.out) == (2, ""), wrong
    done = ser("predict", tmp_path, "--recipe", "no")
    assert (done.code, done.out) == (2, "") and "'no' is not one of" in done.err
    assert not (tmp_path / "x.csv").exists()
