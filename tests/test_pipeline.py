"""Every command after the other, from recordings to a report, on a few tones."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import optuna
import pytest
from command import EMOTIONS, SPEAKERS, TINY, Result, ser, succeed, tone

from ser_cli import recipes
from ser_cli.commands.options import follow_up
from ser_cli.data.corpora import ravdess
from ser_cli.data.select import Selection
from ser_cli.errors import DataError
from ser_cli.model import artifacts
from ser_cli.report import trials as study_report
from ser_cli.stages import protocol as protocol_stage
from ser_cli.stages import train as train_stage
from ser_cli.stages import tune as tune_stage
from ser_cli.training import studies, trainer
from ser_cli.types import Batch, Dataset, Preprocessor

if TYPE_CHECKING:
    import keras

Rows = list[dict[str, str]]

WRITTEN = {
    "model.keras",
    "model.onnx",
    "scaler.pkl",
    "label_encoder.pkl",
    "max_len.npy",
    "history.csv",
    "curves.png",
    "split.csv",
    "class_counts.png",
    "val_metrics.txt",
    "val_confusion_matrix.txt",
    "manifest.json",
    "best_hyperparameters.json",
}


def rows_of(text: str) -> Rows:
    return list(csv.DictReader(io.StringIO(text)))


def read_rows(path: Path) -> Rows:
    return rows_of(path.read_text(encoding="utf-8"))


def weights_of(folder: Path) -> list[Any]:
    import keras

    model: keras.Model = keras.saving.load_model(folder / "model.keras")
    weights: list[Any] = model.get_weights()
    return weights


def same(first: list[Any], second: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def recordings() -> Iterator[tuple[str, str, float, int]]:
    """Yield speaker, emotion, pitch and number of 48 clips."""
    for number, (who, (emotion, hertz)) in enumerate(
        pair for pair in [(s, e) for s in SPEAKERS for e in EMOTIONS.items()] for _ in range(2)
    ):
        yield who, emotion, hertz * (1 + 0.01 * SPEAKERS.index(who)), number


def by_table(folder: Path) -> Path:
    """Make a corpus with a table that knows its speakers."""
    lines = ["file,emotion,speaker"]
    for who, emotion, hertz, number in recordings():
        name = f"wav/{who}-{number}.wav"
        tone(folder / name, hertz, seed=number)
        lines.append(f"{name},{emotion},{who}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "clips.csv"


def by_folder(folder: Path) -> Path:
    """Make a corpus of one folder an emotion, whose files are just numbered in each."""
    count: Counter[str] = Counter()
    for _, emotion, hertz, number in recordings():
        count[emotion] += 1
        tone(folder / emotion / f"{count[emotion]:02d}.wav", hertz, seed=100 + number)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests of this file share: a working folder with a cache of its own."""
    root = tmp_path_factory.mktemp("home")
    (root / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, _own_cache: None) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("SER_CACHE_DIR", str(home / "cache"))
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    monkeypatch.setattr(artifacts, "packaged", lambda: home / "shipped")


@pytest.fixture(scope="module")
def inside(home: Path) -> Callable[..., Result]:
    """Run a command from a fixture that lives longer than a test."""

    def run(*arguments: object) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setenv("SER_CACHE_DIR", str(home / "cache"))
            return succeed(*arguments)

    return run


@pytest.fixture(scope="module")
def table(home: Path) -> Path:
    return by_table(home / "table")


@pytest.fixture(scope="module")
def training(home: Path, table: Path, inside: Callable[..., Result]) -> Result:
    """The training that most tests look at; its folder is trained/."""
    inside("extract", "--data", table, "--jobs", 1)
    return inside("train", "--data", table, "--artifacts", "trained", "--params", "tiny.json")


@pytest.fixture
def trained(home: Path, training: Result) -> Path:
    return home / "trained"


# -- extract


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


# -- train


def test_train_says_what_it_did(training: Result, trained: Path) -> None:
    assert "settings: tiny.json" in training.err
    assert "leak audit" not in training.err and "speaker-independent" not in training.err
    assert training.out.splitlines()[-1].endswith(f": {trained.name}")
    assert "epoch " in training.out and "dev UAR" in training.out
    assert "next: ser evaluate" in training.err


