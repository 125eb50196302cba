"""results.csv: one row a run, in the columns that are promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake import ROW

from ser_cli.errors import DataError
from ser_cli.report import results

HEADER = (
    "recipe,protocol,data,corpora,seed,enrol_clips,settings_from,uar,war,macro_f1,weighted_f1,ece,"
    "low,high,epochs,seconds,command"
)


def test_columns_are_the_promised_ones(tmp_path: Path) -> None:
    results.add(tmp_path / "deep" / "results.csv", [ROW])
    lines = (tmp_path / "deep" / "results.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        HEADER,
        "cnn-bilstm,emobox6,speech,ravdess,0,0,defaults,0.6667,0.5000,0.4000,0.4500,0.1000,0.6000,0.7000,"
        "3;4,12,ser evaluate --data 'my clips'",
    ]


def test_the_same_run_is_replaced_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    results.add(path, [ROW, replace(ROW, data="song")])
    results.add(path, [replace(ROW, uar=0.9, command="again"), replace(ROW, seed=1)])
    rows = [(row["data"], row["seed"], row["uar"], row["command"]) for row in results.read(path)]
    assert rows == [
        ("song", "0", "0.6667", ROW.command),
        ("speech", "0", "0.9000", "again"),
        ("speech", "1", "0.6667", ROW.command),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": "x"},
        {"protocol": "luna5"},
        {"data": "song"},
        {"seed": 1},
        {"enrol_clips": 10},
        {"settings_from": "study"},
    ],
)
def test_each_of_six_columns_makes_another_run(tmp_path: Path, other: dict[str, object]) -> None:
    path = tmp_path / "results.csv"
    results.add(path, [ROW])
    results.add(path, [replace(ROW, **other)])  # type: ignore[arg-type]
    assert len(results.read(path)) == 2


def test_histories_hold_the_epochs_of_every_fold(tmp_path: Path) -> None:
    named = ("stats-dense", "luna5", "no sad", "defaults with epochs=2", "seed0")
    folds = ([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}], [{"epoch": 1, "loss": 1.5}])
    file = results.write_histories(tmp_path / "results.csv", named, folds)
    assert file.relative_to(tmp_path).as_posix() == (
        "histories/stats-dense-luna5-no-sad-defaults-with-epochs=2-seed0.csv"
    )
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines == ["fold,epoch,loss", "1,1,0.5", "1,2,0.25", "2,1,1.5"]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ("defaults", "defaults"),
        ("defaults with epochs=1, copies=0", "defaults with epochs=1, copies=0"),
        ("study cnn-bilstm-v1", "study"),
        ("study cnn-bilstm-v1 with epochs=1", "study with epochs=1"),
        ("masks and 3 copies with epochs=1", "masks and 3 copies with epochs=1"),
        ("", ""),
    ],
)
def test_what_was_changed_is_always_shown(settings: str, shown: str) -> None:
    assert results.origin(settings) == shown


def test_rows_of_several_seeds_are_shown_as_their_mean(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    results.add(path, [ROW, replace(ROW, seed=1, uar=0.5), replace(ROW, seed=2, protocol="luna5")])
    both, alone = results.over_seeds([results.as_record(row) for row in results.read(path)])
    assert (both["data"], both["protocol"]) == ("speech, 2 seeds", "emobox6")
    assert both["uar"] == pytest.approx((0.6667 + 0.5) / 2) and both["war"] == pytest.approx(0.5)
    assert (alone["data"], alone["protocol"], alone["uar"]) == ("speech", "luna5", 0.6667)


def test_no_file_has_no_rows_and_another_table_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    assert results.read(path) == []
    path.write_text("file,emotion\na.wav,sad\n", encoding="utf-8")
    with pytest.raises(DataError, match="columns other than"):
        results.add(path, [ROW])
    assert path.read_text(encoding="utf-8") == "file,emotion\na.wav,sad\n"
