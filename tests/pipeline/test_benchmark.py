"""`ser benchmark`: what is not there yet, all of it checked first."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from command import ser, succeed
from corpus import by_actor, read_rows

from ser_cli.data.corpora import ravdess
from ser_cli.stages import protocol as protocol_stage


@pytest.fixture
def bench(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of RAVDESS there is in this test, and a working folder of its own."""
    monkeypatch.setattr(ravdess, "missing_from", lambda clips: 0)
    monkeypatch.chdir(tmp_path)
    return by_actor(home / "actors")


def test_the_benchmark_runs_what_is_not_there_yet(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("benchmark", "--recipe", "mfcc-mlp", "--data", bench, "--epochs", 1, "--workers", 1)
    empty = succeed(*command, "--show")
    assert "mfcc-mlp" in empty.out and not Path("artifacts").exists()
    done = succeed(*command, "--protocol", "random70", "--json")
    (line,) = json.loads(done.out)
    assert line["pooled"] is None and 0 <= line["ours"]["war"] <= 1
    assert line["settings_from"] == "defaults with epochs=1"
    assert "0 of 1 trainings are in" in done.err
    succeed(*command)
    rows = read_rows(Path("artifacts/results.csv"))
    assert {row["protocol"] for row in rows} == {"random70", "actors21-24"} and len(rows) == 6
    same = "ser evaluate --protocol random70 --recipe mfcc-mlp --epochs 1 --data"
    assert shlex.split(rows[0]["command"]) == [*same.split(), str(bench)]
    assert "with epochs=1" in " ".join(succeed(*command, "--show").out.split())
    histories = sorted(Path("artifacts/histories").iterdir())
    assert [file.name for file in histories] == [
        f"mfcc-mlp-{name}-defaults-with-epochs=1-seed0.csv" for name in ("actors21-24", "random70")
    ]
    assert [row["epoch"] for row in read_rows(histories[0])] == ["1"]

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a training that is in the table is repeated")

    monkeypatch.setattr(protocol_stage, "train_folds", refuse)
    again = succeed(*command)
    assert "2 of 2 trainings are in" in again.err
    with pytest.raises(AssertionError, match="repeated"):
        ser(*command, "--seed", 1)
    done = ser(*command, "--protocol", "emobox6")
    assert done.code == 2 and "ser evaluate --protocol" in done.err


def test_the_benchmark_wants_all_clips_before_it_trains(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("trained before all was checked")

    monkeypatch.setattr(protocol_stage, "train_folds", refuse)
    # Its choice of clips does not fit these two emotions: said before the first is trained.
    done = ser("benchmark", "--recipe", "mfcc-mlp", "--recipe", "stats-dense", "--data", bench)
    assert done.code == 2 and "'sad'" in done.err
    monkeypatch.setattr(ravdess, "missing_from", lambda clips: 2356)
    done = ser("benchmark", "--recipe", "mfcc-mlp", "--data", bench)
    assert done.code == 1 and "lacks 2356 clips" in done.err and "download-ravdess" in done.err


@pytest.mark.slow
def test_trainings_side_by_side_leave_the_same_rows(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = []
    for workers in (1, 2):
        work = tmp_path / str(workers)
        work.mkdir()
        monkeypatch.chdir(work)
        monkeypatch.setenv("SER_CACHE_DIR", str(work / "cache"))
        succeed("benchmark", "--recipe", "mfcc-mlp", "--data", bench, "--epochs", 2,
                "--workers", workers)  # fmt: skip
        rows = read_rows(Path("artifacts/results.csv"))
        tables.append({(row["protocol"], row["data"]): float(row["uar"]) for row in rows})
    assert len(tables[0]) == 6
    assert tables[0] == pytest.approx(tables[1], abs=0.1)  # one thread or two: other last digits
