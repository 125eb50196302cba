"""Trained on some corpora and tested on another: what is trained, what is asked, what is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command import ser, succeed
from corpus import by_table, read_rows

from ser_cli.data import corpora, store
from ser_cli.jobs.training import EvaluateJob
from ser_cli.report import metrics, plotting, transfer
from ser_cli.report.transfer import Cell, Matrix
from ser_cli.stages import matrix as stage
from ser_cli.types import Clip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three corpora of the same tones; the third has no "happy"."""
    root = tmp_path_factory.mktemp("matrix")
    by_table(root / "one")
    for name in ("two", "three"):
        shutil.copytree(root / "one", root / name)
    table = root / "three" / "clips.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if ",happy," not in line]
    table.write_text("\n".join(kept) + "\n", encoding="utf-8")
    for name in ("one", "two", "three"):
        (root / name / "clips.csv").rename(root / f"{name}.csv")
        text = (root / f"{name}.csv").read_text(encoding="utf-8")
        (root / f"{name}.csv").write_text(text.replace("wav/", f"{name}/wav/"), encoding="utf-8")
    return root


def words(home: Path, *names: str) -> list[str]:
    data = [word for name in names for word in ("--data", str(home / f"{name}.csv"))]
    return ["evaluate", "--matrix", "--recipe", "stats-dense", "--epochs", "4", *data]