def test_train_writes_everything(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == WRITTEN
    scaler = joblib.load(trained / "scaler.pkl")
    assert scaler.mean_.shape == (139,) and (scaler.scale_ > 0).all()
    encoder = joblib.load(trained / "label_encoder.pkl")
    assert encoder.inverse_transform([0, 3]).tolist() == ["angry", "sad"]
    max_len = np.load(trained / "max_len.npy")
    assert (max_len.shape, max_len.dtype, int(max_len)) == ((), np.int64, 19)
    assert (trained / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((trained / "best_hyperparameters.json").read_text()) == TINY


def test_the_manifest_seals_what_is_there(trained: Path, table: Path) -> None:
    manifest = json.loads((trained / "manifest.json").read_text())
    assert set(manifest["files"]) == WRITTEN - {"manifest.json", "best_hyperparameters.json"}
    for name, stated in manifest["files"].items():
        content = (trained / name).read_bytes()
        assert stated["bytes"] == len(content)
        assert stated["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["recipe"] == "cnn-bilstm" and manifest["data"] == str(table)
    assert manifest["settings"] == {**recipes.get("cnn-bilstm").defaults, **TINY}
    assert manifest["settings_from"] == "tiny.json" and manifest["split"] == "auto"
    assert manifest["clips"] == {"train": 32, "dev": 8, "test": 8}
    assert manifest["leaky"] is False and 0.25 <= manifest["temperature"] <= 10
    assert {"python", "keras", "tensorflow", "numpy", "ser"} == manifest["versions"].keys()


def test_split_csv_names_every_file_once(trained: Path, table: Path) -> None:
    rows = read_rows(trained / "split.csv")
    assert sorted(Path(row["file"]).name for row in rows) == sorted(
        Path(row["file"]).name for row in read_rows(table)
    )
    parts = {
        part: {row["speaker"] for row in rows if row["split"] == part}
        for part in ("train", "dev", "test")
    }
    assert [len(who) for who in parts.values()] == [4, 1, 1]
    assert len(set.union(*parts.values())) == 6


def test_train_writes_what_the_kept_epoch_scores_on_dev(trained: Path) -> None:
    lines = (trained / "val_metrics.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Dev part: it chose epoch and calibration") and "Clips: 8" in lines
    kept = json.loads((trained / "manifest.json").read_text())["best_epoch"]
    row = read_rows(trained / "history.csv")[kept - 1]
    for title, name in (("UAR (mean recall)", "dev_uar"), ("Overall accuracy", "dev_accuracy")):
        assert any(line.startswith(f"{title}: {float(row[name]):.4f} ") for line in lines)
    table = (trained / "val_confusion_matrix.txt").read_text(encoding="utf-8").splitlines()
    counts = np.array([line.split()[1:] for line in table[2:]], int)
    assert table[1].split() == sorted(EMOTIONS) and counts.sum(axis=1).tolist() == [2, 2, 2, 2]
    assert np.trace(counts) == round(8 * float(row["dev_accuracy"]))


def test_history_is_a_row_an_epoch(trained: Path) -> None:
    rows = read_rows(trained / "history.csv")
    manifest = json.loads((trained / "manifest.json").read_text())
    uar = [float(row["dev_uar"]) for row in rows]
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    assert manifest["best_epoch"] == 1 + uar.index(max(uar))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_it_learned(trained: Path) -> None:
    scores = json.loads(succeed("evaluate", "--artifacts", trained, "--json").out)
    assert scores["reports"]["all"]["uar"] >= 0.75  # chance is 0.25


def test_a_killed_training_goes_on_and_ends_the_same(
    trained: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "--data", table, "--artifacts", "again", "--params", "tiny.json")
    scores, calls = trainer._dev_scores, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scores(*arguments)

    monkeypatch.setattr(trainer, "_dev_scores", interrupted)
    done = ser(*command)
    assert done.code == 130 and "Traceback" not in done.err
    assert not artifacts.is_complete(Path("again"))
    done = ser("predict", "a.wav", "--artifacts", "again")
    assert done.code == 1 and "no finished training" in done.err

    monkeypatch.setattr(trainer, "_dev_scores", scores)
    resumed = succeed(*command)
    assert "going on where an interrupted training stopped" in resumed.err
    # Killed and resumed, or in one go: the seed decides.
    assert same(weights_of(Path("again")), weights_of(trained))
    assert (Path("again") / "history.csv").read_bytes() == (trained / "history.csv").read_bytes()
    assert not list((Path("cache") / "checkpoints").glob("*"))


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
    from test_results import ROW

    from ser_cli.report import results

    (home / "shipped").mkdir()
    results.add(home / "shipped" / "results.csv", [ROW, replace(ROW, recipe="other")])
    done = succeed("evaluate", "--artifacts", "whole")
    assert "emobox6" in done.out and "66.7 (60.0-70.0)" in done.out
    assert "nothing is held out" in done.err
    (row,) = json.loads(succeed("evaluate", "--artifacts", "whole", "--json").out)
    assert row["uar"] == "0.6667"
    # With its own settings among them, those of others say nothing of it.
    own = replace(ROW, settings_from=manifest["settings_from"], uar=0.5)
    results.add(home / "shipped" / "results.csv", [own])
    (row,) = json.loads(succeed("evaluate", "--artifacts", "whole", "--json").out)
    assert row["uar"] == "0.5000"
    # On a corpus of which it has learned every clip, it says so.
    done = succeed("evaluate", "--artifacts", "whole", "--data", table)
    assert "48 of 48 clips were training data of this model" in done.err and "LEAKY" in done.out


def test_a_table_names_its_own_split(table: Path, home: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    parts = {"a": "test", "b": "validation"}
    marked = [f"{lines[0]},split", *(f"{x},{parts.get(x[-1], 'train')}" for x in lines[1:])]
    other = table.with_name("marked.csv")
    other.write_text("\n".join(marked), encoding="utf-8")
    command = ("--artifacts", "marked", "--params", "tiny.json", "--epochs", 1)
    succeed("train", "--data", other, *command)
    rows = read_rows(Path("marked/split.csv"))
    assert {row["speaker"] for row in rows if row["split"] == "test"} == {"a"}
    assert {row["speaker"] for row in rows if row["split"] == "dev"} == {"b"}


def test_the_shipped_model_is_not_overwritten(table: Path, home: Path) -> None:
    command = ("train", "--data", table, "--artifacts", home / "shipped", "--params", "tiny.json")
    done = ser(*command)
    assert done.code == 1 and "is not overwritten" in done.err


def test_a_folder_that_is_a_file(table: Path) -> None:
    done = ser("train", "--data", table, "--artifacts", table, "--params", "tiny.json")
    assert done.code == 1 and str(table) in done.err


# -- evaluate


def test_evaluate_writes_a_report(trained: Path, tmp_path: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained, "--report", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html",
        "test_metrics.txt",
        "test_confusion_matrix.txt",
    }
    assert "LEAKY" not in done.out and "UAR" in done.out and "truth (rows)" in done.out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html") or page.startswith("<!DOCTYPE html")
    assert f"ser evaluate --artifacts {trained}" in page
    assert "Clips: 8" in (tmp_path / "test_metrics.txt").read_text()
    assert "angry" in (tmp_path / "test_confusion_matrix.txt").read_text()


def test_the_report_lies_beside_the_model_by_default(trained: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained, "--report")
    page = trained / "report" / "test" / "report.html"
    assert page.is_file() and f"written: {page}" in done.err


def test_evaluate_scores_the_held_out_clips_alone(trained: Path, table: Path) -> None:
    for data in ((), ("--data", table)):
        scores = json.loads(succeed("evaluate", "--artifacts", trained, "--json", *data).out)
        assert scores["leaky"] is False and scores["audit"] == []
        report = scores["reports"]["all"]
        assert report["n"] == 8 and sum(map(sum, report["confusion"])) == 8
        assert report["labels"] == sorted(EMOTIONS)
        low, high = report["intervals"]["uar"]
        assert 0 <= low <= report["uar"] <= high <= 1


def test_evaluate_knows_its_clips_when_they_have_moved(
    trained: Path, table: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(table.parent, tmp_path / "moved")
    for number, path in enumerate(sorted((tmp_path / "moved" / "wav").iterdir())):
        emotion = next(r["emotion"] for r in read_rows(table) if r["file"].endswith(path.name))
        target = tmp_path / "sorted" / emotion / f"{number}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    command = ("evaluate", "--artifacts", trained, "--json", "--data", tmp_path / "sorted")
    scores = json.loads(succeed(*command).out)
    assert scores["reports"]["all"]["n"] == 8 and scores["leaky"] is False


def test_evaluate_on_other_recordings(trained: Path, tmp_path: Path) -> None:
    for number, (emotion, hertz) in enumerate((*EMOTIONS.items(), ("disgust", 9000))):
        for name in ("a-0", "b-9"):  # names that the training knows, of other sounds
            tone(tmp_path / emotion / f"{name}.wav", hertz, seed=1000 + number)
    done = succeed("evaluate", "--artifacts", trained, "--data", tmp_path)
    assert "2 clips of disgust left out: the model does not know it" in done.err
    assert "training data" not in done.err and "LEAKY" not in done.out
    scores = json.loads(
        succeed("evaluate", "--artifacts", trained, "--data", tmp_path, "--json").out
    )
    assert scores["reports"]["all"]["n"] == 8
    assert scores["reports"]["all"]["uar"] >= 0.75


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


# -- predict


def test_predict_writes_a_table(trained: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    command = ("predict", table.parent / "wav", "--artifacts", trained)
    done = succeed(*command, "--csv", out)
    assert done.out == "" and f"48 rows written: {out}" in done.err
    assert f"model: {trained}" in done.err
    rows = read_rows(out)
    names = ["file", "start", "end", "emotion", "confidence", *sorted(EMOTIONS)]
    assert list(rows[0]) == [*names, "status", "flags", "error"]
    truth = {Path(row["file"]).name: row["emotion"] for row in read_rows(table)}
    right = [truth[Path(row["file"]).name] == row["emotion"] for row in rows]
    assert np.mean(right) > 0.8
    for row in rows:
        shares = {name: float(row[name]) for name in EMOTIONS}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert float(row["confidence"]) == pytest.approx(max(shares.values()), abs=1e-6)
        assert shares[row["emotion"]] == max(shares.values()) and row["status"] == "ok"
    assert rows_of(succeed(*command).out) == rows  # a pipe gets the same


def test_predict_labels_what_it_can(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    tone(tmp_path / "b.wav", EMOTIONS["sad"], seed=5)
    done = ser("predict", tmp_path, "--artifacts", trained, "--json")
    assert done.code == 3
    bad, good = map(json.loads, done.out.splitlines())
    assert (bad["status"], bad["emotion"], bad["sad"]) == ("error", "", None) and bad["error"]
    assert (good["status"], good["emotion"]) == ("ok", "sad")


def test_predict_in_windows(trained: Path, tmp_path: Path) -> None:
    clip = tone(tmp_path / "long.wav", EMOTIONS["happy"], seed=5, seconds=3.0)
    command = ("predict", clip, "--artifacts", trained)
    (whole,) = rows_of(succeed(*command).out)
    assert (whole["flags"], whole["end"]) == ("long", "3.0")
    rows = rows_of(succeed(*command, "--window", 1, "--step", 0.5).out)
    assert [row["start"] for row in rows] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert {row["emotion"] for row in (*rows, whole)} == {"happy"}


def test_predict_scores_files_that_name_their_emotion(trained: Path, tmp_path: Path) -> None:
    for code, emotion in (("04", "sad"), ("05", "angry")):
        tone(tmp_path / f"03-01-{code}-01-01-01-09.wav", EMOTIONS[emotion], seed=9)
    command = ("predict", tmp_path, "--artifacts", trained)
    done = succeed(*command)
    assert len(rows_of(done.out)) == 2  # what a program reads stays a table
    assert "2 files are named as RAVDESS names them" in done.err and "macro avg" in done.err
    assert "macro avg" not in succeed(*command, "--no-report").err


# -- tune


def tiny_search(trial: optuna.Trial) -> dict[str, Any]:
    loop = ("epochs", "mask_frames", "mask_columns", "copies")
    fixed = {name: value for name, value in TINY.items() if name not in loop}
    return {**fixed, "dropout": trial.suggest_float("dropout", 0.0, 0.5)}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the default recipe search among tiny networks."""
    system = replace(recipes.get("cnn-bilstm"), search=tiny_search)
    monkeypatch.setattr(recipes, "get", lambda name: system)


@pytest.mark.usefixtures("tiny", "training")
def test_tune_finds_settings_and_train_takes_them(table: Path) -> None:
    search = ("tune", "--data", table, "--folds", 2, "--epochs", 1, "--artifacts", "tuned")
    done = json.loads(succeed(*search, "--trials", 2, "--workers", 1, "--json").out)
    folder = Path("tuned")
    assert {path.name for path in folder.iterdir()} == {
        "trials.csv",
        "trials.png",
        "best_hyperparameters.json",
    }
    assert (done["finished"], done["pruned"]) == (2, 0)
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
    assert "best of 2 trials (0 pruned)" in again.out and "next: ser train" in again.err
    assert read_rows(folder / "trials.csv") == trials

    # One more is one more, however many could run side by side.
    more = succeed(*search, "--trials", 3, "--workers", 2, "--json")
    assert json.loads(more.out)["finished"] == len(read_rows(folder / "trials.csv")) == 3
    found = json.loads((folder / "best_hyperparameters.json").read_text())
    found.pop("settings_from")

    command = ("--data", table, "--artifacts", folder, "--epochs", 1, "--copies", 0)
    trained = succeed("train", *command)
    assert f"settings: study {done['study']} with epochs=1, copies=0" in trained.err
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["settings"]["dropout"] == pytest.approx(found["dropout"])


def test_tune_wants_speakers_or_a_random_split(home: Path) -> None:
    data = by_folder(home / "by-emotion")
    done = ser("tune", "--data", data, "--workers", 1, "--trials", 1)
    assert done.code == 1 and "--split random" in done.err


def study(tmp_path: Path, name: str = "s") -> optuna.Study:
    return studies.create(name, f"sqlite:///{(tmp_path / 'study.db').as_posix()}", seed=0)


def test_enough_counts_finished_trials_and_those_beside(tmp_path: Path) -> None:
    made = study(tmp_path)
    assert not tune_stage._enough(made, 1, "now")
    # A trial of a run that was killed says it is running, for ever.
    made.ask().set_user_attr("run", "killed")
    assert not tune_stage._enough(made, 1, "now")
    made.ask().set_user_attr("run", "now")
    assert tune_stage._enough(made, 1, "now") and not tune_stage._enough(made, 2, "now")
    made.tell(made.ask(), 0.5)
    assert tune_stage._enough(made, 2, "now") and not tune_stage._enough(made, 3, "now")
    made.tell(made.ask(), state=optuna.trial.TrialState.PRUNED)
    made.tell(made.ask(), state=optuna.trial.TrialState.FAIL)
    assert tune_stage._enough(made, 3, "now") and not tune_stage._enough(made, 4, "now")
    assert len(study(tmp_path).trials) == 5  # opened again, it goes on


NOTHING = Batch(np.zeros((3, 1, 1), np.float32), np.zeros(3, np.int64), ())
FOLD = Dataset(NOTHING, NOTHING, NOTHING, Preprocessor(1, np.zeros(0), np.zeros(0), ("a", "b")))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """Dev scores of each training to come, instead of the trainings."""
    scores: list[list[float]] = []

    def fit(model: Any, train: Any, dev: Any, chosen: Any, *, seed: int, on_epoch: Any) -> None:
        for epoch, score in enumerate(scores.pop(0), start=1):
            on_epoch({"epoch": epoch, "dev_uar": score, "dev_accuracy": score / 2})

    monkeypatch.setattr(trainer, "fit", fit)
    monkeypatch.setattr(tune_stage, "_networks", lambda *given: lambda fold: None)
    return scores


@pytest.mark.parametrize(("metric", "expected"), [("uar", 0.6), ("accuracy", 0.3)])
def test_a_trial_is_worth_the_mean_of_its_folds_best_epochs(
    tmp_path: Path, scripted: list[list[float]], metric: str, expected: float
) -> None:
    scripted += [[0.2, 0.7, 0.1], [0.5, 0.4, 0.3]]
    search = tune_stage.Search("x", metric=metric, epochs=3)
    trial = study(tmp_path).ask()
    folds: Any = (FOLD, FOLD)
    assert tune_stage.objective(trial, search, folds) == pytest.approx(expected)
    kept = trial.study.trials[0]
    assert kept.user_attrs["folds"] == pytest.approx([0.7 * expected / 0.6, 0.5 * expected / 0.6])
    steps = {step: value * 0.6 / expected for step, value in kept.intermediate_values.items()}
    assert steps == pytest.approx({1: 0.2, 2: 0.7, 3: 0.7, 4: 0.6, 5: 0.6, 6: 0.6})


def test_a_third_goes_on_from_rung_to_rung(tmp_path: Path, scripted: list[list[float]]) -> None:
    made = study(tmp_path)
    search, folds = tune_stage.Search("x", epochs=10), (FOLD,)
    lengths = []
    for score in (0.5, 0.1, 0.4, 0.6, 0.55, 0.3, 0.2, 0.59):
        scripted.append([score] * 10)
        trial = made.ask()
        try:
            made.tell(trial, tune_stage.objective(trial, search, folds))
        except optuna.TrialPruned:
            made.tell(trial, state=optuna.trial.TrialState.PRUNED)
        lengths.append(max(made.trials[-1].intermediate_values))
    # The first is alone, the fourth the best so far. The last is among the best two of eight at
    # three epochs, but not the best of three at nine.
    assert lengths == [10, 3, 3, 10, 3, 3, 3, 9]


def test_the_folds_of_a_trial_share_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer.prepare(0, threads=1)
    recipe = recipes.get(recipes.DEFAULT)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 20, recipe.features)).astype(np.float32)
    part = Batch(x, np.arange(12) % 2, ())
    fold = replace(FOLD, train=part, dev=part)
    chosen = {**recipe.defaults, **TINY, "dropout": 0.5, "epochs": 2}
    built = []
    real = train_stage.build

    def build(*given: Any, **named: Any) -> Any:
        built.append(real(*given, **named))
        return built[-1]

    monkeypatch.setattr(train_stage, "build", build)
    network = tune_stage._networks(recipe, chosen, 0)
    fits = [trainer.fit(network(fold), part, part, chosen, seed=0) for _ in range(2)]
    assert len(built) == 1
    assert fits[0] == fits[1]  # as if it were new: weights, optimizer, dropout
    longer = replace(part, x=np.pad(x, ((0, 0), (0, 5), (0, 0))))
    network(replace(fold, train=longer))
    assert len(built) == 2


def test_a_study_without_a_complete_trial_says_so(tmp_path: Path) -> None:
    made = study(tmp_path)
    made.tell(made.ask(), state=optuna.trial.TrialState.PRUNED)
    with pytest.raises(DataError, match="no complete trial"):
        tune_stage._write_best(made, tune_stage.Search("x"), tmp_path)


def test_importances_come_when_trials_differ(tmp_path: Path) -> None:
    made = study(tmp_path)
    for n in range(5):
        trial = made.ask()
        trial.suggest_float("dropout", 0.0, 1.0)
        trial.suggest_int("units", 1, 9)
        made.tell(trial, n / 10)
    study_report.write(made, tmp_path)
    assert (tmp_path / "importances.png").read_bytes()[:4] == b"\x89PNG"
    rows = read_rows(tmp_path / "trials.csv")
    assert list(rows[0]) == ["number", "state", "value", "seconds", "dropout", "units"]


def test_a_study_is_named_by_what_it_is_about() -> None:
    folds = (FOLD,) * 2
    base = tune_stage.Search("data/x.csv")
    others = [
        replace(base, data="data/y.csv"),
        replace(base, split="random"),
        replace(base, metric="accuracy"),
        replace(base, epochs=3),
        replace(base, copies=1),
        replace(base, seed=1),
        replace(base, selection=Selection(exclude=("sad",))),
        replace(base, selection=Selection(oversample=("sad",))),
        replace(base, selection=Selection(per_class=300)),
    ]
    names = [tune_stage.study_name(search, folds) for search in (base, *others)]
    assert len(set(names)) == len(names)
    assert tune_stage.study_name(base, folds[:1]) != names[0]
    assert not any(set(name) & set(" /") for name in names)  # they become files


def test_clips_are_chosen_before_they_are_split(table: Path, home: Path) -> None:
    chosen = ("--exclude", "sadness", "--per-class", 8, "--seed", 3)
    done = succeed("extract", "--data", table, *chosen, "--jobs", 1, "--json")
    assert json.loads(done.out)["clips"] == 24
    command = ("train", "--data", table, "--artifacts", "chosen", "--params", "tiny.json")
    once = ("--epochs", 1, "--copies", 1, "--split", "random", "--oversample", "calm")
    table_of = succeed(*command, *once, *chosen).out
    rows = read_rows(home / "chosen" / "split.csv")
    assert Counter(row["emotion"] for row in rows) == {"angry": 8, "calm": 8, "happy": 8}
    learned = Counter(row["emotion"] for row in rows if row["split"] == "train")
    calm = f"calm \u2502 {learned['calm']} \u2502 {2 * max(learned.values())} \u2502"
    assert calm in re.sub(" +", " ", table_of)
    manifest = json.loads((home / "chosen" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["selection"] == ["no sad", "at most 8 a class", "calm oversampled"]
    scored = succeed("evaluate", "--artifacts", "chosen").out
    assert "no sad, at most 8 a class" in " ".join(scored.split())


def test_a_choice_of_clips_belongs_to_training(trained: Path, table: Path) -> None:
    done = ser("evaluate", "--artifacts", trained, "--exclude", "sad")
    assert done.code == 2 and "--protocol" in done.err
    wrong = ser("train", "--data", table, "--artifacts", "wrong", "--exclude", "bored")
    assert wrong.code == 2 and "no clip is 'bored'" in wrong.err


# -- a folder that knows no speakers, all the way


@pytest.fixture(scope="module")
def numbered(home: Path) -> Path:
    return by_folder(home / "numbered")


def test_a_folder_by_emotion_all_the_way(numbered: Path, home: Path) -> None:
    folder = home / "from-folder"
    command = ("--data", numbered, "--artifacts", folder, "--params", "tiny.json")
    succeed("extract", "--data", numbered, "--jobs", 1)
    for split in (("--split", "random"), ()):
        done = succeed("train", *command, *split, "--epochs", 8)
        assert "not speaker-independent" in done.err
    split_rows = read_rows(folder / "split.csv")
    assert Counter(row["split"] for row in split_rows) == {"train": 33, "dev": 7, "test": 8}

    # Four emotions have a 01.wav each: the held-out ones are told by more than their name.
    done = succeed("evaluate", "--artifacts", folder)
    assert "LEAKY: not speaker-independent" in done.out
    scores = json.loads(succeed("evaluate", "--artifacts", folder, "--json").out)
    report = scores["reports"]["all"]
    held_out = Counter(row["emotion"] for row in split_rows if row["split"] == "test")
    assert {k: v["support"] for k, v in report["per_class"].items()} == held_out
    assert report["n"] == 8

    rows = rows_of(succeed("predict", numbered, "--artifacts", folder).out)
    right = [Path(row["file"]).parent.name == row["emotion"] for row in rows]
    assert len(rows) == 48 and np.mean(right) > 0.5


def test_speakers_on_both_sides_are_counted(table: Path) -> None:
    command = ("--data", table, "--artifacts", "leaky", "--params", "tiny.json", "--epochs", 1)
    done = succeed("train", *command, "--split", "random")
    assert "not speaker-independent" in done.err
    assert "speakers on both sides of the split" in done.err


def test_the_length_of_a_clip_can_be_chosen(table: Path, training: Result) -> None:
    command = ("train", "--data", table, "--epochs", 1, "--max-len", 40, "--artifacts")
    done = succeed(*command, "longer", "--params", "tiny.json")
    assert "with epochs=1, max_len=40" in done.err
    assert int(np.load("longer/max_len.npy")) == 40
    labelled = succeed("predict", table.parent, "--artifacts", "longer", "--json")
    assert json.loads(labelled.out.splitlines()[0])["status"] != "error"
    done = ser(*command, "another", "--recipe", "mfcc-mlp")
    assert done.code == 2 and "one frame" in done.err


def test_what_comes_next_is_for_the_same_model(training: Result, home: Path) -> None:
    assert training.err.endswith("next: ser evaluate --artifacts trained --report\n")
    given = follow_up("train", recipe="mfcc-mlp", folder=None, data="my clips")
    assert given == "ser train --data 'my clips' --recipe mfcc-mlp"
    assert follow_up("train", recipe=recipes.DEFAULT, folder=None) == "ser train"


# -- protocols


def by_actor(folder: Path, channels: tuple[str, ...] = ("01", "02")) -> Path:
    """Make a RAVDESS of 24 actors, two emotions and one clip of each channel."""
    for actor in range(1, 25):
        for channel in channels:
            for code, hertz in (("02", 600), ("05", 250)):
                name = f"03-{channel}-{code}-01-01-01-{actor:02d}.wav"
                seed = actor + 100 * int(channel) + 1000 * int(code)
                tone(folder / f"Actor_{actor:02d}" / name, hertz + actor, seed=seed, seconds=0.3)
    return folder


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
    kept = read_rows(table) if table.is_file() else []
    done = succeed(*command, "--epochs", 1, "--workers", 1, "--per-class", 40, "--json")
    tested = json.loads(done.out)["reports"]["speech+song"]["n"]
    assert tested < 16  # test clips are drawn as training clips are
    rows = read_rows(table)
    assert rows[: len(kept)] == kept
    assert [row["data"] for row in rows[len(kept) :]] == [
        f"{part}, at most 40 a class, 2358 missing" for part in ("speech+song", "speech", "song")
    ]


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


def test_a_protocol_needs_ravdess_with_all_it_reports(table: Path, home: Path) -> None:
    done = ser("evaluate", "--protocol", "emobox6", "--data", table)
    assert done.code == 1 and "made of RAVDESS's actors" in done.err
    # Without songs there is no row for songs: said before hours of training, not after.
    spoken = by_actor(home / "spoken", channels=("01",))
    done = ser("evaluate", "--protocol", "actors21-24", "--data", spoken, "--params", "tiny.json")
    assert done.code == 1 and "song" in done.err and "ser download-ravdess" in done.err


def test_a_fold_that_leaks_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_cli.data import splits

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


@pytest.mark.slow
def test_trials_side_by_side(table: Path, training: Result) -> None:
    command = ("tune", "--data", table, "--folds", 2, "--epochs", 1, "--artifacts", "beside")
    done = succeed(*command, "--trials", 2, "--workers", 2)
    assert "best of" in done.out
    assert len(read_rows(Path("beside/trials.csv"))) >= 2


def test_predict_never_writes_over_a_recording(trained: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    tone(clip, 440.0, seed=0)
    before = clip.read_bytes()
    done = ser("predict", clip, "--csv", clip, "--artifacts", trained)
    assert done.code == 2 and "named like a recording" in done.err
    assert clip.read_bytes() == before


def test_predict_refuses_before_it_prints(trained: Path, tmp_path: Path) -> None:
    for wrong in (("--window", "0"), ("--json", "--csv", tmp_path / "x.csv")):
        done = ser("predict", tmp_path, "--artifacts", trained, *wrong)
        assert (done.code, done.out) == (2, ""), wrong
    done = ser("predict", tmp_path, "--recipe", "no")
    assert (done.code, done.out) == (2, "") and "there is no recipe 'no'" in done.err
    assert not (tmp_path / "x.csv").exists()
