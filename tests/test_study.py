"""A study: what it is about, how long it goes on, and what a trial of it is worth."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake
import given
import numpy as np
import optuna
import pytest
from command import TINY
from corpus import read_rows

from ser_cli import recipes, workers
from ser_cli.data import splits
from ser_cli.data.corpora import ravdess
from ser_cli.data.splits import Split
from ser_cli.errors import DataError
from ser_cli.jobs.training import Metric, SearchSplit, TuneJob
from ser_cli.report import trials as trials_report
from ser_cli.stages import tune as tune_stage
from ser_cli.training import search, session, settings, storages, studies, trainer
from ser_cli.training.search import Search
from ser_cli.training.session import Work
from ser_cli.types import Clip

FOLD = given.dataset(given.part(np.zeros((3, 1, 1), np.float32), np.zeros(3, np.int64)))


def study(tmp_path: Path, name: str = "s") -> optuna.Study:
    storage = storages.opened(storages.url(name, str(tmp_path / "study.db")))
    return studies.create(name, storage, seed=0)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """Dev scores of each training to come, instead of the trainings."""
    scores: list[list[float]] = []

    def fit(model: Any, data: Any, chosen: Any, *, seed: int, on_epoch: Any) -> None:
        for epoch, score in enumerate(scores.pop(0), start=1):
            on_epoch({"epoch": epoch, "dev_uar": score, "dev_accuracy": score / 2})

    monkeypatch.setattr(trainer, "fit", fit)
    monkeypatch.setattr(search, "_networks", lambda work: lambda fold: None)
    fake.register(monkeypatch, fake.recipe(search=lambda trial: {}))
    return scores


def folds_of(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let a study have so many folds, whatever is in them."""
    monkeypatch.setattr(search, "load", lambda wanted: (FOLD,) * count)


