"""`ser train`: what it writes, says and refuses."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
from command import EMOTIONS, TINY, Result, ser, succeed
from corpus import read_rows

from ser_cli import recipes
from ser_cli.commands.console import follow_up
from ser_cli.jobs.training import TrainJob
from ser_cli.model import artifacts
from ser_cli.training import trainer
from ser_cli.training.settings import resolve

if TYPE_CHECKING:
    import keras


# A network without frames, for what does not depend on one.
QUICK = ("--recipe", "stats-dense", "--epochs", 1, "--jobs", 1)
WRITTEN = {
    "model.keras",
    "model.onnx",
    "scaler.pkl",
    "label_encoder.pkl",
    "max_len.npy",
    "history.csv",
    "curves.png",
    "split.csv",
    "soundprints.npz",
    "class_counts.png",
    "val_metrics.txt",
    "val_confusion_matrix.txt",
    "manifest.json",
    "best_hyperparameters.json",
    "train.toml",
}


def weights_of(folder: Path) -> list[Any]:
    import keras

    model: keras.Model = keras.saving.load_model(folder / "model.keras")
    weights: list[Any] = model.get_weights()
    return weights


def same(first: list[Any], second: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_train_says_what_it_did(training: Result, trained: Path) -> None:
    assert "settings: tiny.json" in training.err
    assert "leak audit" not in training.err and "speaker-independent" not in training.err
    assert training.out.splitlines()[-1].endswith(f": {trained.name}")
    assert "epoch " in training.out and "dev UAR" in training.out
    assert "next: ser evaluate" in training.err
    shown = [" ".join(line.split()) for line in training.out.splitlines()]
    assert "\u2502 angry \u2502 8 (4) \u2502 8 \u2502 2 (1) \u2502 2 (1) \u2502" in shown


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
    beside = {"manifest.json", "best_hyperparameters.json", "train.toml"}  # of who asked for it
    assert set(manifest["files"]) == WRITTEN - beside
    for name, stated in manifest["files"].items():
        content = (trained / name).read_bytes()
        assert stated["bytes"] == len(content)
        assert stated["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["recipe"] == "cnn-bilstm" and manifest["data"] == [str(table)]
    assert manifest["settings"] == {**resolve(recipes.get("cnn-bilstm")).flat(), **TINY}
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
    assert (
        lines[0].startswith("Dev part: it chose what was kept and calibrated it")
        and "Clips: 8" in lines
    )
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
    assert "resuming an interrupted training" in resumed.err
    # Killed and resumed, or in one go: the seed decides.
    assert same(weights_of(Path("again")), weights_of(trained))
    assert (Path("again") / "history.csv").read_bytes() == (trained / "history.csv").read_bytes()
    assert not list((Path("cache") / "checkpoints").glob("*"))


def test_a_model_stays_in_use_until_its_successor_is_sealed(
    trained: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("--params", "tiny.json", "--seed", 1, "--epochs", 2)
    command = ("train", "--data", table, "--artifacts", trained, *settings)
    scores, seen = trainer._dev_scores, []

    def interrupted(*arguments: Any) -> Any:
        seen.append(artifacts.load(trained).manifest["seed"])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return scores(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_dev_scores", interrupted)
        assert ser(*command).code == 130
    assert artifacts.load(trained).manifest["seed"] == 0 and seen == [0, 0]
    succeed(*command)
    assert artifacts.load(trained).manifest["seed"] == 1
    assert {path.name for path in trained.iterdir()} == WRITTEN


def test_a_table_names_its_own_split(table: Path, home: Path) -> None:
    data = in_parts(table, home / "marked.csv", {"a": "test", "b": "validation"})
    command = ("--artifacts", "marked", *QUICK)
    succeed("train", "--data", data, *command)
    rows = read_rows(Path("marked/split.csv"))
    assert {row["speaker"] for row in rows if row["split"] == "test"} == {"marked.csv/a"}
    assert {row["speaker"] for row in rows if row["split"] == "dev"} == {"marked.csv/b"}
    # Where its training part is of one speaker, dev is taken from that one.
    known = in_parts(table, home / "known.csv", {"a": "test", "b": "none"})
    rows_of_one = [x for x in known.read_text(encoding="utf-8").splitlines() if "none" not in x]
    voice = [re.sub(r",[c-f],train", ",c,train", x) for x in rows_of_one]
    known.write_text("\n".join(voice), encoding="utf-8")
    done = succeed("train", "--data", known, *command)
    assert "speakers of dev may be in training too" in done.err
    assert "not speaker-independent" not in done.err  # test does not


def in_parts(table: Path, copy: Path, parts: dict[str, str], *, without: str = "") -> Path:
    """Write the table with parts by speaker; speaker b does not say one of the emotions."""
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [x for x in lines[1:] if not (x.endswith(",b") and f",{without}," in x)]
    rows = [f"{table.parent}/{x},{parts.get(x[-1], 'train')}" for x in kept]
    copy.write_text("\n".join([f"{lines[0]},split", *rows]), encoding="utf-8")
    return copy


def test_a_table_whose_dev_lacks_an_emotion_is_told_so(table: Path, home: Path) -> None:
    data = in_parts(table, home / "gap.csv", {"a": "test", "b": "dev"}, without="sad")
    command = ("--data", data, "--artifacts", "gap", *QUICK)
    done = succeed("train", *command)
    assert "dev has no clip of sad: UAR there is over the other emotions alone" in done.err
    assert "kept, dev UAR over the 3 of 4 classes that occur " in done.out
    scores = Path("gap/val_metrics.txt").read_text(encoding="utf-8").splitlines()
    assert "Classes without a clip: sad" in scores


def test_an_automatic_split_lacks_no_emotion(table: Path, home: Path) -> None:
    few = ("--exclude", "calm", "--exclude", "happy")
    lonely = in_parts(table, home / "lonely.csv", {}, without="sad")
    rows = lonely.read_text(encoding="utf-8").splitlines()
    heard = [x.rpartition(",")[0] for x in rows if ",sad," not in x or x.split(",")[2] == "a"]
    lonely.write_text("\n".join(heard), encoding="utf-8")
    done = ser("train", "--data", lonely, "--artifacts", "lonely", *few)
    assert done.code == 1 and "no clip of sad (in total: 2 clips of sad by 1 speaker)" in done.err
    assert "--split random, or --exclude sad" in done.err and not Path("lonely").exists()
    done = ser("tune", "--data", lonely, "--workers", 1, "--trials", 1)
    assert done.code == 1 and "no clip of sad" in done.err and "fewer --folds" in done.err


def test_the_shipped_model_is_not_overwritten(table: Path, home: Path) -> None:
    command = ("train", "--data", table, "--artifacts", home / "shipped", "--params", "tiny.json")
    done = ser(*command)
    assert done.code == 1 and "must not be overwritten" in done.err


def test_a_folder_that_is_a_file(table: Path) -> None:
    done = ser("train", "--data", table, "--artifacts", table, "--params", "tiny.json")
    assert done.code == 1 and str(table) in done.err


def test_clips_are_chosen_before_they_are_split(table: Path, home: Path) -> None:
    chosen = ("--exclude", "sadness", "--per-class", 8, "--seed", 3)
    done = succeed("extract", "--data", table, *chosen, "--jobs", 1, "--json")
    assert json.loads(done.out)["clips"] == 24
    command = ("train", "--data", table, "--artifacts", "chosen", *QUICK)
    once = ("--copies", 1, "--split", "random", "--oversample", "calm")
    table_of = succeed(*command, *once, *chosen).out
    rows = read_rows(home / "chosen" / "split.csv")
    assert Counter(row["emotion"] for row in rows) == {"angry": 8, "calm": 8, "happy": 8}
    learned = Counter(row["emotion"] for row in rows if row["split"] == "train")
    who = {row["speaker"] for row in rows if (row["split"], row["emotion"]) == ("train", "calm")}
    calm = f"calm \u2502 {learned['calm']} ({len(who)}) \u2502 {2 * max(learned.values())} \u2502"
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


def test_speakers_on_both_sides_are_counted(table: Path) -> None:
    command = ("--data", table, "--artifacts", "leaky", *QUICK)
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
    given = follow_up("train", job=TrainJob(recipe="mfcc-mlp", data=("my clips",)), data=True)
    assert given == "ser train --data 'my clips' --recipe mfcc-mlp"
    assert follow_up("train", job=TrainJob(data=("a", "b"))) == "ser train"
    both = follow_up("train", job=TrainJob(data=("a", "b")), data=True)
    assert both == "ser train --data a --data b"
