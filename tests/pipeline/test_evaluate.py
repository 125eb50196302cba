"""`ser evaluate`: held-out clips alone, wherever they lie, and what leaks is named."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from command import EMOTIONS, Result, ser, succeed, tone
from corpus import by_folder, read_rows, rows_of

from ser_cli.report import results

SHAPE = {"protocol": str, "data": str, "leaky": bool} | dict.fromkeys(
    ("uar", "low", "high", "war", "macro_f1", "weighted_f1", "ece"), float
)


def scores_of(done: Result) -> dict[str, Any]:
    """Return what `--json` printed, whose results are alike for whatever was scored."""
    scores: dict[str, Any] = json.loads(done.out)
    assert isinstance(scores["title"], str)
    for result in scores["results"]:
        for name, kind in SHAPE.items():
            assert isinstance(result[name], kind), name
    return scores


def test_it_learned(trained: Path) -> None:
    (report,) = scores_of(succeed("evaluate", "--artifacts", trained, "--json"))["results"]
    assert report["data"] == "all" and report["uar"] >= 0.75  # chance is 0.25


def test_nothing_held_out_is_said(table: Path, home: Path) -> None:
    command = ("--data", table, "--artifacts", "whole", "--params", "tiny.json")
    Path("whole").mkdir()
    Path("whole/val_metrics.txt").write_text("of a training before")
    succeed("train", *command, "--split", "none", "--epochs", 2, "--temperature", 2.5)
    assert not list(Path("whole").glob("val_*"))
    manifest = json.loads(Path("whole/manifest.json").read_text())
    assert manifest["clips"] == {"train": 48, "dev": 0, "test": 0}
    assert (manifest["temperature"], manifest["best_epoch"]) == (2.5, 2)
    assert manifest["settings_from"] == "tiny.json with epochs=2"
    done = ser("evaluate", "--artifacts", "whole")
    assert done.code == 1 and done.out == "" and "nothing is held out" in done.err
    # Where results of the recipe are published, they are shown instead.
    (home / "shipped").mkdir()
    results.add(home / "shipped" / "results.csv", [fake.ROW, replace(fake.ROW, recipe="other")])
    done = succeed("evaluate", "--artifacts", "whole")
    assert "emobox6" in done.out and "66.7 (60.0-70.0)" in done.out
    assert "nothing is held out" in done.err
    (row,) = scores_of(succeed("evaluate", "--artifacts", "whole", "--json"))["results"]
    assert (row["uar"], row["seed"], row["protocol"]) == (0.6667, 0, "emobox6")
    # With its own settings among them, those of others say nothing of it.
    own = replace(fake.ROW, settings_from=manifest["settings_from"], uar=0.5)
    results.add(home / "shipped" / "results.csv", [own])
    (row,) = scores_of(succeed("evaluate", "--artifacts", "whole", "--json"))["results"]
    assert row["uar"] == 0.5
    # On a corpus of which it has learned every clip, it says so.
    done = succeed("evaluate", "--artifacts", "whole", "--data", table)
    assert "48 of 48 clips were training data of this model" in done.err and "LEAKY" in done.out


def test_evaluate_writes_a_report(trained: Path, tmp_path: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained, "--report", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "evaluate.toml",
        "report.html",
        "test_confusion_matrix.png",
        "test_confusion_matrix.svg",
        "test_metrics.txt",
        "test_predictions.csv",
        "test_confusion_matrix.txt",
    }
    assert "LEAKY" not in done.out and "UAR" in done.out and "truth (rows)" in done.out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html") or page.startswith("<!DOCTYPE html")
    assert f"ser evaluate --artifacts {trained}" in page
    links = set(re.findall(r'<a href="(.+?)"', page))
    assert links == {path.name for path in tmp_path.iterdir()} - {"report.html", "evaluate.toml"}
    assert re.search(r", 8 clips, \d speakers?; 4 classes", page) and "by chance 25.0%" in page
    assert re.search(r'Tested on <time datetime="\d{4}-\d\d-\d\d">', page)
    assert "Clips: 8" in (tmp_path / "test_metrics.txt").read_text()
    assert "angry" in (tmp_path / "test_confusion_matrix.txt").read_text()
    heard = read_rows(tmp_path / "test_predictions.csv")
    (scored,) = scores_of(succeed("evaluate", "--artifacts", trained, "--json"))["results"]
    right = [row["truth"] == row["emotion"] for row in heard]
    assert len(heard) == scored["n"] and np.mean(right) == pytest.approx(scored["war"])
    for row in heard:
        assert max(map(float, (row[name] for name in EMOTIONS))) == float(row["confidence"])
        assert Path(row["file"]).is_file() and row["speaker"]
    assert (tmp_path / "test_confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "test_confusion_matrix.svg").read_text(encoding="utf-8")


def test_the_report_lies_beside_the_model_by_default(trained: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained, "--report")
    page = trained / "report" / "test" / "report.html"
    assert page.is_file() and f"written: {page}" in done.err


def test_evaluate_scores_the_held_out_clips_alone(trained: Path, table: Path) -> None:
    for data in ((), ("--data", table)):
        scores = scores_of(succeed("evaluate", "--artifacts", trained, "--json", *data))
        (report,) = scores["results"]
        assert report["leaky"] is False and scores["audit"] == []
        assert report["n"] == 8 and sum(map(sum, report["confusion"])) == 8
        assert report["labels"] == sorted(EMOTIONS)
        low, high = report["intervals"]["uar"]
        assert [low, high] == [report["low"], report["high"]]
        assert 0 <= low <= report["uar"] <= high <= 1


def test_evaluate_knows_its_clips_when_they_have_moved(
    trained: Path, table: Path, tmp_path: Path
) -> None:
    shutil.copytree(table.parent, tmp_path / "moved")
    for number, path in enumerate(sorted((tmp_path / "moved" / "wav").iterdir())):
        emotion = next(r["emotion"] for r in read_rows(table) if r["file"].endswith(path.name))
        target = tmp_path / "sorted" / emotion / f"{number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    command = ("evaluate", "--artifacts", trained, "--json", "--data", tmp_path / "sorted")
    (report,) = scores_of(succeed(*command))["results"]
    assert report["n"] == 8 and report["leaky"] is False


def test_evaluate_on_other_recordings(trained: Path, tmp_path: Path) -> None:
    for number, (emotion, hertz) in enumerate((*EMOTIONS.items(), ("disgust", 9000))):
        for name in ("a-0", "b-9"):  # names that the training knows, of other sounds
            tone(tmp_path / emotion / f"{name}.wav", hertz, seed=1000 + number)
    done = succeed("evaluate", "--artifacts", trained, "--data", tmp_path)
    assert "2 clips of disgust left out: the model does not know that emotion" in done.err
    assert "training data" not in done.err and "LEAKY" not in done.out
    command = ("evaluate", "--artifacts", trained, "--data", tmp_path, "--json")
    (report,) = scores_of(succeed(*command))["results"]
    assert report["n"] == 8 and report["uar"] >= 0.75


def test_a_corpus_without_a_class_is_scored_and_named(trained: Path, tmp_path: Path) -> None:
    for emotion in ("sad", "angry"):
        for number in range(2):
            tone(tmp_path / "in" / emotion / f"{number}.wav", EMOTIONS[emotion], seed=number)
    command = ("evaluate", "--artifacts", trained, "--data", tmp_path / "in")
    done = succeed(*command, "--report", "--out", tmp_path / "out")
    assert "all: no clip is calm or happy; UAR is over the 2 of 4 classes that occur" in done.err
    shown = " ".join(done.out.split())
    assert "- UAR over the 2 of 4 classes that occur" in shown and "2 of 4 \u2502" in shown
    assert "Not all classes" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    words = (tmp_path / "out" / "test_metrics.txt").read_text(encoding="utf-8")
    assert "UAR (mean recall) over the 2 of 4 classes that occur" in words
    done = succeed(*command, "--json")
    assert "no clip is calm or happy" in done.err
    scores = scores_of(done)
    (report,) = scores["results"]
    assert (report["uar_classes"], report["uar_labels"]) == (2, ["angry", "sad"])
    assert scores["parts"]["test"]["sad"] == {"clips": 2, "speakers": None}
    assert scores["parts"]["test"]["calm"] == {"clips": 0, "speakers": 0}


def test_evaluate_shows_clips_and_speakers(trained: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained)
    assert "clips (speakers)" in done.out and done.out.count("2 (1)") == 4
    assert "classes that occur" not in done.out + done.err and "UAR over" not in done.out
    scores = scores_of(succeed("evaluate", "--artifacts", trained, "--json"))
    assert scores["parts"] == {
        "test": {key: {"clips": 2, "speakers": 1} for key in sorted(EMOTIONS)}
    }
    assert scores["results"][0]["uar_classes"] == 4


def test_evaluate_goes_on_after_a_broken_file(trained: Path, tmp_path: Path) -> None:
    for emotion in ("sad", "angry"):
        tone(tmp_path / emotion / "x.wav", EMOTIONS[emotion], seed=7)
    (tmp_path / "sad" / "y.wav").write_bytes(b"RIFF")
    done = ser("evaluate", "--artifacts", trained, "--data", tmp_path)
    assert done.code == 3 and "y.wav: no sound" in done.err and "UAR" in done.out


def test_evaluate_where_nothing_can_be_scored(trained: Path, tmp_path: Path) -> None:
    for emotion in ("disgust", "bored"):
        tone(tmp_path / emotion / "x.wav", 100, seed=8)
    done = ser("evaluate", "--artifacts", trained, "--data", tmp_path)
    assert done.code == 1 and "none of the clips can be scored" in done.err
    assert "the model does not know bored, disgust" in done.err and "it knows " in done.err
    for emotion in ("happy", "sad"):
        broken = tmp_path / "other" / emotion / "y.wav"
        broken.parent.mkdir(parents=True)
        broken.write_bytes(b"RIFF")
    done = ser("evaluate", "--artifacts", trained, "--data", tmp_path / "other")
    assert done.code == 1 and "none of the clips can be scored: none can be read" in done.err


def test_a_folder_by_emotion_all_the_way(home: Path) -> None:
    numbered = by_folder(home / "numbered")
    folder = home / "from-folder"
    recipe = ("--data", numbered, "--recipe", "stats-dense", "--jobs", 1)
    succeed("extract", *recipe)
    for split in (("--split", "random"), ()):
        command = ("train", *recipe, "--artifacts", folder, *split)
        done = succeed(*command, "--epochs", 20, "--copies", 0)
        assert "not speaker-independent" in done.err
    split_rows = read_rows(folder / "split.csv")
    assert Counter(row["split"] for row in split_rows) == {"train": 33, "dev": 7, "test": 8}

    # Four emotions have a 01.wav each: the held-out ones are told by more than their name.
    done = succeed("evaluate", "--artifacts", folder)
    assert "LEAKY: not speaker-independent" in done.out
    (report,) = scores_of(succeed("evaluate", "--artifacts", folder, "--json"))["results"]
    held_out = Counter(row["emotion"] for row in split_rows if row["split"] == "test")
    assert {k: v["support"] for k, v in report["per_class"].items()} == held_out
    assert report["n"] == 8

    rows = rows_of(succeed("predict", numbered, "--artifacts", folder, "--hear-all").out)
    right = [Path(row["file"]).parent.name == row["emotion"] for row in rows]
    assert len(rows) == 48 and np.mean(right) > 0.5
