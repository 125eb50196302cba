"""Epochs in TensorBoard's own files, read back with its reader."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command import ser, succeed
from corpus import by_table, read_rows

from ser_cli.training import board

QUICK = ("--recipe", "stats-dense", "--epochs", 2)


def drawn(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return the curves of each run below a folder: (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for run in sorted({file.parent for file in folder.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(run)).Reload()
        names = events.Tags()["tensors"]
        found[run.relative_to(folder).as_posix()] = {
            name: [(e.step, float(e.tensor_proto.float_val[0])) for e in events.Tensors(name)]
            for name in names
        }
    return found


def test_a_training_that_resumes_adds_to_its_curves(tmp_path: Path) -> None:
    board.curves(tmp_path, "run")({"epoch": 1.0, "loss": 2.0, "dev_uar": 0.25})
    board.curves(tmp_path, "run")({"epoch": 2.0, "loss": 1.5, "dev_uar": 0.5})
    found = drawn(tmp_path)
    assert found == {"run": {"loss": [(1, 2.0), (2, 1.5)], "dev_uar": [(1, 0.25), (2, 0.5)]}}


def test_nothing_is_drawn_unless_it_is_asked_for(tmp_path: Path) -> None:
    board.check(None)
    board.curves(None, "run")({"epoch": 1.0, "loss": 2.0})
    assert not [*tmp_path.iterdir()]


def test_the_epochs_of_a_training_are_its_history(tmp_path: Path) -> None:
    table, folder, logs = by_table(tmp_path / "corpus"), tmp_path / "own", tmp_path / "logs"
    succeed("train", "--data", table, *QUICK, "--artifacts", folder, "--tensorboard", logs)
    (curves,) = drawn(logs).values()
    history = read_rows(folder / "history.csv")
    for name in ("loss", "dev_uar", "learning_rate"):
        expected = [(int(row["epoch"]), float(row[name])) for row in history]
        assert [step for step, _ in curves[name]] == [step for step, _ in expected] == [1, 2]
        assert [v for _, v in curves[name]] == pytest.approx([v for _, v in expected], rel=1e-4)


def test_each_fold_of_each_trial_is_a_run(tmp_path: Path) -> None:
    table, logs = by_table(tmp_path / "corpus"), tmp_path / "logs"
    given = ("--trials", 2, "--folds", 2, "--workers", 1, "--study", "mine", "--epochs", 2)
    words = ("--data", table, "--recipe", "stats-dense", "--artifacts", tmp_path / "own", *given)
    succeed("tune", *words, "--tensorboard", logs, "--storage", tmp_path / "study.db")
    runs = drawn(logs)
    assert {"mine/trial-0000/fold-1", "mine/trial-0000/fold-2", "mine/trial-0001/fold-1"} <= {*runs}
    assert all(curves["dev_uar"][0][0] == 1 for curves in runs.values())


def test_without_tensorboard_one_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    table = by_table(tmp_path / "corpus")
    for command in ("train", "tune"):
        words = (command, "--data", table, "--artifacts", tmp_path / "own", "--tensorboard", "logs")
        done = ser(*words)
        assert done.code == 1 and "TensorBoard is not installed" in done.err
        assert 'pip install "speech-emotion[tensorboard]"' in done.err
    assert not (tmp_path / "own" / "manifest.json").exists()
