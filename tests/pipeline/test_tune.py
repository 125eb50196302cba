"""`ser tune`: a search that goes on, prunes, and hands its settings to training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import EMOTIONS, Result, ser, succeed
from corpus import by_folder, read_rows


def test_tune_finds_settings_and_train_takes_them(table: Path) -> None:
    recipe = ("--data", table, "--recipe", "stats-dense")
    succeed("extract", *recipe, "--jobs", 1)
    search = ("tune", *recipe, "--folds", 2, "--epochs", 1, "--artifacts", "tuned")
    done = json.loads(succeed(*search, "--trials", 2, "--workers", 1, "--json").out)
    folder = Path("tuned")
    assert {path.name for path in folder.iterdir()} == {
        "trials.csv",
        "trials.png",
        "tune.toml",
        "best_hyperparameters.json",
    }
    assert (done["finished"], done["pruned"]) == (2, 0)
    of_each = {key: {"clips": 6, "speakers": 3} for key in sorted(EMOTIONS)}
    assert done["parts"] == {"fold 1": of_each, "fold 2": of_each}
    trials = read_rows(folder / "trials.csv")
    assert [(row["number"], row["state"]) for row in trials] == [
        ("0", "complete"),
        ("1", "complete"),
    ]
    assert max(float(row["value"]) for row in trials) == pytest.approx(done["best_value"], abs=1e-4)
    found = json.loads((folder / "best_hyperparameters.json").read_text())
    assert found.pop("settings_from") == f"study {done['study']}"
    assert found == done["best_params"]

    again = succeed(*search, "--trials", 2, "--workers", 1)  # nothing is left to do
    assert "best of 2 trials (0 pruned)" in again.out
    assert f"next: ser train --data {table} --recipe stats-dense --artifacts tuned" in again.err
    assert "2 trials already: none is run; a higher --trials continues it" in again.err
    assert "written: tuned/trials.csv\nwritten: tuned/trials.png\n" in again.err.replace("\\", "/")
    assert "dev clips (speakers)" in again.out and again.out.count("6 (3)") == 8
    assert read_rows(folder / "trials.csv") == trials

    # One more is one more, however many could run side by side.
    more = succeed(*search, "--trials", 3, "--workers", 2, "--json")
    assert json.loads(more.out)["finished"] == len(read_rows(folder / "trials.csv")) == 3
    found = json.loads((folder / "best_hyperparameters.json").read_text())
    found.pop("settings_from")

    command = ("train", *recipe, "--artifacts", folder, "--epochs", 1, "--copies", 0)
    trained = succeed(*command)
    assert f"settings: study {done['study']} with epochs=1, copies=0" in trained.err
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["settings"]["late_dropout"] == pytest.approx(found["late_dropout"])


def test_tune_wants_speakers_or_a_random_split(home: Path) -> None:
    data = by_folder(home / "by-emotion")
    done = ser("tune", "--data", data, "--workers", 1, "--trials", 1)
    assert done.code == 1 and "--split random" in done.err


@pytest.mark.slow
def test_trials_side_by_side(table: Path, training: Result) -> None:
    command = ("tune", "--data", table, "--folds", 2, "--epochs", 1, "--artifacts", "beside")
    done = succeed(*command, "--trials", 2, "--workers", 2)
    assert "best of" in done.out
    assert len(read_rows(Path("beside/trials.csv"))) >= 2
