"""`ser tune`: a search that goes on, prunes, and hands its settings to training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from command import TINY, Result, ser, succeed
from corpus import by_folder, read_rows

from ser_cli import recipes
from ser_cli.data.select import Selection
from ser_cli.errors import DataError
from ser_cli.report import trials as study_report
from ser_cli.stages import train as train_stage
from ser_cli.stages import tune as tune_stage
from ser_cli.training import studies, trainer
from ser_cli.types import Batch, Dataset, Preprocessor

NOTHING = Batch(np.zeros((3, 1, 1), np.float32), np.zeros(3, np.int64), ())
FOLD = Dataset(NOTHING, NOTHING, NOTHING, Preprocessor(1, np.zeros(0), np.zeros(0), ("a", "b")))


def tiny_search(trial: optuna.Trial) -> dict[str, Any]:
    loop = ("epochs", "mask_frames", "mask_columns", "copies")
    fixed = {name: value for name, value in TINY.items() if name not in loop}
    return {**fixed, "dropout": trial.suggest_float("dropout", 0.0, 0.5)}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the default recipe search among tiny networks."""
    system = replace(recipes.get("cnn-bilstm"), search=tiny_search)
    monkeypatch.setattr(recipes, "get", lambda name: system)


def study(tmp_path: Path, name: str = "s") -> optuna.Study:
    return studies.create(name, f"sqlite:///{(tmp_path / 'study.db').as_posix()}", seed=0)


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


@pytest.mark.slow
def test_trials_side_by_side(table: Path, training: Result) -> None:
    command = ("tune", "--data", table, "--folds", 2, "--epochs", 1, "--artifacts", "beside")
    done = succeed(*command, "--trials", 2, "--workers", 2)
    assert "best of" in done.out
    assert len(read_rows(Path("beside/trials.csv"))) >= 2
