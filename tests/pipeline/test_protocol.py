"""`ser evaluate --protocol`: every fold once, and rows that say what they are of."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest
from command import ser, succeed
from corpus import by_actor, by_table, read_rows

from ser_cli import process, recipes
from ser_cli.data import locks
from ser_cli.data.audit import Audit
from ser_cli.data.corpora import ravdess
from ser_cli.jobs.training import EvaluateJob
from ser_cli.process import prepare
from ser_cli.report import results
from ser_cli.stages import protocol as protocol_stage
from ser_cli.training import folds, session

if TYPE_CHECKING:
    from ser_cli.data.corpora import Corpus
    from ser_cli.types import Clip


def test_a_protocol_learns_from_other_corpora_too(home: Path, tmp_path: Path) -> None:
    data = by_actor(home / "actors")
    other = by_table(tmp_path / "other")
    settings = tmp_path / "tiny.json"
    settings.write_text(
        '{"epochs": 1, "copies": 0, "blanks": 4, "synthesised": 4}', encoding="utf-8"
    )
    protocol = ("evaluate", "--protocol", "actors21-24", "--recipe", "voice", "--data", data)
    succeed(*protocol, "--also", other, "--params", settings, "--workers", 1)
    rows = [row for row in read_rows(Path("artifacts/results.csv")) if row["recipe"] == "voice"]
    assert {row["corpora"] for row in rows} == {"ravdess+clips.csv"}
    assert {row["enrol_clips"] for row in rows} == {"0"}  # no actor has ten clips here
    (history,) = Path("artifacts/histories").glob("voice-*")
    assert "with-clips.csv" in history.name


def test_a_protocol_writes_its_rows_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = by_actor(home / "actors")
    succeed("extract", "--data", data, "--jobs", 1)
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    with monkeypatch.context() as patch, locks.held(home / "held", hint=""):
        patch.setattr(folds.Run, "folder", home / "held")
        done = ser(*command, "--epochs", 1, "--workers", 1)
        assert done.code == 1 and f"{home / 'held'} is in use by process {os.getpid()}" in done.err
    done = succeed(*command, "--epochs", 1, "--workers", 1)
    assert "LEAKY" not in done.out
    rows = read_rows(Path("artifacts/results.csv"))
    assert [(row["data"], row["protocol"]) for row in rows] == [
        ("speech+song, 2358 missing", "actors21-24"),
        ("speech, 2358 missing", "actors21-24"),
        ("song, 2358 missing", "actors21-24"),
    ]
    for row in rows:
        assert all(row.values())
        assert row["settings_from"] == "tiny.json with epochs=1" and row["epochs"] == "1"
        assert float(row["low"]) <= float(row["uar"]) <= float(row["high"])
        assert row["command"].startswith("ser evaluate --protocol actors21-24 --data")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a fold that was trained is trained again")

    monkeypatch.setattr(session, "_fitted", refuse)
    again = succeed(*command, "--epochs", 1, "--workers", 1, "--json")
    scores = json.loads(again.out)["results"]
    assert [(score["data"], score["n"]) for score in scores] == [
        ("speech+song", 16),
        ("speech", 8),
        ("song", 8),
    ]
    assert all(score["leaky"] is False for score in scores)
    assert [row["uar"] for row in read_rows(Path("artifacts/results.csv"))] == [
        row["uar"] for row in rows
    ]
    # A damaged outcome, other settings, another seed, other clips: nothing answers for these.
    fewer = by_actor(home / "fewer")
    (fewer / "Actor_01" / "03-01-02-01-01-01-01.wav").unlink()
    others: list[tuple[object, ...]] = [
        ("--epochs", 1),
        ("--epochs", 1, "--per-class", 39),
        ("--epochs", 1, "--oversample", "calm"),
        ("--epochs", 2),
        ("--epochs", 1, "--seed", 1),
    ]
    for outcome in (home / "cache" / "protocols").rglob("*.npz"):
        outcome.write_bytes(outcome.read_bytes()[:-9])
    asked = [(*command, *other) for other in others]
    asked.append((*command[:3], "--data", fewer, *command[5:], "--epochs", 1))
    for words in asked:
        done = ser(*words, "--workers", 1)
        assert done.code == 1 and "trained again" in done.err, words


def test_what_another_front_end_heard_is_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = EvaluateJob(protocol="actors21-24", data=(str(by_actor(home / "actors")),))
    kept = {*protocol_stage.plan(job).files()}
    assert {*protocol_stage.plan(job).files()} == kept
    usual = recipes.get(recipes.DEFAULT)
    other = replace(usual, frontend=replace(usual.frontend, extract=fake.extract))
    monkeypatch.setattr(recipes, "get", lambda name, encoder=None: other)
    assert not {*protocol_stage.plan(job).files()} & kept


LOADS = "TEST_LOADS"  # names a file with a line for each process, and each load of the corpus


def prepare_and_count() -> None:
    """Stand in for `process.prepare`, which every process that trains begins with."""
    prepare()
    _note("process")
    ravdess.CORPUS = _counted()


def _counted() -> Corpus:
    def load(data: str) -> tuple[Clip, ...]:
        _note("load")
        return ravdess.load(data)

    return replace(ravdess.CORPUS, load=load)


def _note(what: str) -> None:
    with Path(os.environ[LOADS]).open("a") as lines:
        lines.write(what + "\n")


@pytest.mark.parametrize("side_by_side", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_corpus_is_loaded_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, side_by_side: int
) -> None:
    data = by_actor(home / "spoken", channels=("01",))
    monkeypatch.setenv(LOADS, str(home / "loads"))
    monkeypatch.setattr(ravdess, "CORPUS", ravdess.CORPUS)  # what is put there is taken away
    monkeypatch.setattr(process, "prepare", prepare_and_count)  # workers get it by its name
    command = ("evaluate", "--protocol", "emobox6", "--recipe", "mfcc-mlp", "--data", data)
    done = succeed(*command, "--epochs", 1, "--workers", side_by_side)
    assert "emobox6" in done.out
    assert [row["epochs"] for row in read_rows(Path("artifacts/results.csv"))] == ["1;1;1;1;1;1"]
    noted = Counter((home / "loads").read_text().split())
    assert noted["load"] == 1
    assert noted["process"] == (1 if side_by_side == 1 else 3)  # this one, and two workers


def test_a_choice_of_clips_marks_its_rows(home: Path) -> None:
    data = by_actor(home / "actors")
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    table = Path("artifacts/results.csv")
    results.add(table, [fake.ROW])
    kept = read_rows(table)
    done = succeed(*command, "--epochs", 1, "--workers", 1, "--per-class", 40, "--json")
    whole = json.loads(done.out)["results"][0]
    assert (
        whole["data"] == "speech+song" and whole["n"] < 16
    )  # test clips are drawn as training clips are
    rows = read_rows(table)
    assert rows[:1] == kept
    assert [row["data"] for row in rows[1:]] == [
        f"{part}, at most 40 a class, 2358 missing" for part in ("speech+song", "speech", "song")
    ]


def test_a_protocol_needs_ravdess_with_all_it_reports(table: Path, home: Path) -> None:
    done = ser("evaluate", "--protocol", "emobox6", "--data", table)
    assert done.code == 1 and "splits the corpus ravdess, not" in done.err
    # Without songs there is no row for songs: said before hours of training, not after.
    spoken = by_actor(home / "spoken", channels=("01",))
    done = ser("evaluate", "--protocol", "actors21-24", "--data", spoken, "--params", "tiny.json")
    assert done.code == 1 and "song" in done.err and "ser download ravdess" in done.err


def test_a_fold_chooses_by_all_emotions(home: Path) -> None:
    data = by_actor(home / "uncalm")
    for clip in data.rglob("03-*-02-*"):
        if clip.parent.name in {f"Actor_{actor}" for actor in range(17, 21)}:
            clip.unlink()
    done = ser("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    assert done.code == 1 and "dev has no clip of calm" in done.err
    assert "try: fetch all of it: ser download ravdess, or --exclude calm" in done.err


def test_a_fold_that_leaks_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "audit", lambda *asked, **how: Audit(speakers=1))
    data = by_actor(home / "leaking")
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    done = ser(*command, "--epochs", 1, "--workers", 1, "--seed", 5)
    assert done.code == 1
    assert "fold 1 of actors21-24 leaks: 1 speaker on both sides" in done.err


@pytest.mark.slow
def test_folds_side_by_side_are_the_folds_one_by_one(home: Path) -> None:
    data = by_actor(home / "actors")
    made = []
    for workers in (1, 2):
        work = Path(f"workers{workers}")
        table = work / "results.csv"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SER_CACHE_DIR", str((home / work).resolve()))
            run = protocol_stage.plan(
                EvaluateJob(protocol="luna5", data=(str(data),), params=Path("tiny.json"), epochs=2)
            )
            folds.train_folds(run, side_by_side=workers)
            scored = protocol_stage.score(run, table=table)
        made.append(scored)
        (row,) = read_rows(table)
        assert row["epochs"].count(";") == 4 and row["data"] == "speech, 2358 missing"
    assert {clip.path for clip in made[0].clips} == {clip.path for clip in made[1].clips}
    np.testing.assert_allclose(made[0].probabilities, made[1].probabilities, atol=1e-5)