def test_a_matrix_is_trained_printed_drawn_and_kept(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    asked = [*words(home, "one", "two", "three"), "--copies", "0", "--workers", "1"]
    done = succeed(*asked, "--json", "--out", "pictures")
    record = json.loads(done.out)
    cells = {(tuple(c["trained_on"]), c["tested_on"]): c for c in record["cells"]}
    homes = ("one.csv", "two.csv", "three.csv")
    assert len(cells) == 3 * 2 + 2  # the first is never left out
    assert {pair for pair in cells if len(pair[0]) == 2} == {
        (("one.csv", "three.csv"), "two.csv"),
        (("one.csv", "two.csv"), "three.csv"),
    }
    for (learned, tested), cell in cells.items():
        assert tested not in learned and set(learned) <= set(homes)
        assert "happy" not in cell["groups"] or "three.csv" not in (*learned[:1], tested)
        assert cell["uar"] > 0.6  # the same tones
        assert cell["uar_own_statistics"] is None  # the recipe is not trained for it
    left_out = [cell["uar"] for (learned, _), cell in cells.items() if len(learned) == 2]
    assert 0.25 <= record["temperature"] <= 10
    assert record["mean_uar"] == pytest.approx(np.mean(left_out))
    assert (tmp_path / "pictures" / "matrix.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(Path("artifacts") / "results.csv")
    assert [(row["protocol"], row["data"], row["corpora"]) for row in rows] == [
        ("loco", "two.csv", "one.csv+three.csv"),
        ("loco", "three.csv", "one.csv+two.csv"),
    ]
    took = {}
    for file in store.cache_dir().glob("protocols/matrix/*.npz"):
        with np.load(file) as kept:
            outcome = dict(kept)
        took[file.name.partition("-")[0]] = float(outcome["seconds"])
        np.savez(file, **outcome | {"seconds": np.array(1000.0)})
    assert len(took) == 5 and min(took.values()) > 0
    assert [int(row["seconds"]) for row in rows] == [round(took[row["corpora"]]) for row in rows]
    shown = succeed(*asked)  # kept: nothing is trained again
    assert [row["seconds"] for row in read_rows(Path("artifacts") / "results.csv")] == ["1000"] * 2
    assert "all others" in shown.out and "learned from" in shown.out
    assert "mean over the corpora left out" in shown.err
    assert "calibration over the corpora left out: temperature" in shown.err


def test_what_a_matrix_does_not_take(home: Path) -> None:
    for more, reason in (
        (("--protocol", "emobox6"), "takes no --protocol"),
        (("--also", "nemo"), "takes no --protocol"),
        (("--artifacts", "x"), "takes no --protocol"),
    ):
        done = ser(*words(home, "one", "two"), *more)
        assert done.code == 2 and reason in " ".join(done.err.split())
    done = ser(*words(home, "one"))
    assert done.code == 2 and "two corpora or more" in done.err
    done = ser("evaluate", "--also", "nemo")
    assert done.code == 2 and "--also adds to the folds of a protocol" in done.err


def test_two_corpora_have_no_others(home: Path) -> None:
    data = tuple(str(home / f"{name}.csv") for name in ("one", "two"))
    runs = stage.plan(EvaluateJob(data=data, recipe="stats-dense", matrix=True))
    assert [run.trained_on for run in runs] == [("one.csv",), ("two.csv",)]


def test_probabilities_are_of_the_groups_asked() -> None:
    said = np.array([[0.2, 0.1, 0.3, 0.4], [0.0, 0.0, 0.0, 1.0]], np.float32)
    classes, groups = ("calm", "neutral", "happy", "fearful"), ("happy", "neutral")
    found = transfer.by_group(said, classes, groups, alike=False)
    np.testing.assert_allclose(found, np.array([[0.5, 0.5], [0, 0]]), atol=1e-6)
    found = transfer.by_group(said, classes, groups, alike=True)  # .3 against the mean of .2 and .1
    np.testing.assert_allclose(found, np.array([[2 / 3, 1 / 3], [0, 0]]), atol=1e-6)


def test_how_sure_an_answer_is_is_learned_from_the_other_corpora() -> None:
    def answers(home: str, groups: tuple[str, ...], right: float) -> stage._Answers:
        """Answers that are always sure (.97), and right so often."""
        rng = np.random.default_rng(len(home))
        truth = rng.integers(0, len(groups), 400)
        given = np.where(rng.random(400) < right, truth, (truth + 1) % len(groups))
        shares = np.where(given[:, None] == np.arange(len(groups)), 0.97, 0.03 / (len(groups) - 1))
        run = SimpleNamespace(trained_on=("x", "y"))
        speakers = ("s",) * 400
        said = {"raw": shares}
        return stage._Answers(run, home, groups, truth, speakers, said, 1.0)  # type: ignore

    three, two = ("a", "b", "c"), ("a", "b")
    everything = [answers("p", three, 0.6), answers("pq", two, 0.7), answers("pqr", three, 0.9)]
    cell = stage._cell(everything[2], everything)
    # As sure as the other that has three groups was right (.6), whatever it was itself.
    assert cell.raw.ece == pytest.approx(0.9 - 0.6, abs=0.05) and cell.own is None
    alone = stage._cell(everything[2], everything[2:])
    assert alone.raw.ece == pytest.approx(0.97 - 0.9, abs=0.04)
    together = stage._temperature(everything, "raw")
    assert together > stage._temperature(everything[2:], "raw") > 1
    assert stage._temperature(everything, "own") == 1


def test_some_clips_are_no_fair_test() -> None:
    def clip(corpus: str, **facts: str) -> Clip:
        return Clip(Path("x"), corpus=corpus, facts=facts)

    assert corpora.is_fair(clip("ased", statement="01"))
    assert not corpora.is_fair(clip("ased", statement="03"))
    assert corpora.is_fair(clip("ravdess", channel="speech"))
    assert not corpora.is_fair(clip("ravdess", channel="song"))
    assert corpora.is_fair(clip("my clips")) and corpora.is_fair(clip("nemo"))


def test_the_picture_shows_every_cell() -> None:
    report = metrics.score(
        np.array([0, 1, 1, 0]), np.eye(2, dtype=np.float32)[[0, 1, 0, 0]], labels=("a", "b")
    )
    cells = (
        Cell(("x",), "y", ("a", "b"), report, None),
        Cell(("y",), "x", ("a", "b"), report, report),
        Cell(("x", "y"), "z", ("a", "b"), report, report),
    )
    drawn = plotting.svg(transfer.figure(Matrix(cells)))
    for text in ("learned from", "tested on", "all others", ">75.0<"):
        assert text in drawn
    head, rows = transfer.table(Matrix(cells))
    assert head == ("learned from", "x", "y", "z")
    assert rows[0] == ("x", "-", "75.0", "-") and rows[2] == ("all others", "-", "-", "75.0 / 75.0")
    assert Matrix(cells).means() == (0.75, 0.75) and Matrix(cells[:2]).means() is None
