"""`ser evaluate --protocol`: every fold once, and rows that say what they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from command import ser, succeed
from corpus import by_actor, read_rows

from ser_cli.data import splits
from ser_cli.report import results
from ser_cli.stages import protocol as protocol_stage
from ser_cli.stages import train as train_stage


def test_a_protocol_writes_its_rows_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = by_actor(home / "actors")
    succeed("extract", "--data", data, "--jobs", 1)
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
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

    monkeypatch.setattr(train_stage, "run", refuse)
    again = succeed(*command, "--epochs", 1, "--workers", 1, "--json")
    scores = json.loads(again.out)["reports"]
    assert [scores[part]["n"] for part in ("speech+song", "speech", "song")] == [16, 8, 8]
    assert [row["uar"] for row in read_rows(Path("artifacts/results.csv"))] == [
        row["uar"] for row in rows
    ]
    # Other settings, another seed, other clips: nothing that is kept answers for these.
    for choice in (("--per-class", 39), ("--oversample", "calm")):
        with pytest.raises(AssertionError, match="trained again"):
            ser(*command, "--epochs", 1, "--workers", 1, *choice)
    fewer = by_actor(home / "fewer")
    (fewer / "Actor_01" / "03-01-02-01-01-01-01.wav").unlink()
    for changed in (("--epochs", 2), ("--epochs", 1, "--seed", 1)):
        with pytest.raises(AssertionError, match="trained again"):
            ser(*command, *changed, "--workers", 1)
    with pytest.raises(AssertionError, match="trained again"):
        ser(*command, "--epochs", 1, "--workers", 1, "--data", fewer)


def test_a_choice_of_clips_marks_its_rows(home: Path) -> None:
    data = by_actor(home / "actors")
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    table = Path("artifacts/results.csv")
    results.add(table, [fake.ROW])
    kept = read_rows(table)
    done = succeed(*command, "--epochs", 1, "--workers", 1, "--per-class", 40, "--json")
    tested = json.loads(done.out)["reports"]["speech+song"]["n"]
    assert tested < 16  # test clips are drawn as training clips are
    rows = read_rows(table)
    assert rows[:1] == kept
    assert [row["data"] for row in rows[1:]] == [
        f"{part}, at most 40 a class, 2358 missing" for part in ("speech+song", "speech", "song")
    ]


def test_a_protocol_needs_ravdess_with_all_it_reports(table: Path, home: Path) -> None:
    done = ser("evaluate", "--protocol", "emobox6", "--data", table)
    assert done.code == 1 and "made of RAVDESS's actors" in done.err
    # Without songs there is no row for songs: said before hours of training, not after.
    spoken = by_actor(home / "spoken", channels=("01",))
    done = ser("evaluate", "--protocol", "actors21-24", "--data", spoken, "--params", "tiny.json")
    assert done.code == 1 and "song" in done.err and "ser download-ravdess" in done.err


def test_a_fold_that_leaks_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "audit", lambda split, features: splits.Audit(1, 0, 0))
    data = by_actor(home / "leaking")
    command = ("evaluate", "--protocol", "actors21-24", "--data", data, "--params", "tiny.json")
    done = ser(*command, "--epochs", 1, "--workers", 1, "--seed", 5)
    assert done.code == 1
    assert "fold 1 of actors21-24 leaks: 1 speakers on both sides" in done.err


@pytest.mark.slow
def test_folds_side_by_side_are_the_folds_one_by_one(home: Path) -> None:
    data = by_actor(home / "actors")
    made = []
    for workers in (1, 2):
        work = Path(f"workers{workers}")
        table = work / "results.csv"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SER_CACHE_DIR", str((home / work).resolve()))
            work_of = protocol_stage.plan(
                "luna5", str(data), params=Path("tiny.json"), overrides={"epochs": 2}
            )
            protocol_stage.train_folds(work_of, workers=workers)
            scored = protocol_stage.score(work_of, table=table)
        made.append(scored)
        (row,) = read_rows(table)
        assert row["epochs"].count(";") == 4 and row["data"] == "speech, 2358 missing"
    assert {clip.path for clip in made[0].clips} == {clip.path for clip in made[1].clips}
    np.testing.assert_allclose(made[0].probabilities, made[1].probabilities, atol=1e-5)