def about(metric: str = "dev_uar", epochs: int = 10) -> Search:
    return Search("fake", folds=(), metric=metric, epochs=epochs)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were left for each trial; it is over, and worth something, at once."""
    run: list[float] = []

    def trial(
        wanted: Search, name: str, url: str, trials: int, threads: int, seconds: float
    ) -> None:
        run.append(seconds)
        made = studies.create(name, storages.opened(url), seed=0)
        made.tell(made.ask(), len(run) / 100)

    monkeypatch.setattr(tune_stage, "_trial", trial)
    return run


def go_on(made: optuna.Study, tmp_path: Path, trials: int, timeout: float | None = None) -> None:
    job = TuneJob(trials=trials, workers=1, timeout=timeout)
    tune_stage._run(job, about(), made, storages.url("s", str(tmp_path / "study.db")), None)


def test_complete_and_pruned_trials_count(tmp_path: Path, quick: list[float]) -> None:
    made = study(tmp_path)
    made.ask()  # a trial of a run that was killed says it is running, for ever
    made.tell(made.ask(), state=optuna.trial.TrialState.FAIL)
    go_on(made, tmp_path, 2)
    assert len(quick) == 2
    made.tell(made.ask(), state=optuna.trial.TrialState.PRUNED)
    made.tell(made.ask(), 0.5)
    go_on(made, tmp_path, 4)
    assert len(quick) == 2
    go_on(made, tmp_path, 5)
    assert quick == [math.inf] * 3
    assert len(study(tmp_path).trials) == 7  # opened again, it goes on


def test_no_trial_begins_after_the_time_is_over(
    tmp_path: Path, quick: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter((0.0, 4.0, 8.0, 12.0))  # as the study begins, and before each trial
    monkeypatch.setattr(tune_stage, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    go_on(study(tmp_path), tmp_path, 50, timeout=10)
    assert quick == [6.0, 2.0]


def test_no_more_work_side_by_side_than_trials_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(task: Any, items: Any, **named: Any) -> list[Any]:
        asked.append(([*islice(items, 2)], named["workers"], named["ahead"]))
        return []

    monkeypatch.setattr(workers, "run", run)
    made = study(tmp_path)
    made.tell(made.ask(), 0.5)
    for trials, side_by_side in ((9, 4), (3, 4), (1, 4)):
        tune_stage._run(TuneJob(trials=trials, workers=side_by_side), about(), made, "", None)
    # None is begun before a process is free, so that pruning and sampling know those before.
    assert asked == [([math.inf] * 2, 4, 0), ([math.inf] * 2, 2, 0), ([], 1, 0)]


def test_a_trial_that_fails_ends_the_study_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(wanted: Search, trial: optuna.Trial) -> float:
        tried.append(trial.number)
        raise ValueError("no")

    monkeypatch.setattr(search, "objective", fail)
    monkeypatch.setattr(search, "prepare", lambda wanted, threads: None)
    with pytest.raises(DataError, match="a trial failed: ValueError: no"):
        go_on(study(tmp_path), tmp_path, 5)
    assert tried == [0]


@pytest.mark.parametrize(("metric", "expected"), [("uar", 0.6), ("accuracy", 0.3)])
def test_a_trial_is_worth_the_mean_of_its_folds_best_epochs(
    tmp_path: Path,
    scripted: list[list[float]],
    monkeypatch: pytest.MonkeyPatch,
    metric: str,
    expected: float,
) -> None:
    scripted += [[0.2, 0.7, 0.1], [0.5, 0.4, 0.3]]
    folds_of(monkeypatch, 2)
    trial = study(tmp_path).ask()
    wanted = about(f"dev_{metric}", epochs=3)
    assert search.objective(wanted, trial) == pytest.approx(expected)
    kept = trial.study.trials[0]
    assert kept.user_attrs["folds"] == pytest.approx([0.7 * expected / 0.6, 0.5 * expected / 0.6])
    steps = {step: value * 0.6 / expected for step, value in kept.intermediate_values.items()}
    assert steps == pytest.approx({1: 0.2, 2: 0.7, 3: 0.7, 4: 0.6, 5: 0.6, 6: 0.6})


def test_a_third_goes_on_from_rung_to_rung(
    tmp_path: Path, scripted: list[list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(tmp_path)
    folds_of(monkeypatch, 1)
    lengths = []
    for score in (0.5, 0.1, 0.4, 0.6, 0.55, 0.3, 0.2, 0.59):
        scripted.append([score] * 10)
        trial = made.ask()
        try:
            made.tell(trial, search.objective(about(), trial))
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
    x = rng.standard_normal((12, 20, recipe.frontend.width)).astype(np.float32)
    part = given.part(x, np.arange(12) % 2)
    fold = given.dataset(part, part)
    chosen = settings.resolve(recipe).but({**TINY, "dropout": 0.5, "epochs": 2})
    built = []
    real = session.build

    def build(*given: Any, **named: Any) -> Any:
        built.append(real(*given, **named))
        return built[-1]

    monkeypatch.setattr(session, "build", build)
    network = search._networks(Work(recipes.DEFAULT, chosen))
    fits = [trainer.fit(network(fold), fold, chosen.train, seed=0) for _ in range(2)]
    assert len(built) == 1
    assert fits[0] == fits[1]  # as if it were new: weights, optimizer, dropout
    longer = given.part(np.pad(x, ((0, 0), (0, 5), (0, 0))), np.arange(12) % 2)
    network(given.dataset(longer, part))
    assert len(built) == 2


def test_a_study_without_a_complete_trial_says_so(tmp_path: Path) -> None:
    made = study(tmp_path)
    made.tell(made.ask(), state=optuna.trial.TrialState.PRUNED)
    with pytest.raises(DataError, match="no complete trial"):
        tune_stage._result(TuneJob(), made, (), tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_importances_come_when_trials_differ(tmp_path: Path) -> None:
    made = study(tmp_path)
    for n in range(5):
        trial = made.ask()
        trial.suggest_float("dropout", 0.0, 1.0)
        trial.suggest_int("units", 1, 9)
        made.tell(trial, n / 10)
    trials_report.write(made, tmp_path)
    assert (tmp_path / "importances.png").read_bytes()[:4] == b"\x89PNG"
    rows = read_rows(tmp_path / "trials.csv")
    assert list(rows[0]) == ["number", "state", "value", "seconds", "dropout", "units"]


def of_people(*names: str, train: tuple[str, ...] = ()) -> Split:
    """Return a fold whose dev part has a clip of each "speaker emotion"."""
    part, dev = (
        tuple(Clip(Path(f"{n}.wav"), speaker=n[0], emotion=n[2:]) for n in chosen)
        for chosen in (train, names)
    )
    return Split(part, dev, (), leaky=False)


IN_TURN = (of_people("a x", "c x"), of_people("b x", "d x"))


def test_a_study_is_named_by_what_it_is_about() -> None:
    base = TuneJob(data=("data/x.csv",))
    others = [
        replace(base, data=("data/y.csv",)),
        replace(base, data=("other/x.csv",)),
        replace(base, data=("data/x.csv", "data/y.csv")),
        replace(base, data=("ravdess",)),
        replace(base, data=("ravdess", "data/x.csv")),
        replace(base, recipe="mfcc-mlp"),
        replace(base, split=SearchSplit.random),
        replace(base, metric=Metric.accuracy),
        replace(base, epochs=3),
        replace(base, copies=1),
        replace(base, seed=1),
        replace(base, exclude=("sad",)),
        replace(base, oversample=("sad",)),
        replace(base, per_class=300),
    ]
    names = [tune_stage.study_name(job, IN_TURN) for job in (base, *others)]
    assert len(set(names)) == len(names)
    assert tune_stage.study_name(base, IN_TURN[:1]) != names[0]
    more = (*IN_TURN[:1], of_people("b x", "d x", train=("a x",)))
    assert tune_stage.study_name(base, more) != names[0]
    assert not any(set(name) & set(" /") for name in names)  # they become files
    # How long and with how many workers, and where the result goes, is not what it is about.
    for same in ({"trials": 9}, {"workers": 7}, {"timeout": 1.0}, {"folder": Path("elsewhere")}):
        assert tune_stage.study_name(replace(base, **same), IN_TURN) == names[0]


def test_a_study_goes_on_only_with_the_folds_it_had() -> None:
    job = TuneJob(data=("data/x.csv",))
    otherwise = (of_people("a x", "b x"), of_people("c x", "d x"))
    names = [tune_stage.study_name(job, folds) for folds in (IN_TURN, otherwise)]
    assert names[1] == names[0].replace("speaker2", "speaker2-by-emotion") != names[0]


def test_the_study_of_ravdess_keeps_its_name() -> None:
    """Committed results and kept studies refer to it."""
    clips = []
    for name in ravdess.SOURCE.digests():
        facts = dict(ravdess.parse(name) or {})
        emotion, speaker = facts["emotion"], f"ravdess/{facts['speaker']}"
        clips.append(Clip(Path(name), emotion=emotion, speaker=speaker, corpus="ravdess"))
    folds = splits.tuning_folds(tuple(clips), 3)
    for job in (TuneJob(), TuneJob(data=("ravdess",))):
        name = tune_stage.study_name(job, folds)
        assert name == "cnn-bilstm-v1-ravdess6108-speaker3-uar-epochs10-seed0"
