"""One trial of a study: a recipe with the settings it suggests, on every fold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import optuna

from ser_cli import recipes
from ser_cli.data import identity, parts
from ser_cli.data.splits import Split
from ser_cli.sound import fingerprint
from ser_cli.training import board, dataset, pace, session, settings, trainer
from ser_cli.training.dataset import Dataset
from ser_cli.training.pace import Pace
from ser_cli.training.session import Work
from ser_cli.training.trainer import Epoch
from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class Search:
    """What a study is about; it travels to worker processes.

    Attributes:
        recipe: Its name.
        folds: Train and dev of each.
        metric: "dev_uar" or "dev_accuracy", the best epoch's.
        epochs: At most, per fold.
        copies: Augmented copies of each training clip: none by default, since each doubles the
            time. What is best without them is taken for best with them.
        oversample: Emotions whose training clips are repeated.
        seed: Of splits and trainings.
        encoder: In place of the recipe's own.
        tensorboard: Folder to draw epochs in: one per trial, and in it one per fold.
    """

    recipe: str
    folds: tuple[Split, ...]
    metric: str
    epochs: int
    copies: int = 0
    oversample: tuple[str, ...] = ()
    seed: int = 0
    encoder: Path | None = None
    tensorboard: Path | None = None


_loaded: dict[Search, tuple[Dataset, ...]] = {}  # of the one study this process works for


def load(search: Search, jobs: int = 1, progress: Progress | None = None) -> tuple[Dataset, ...]:
    """Return the data of each fold, read once in a process; no fold has a test part.

    Raises:
        DataError: Of the readable clips, a part lacks an emotion.
    """
    if search in _loaded:
        return _loaded[search]
    system = recipes.get(search.recipe, search.encoder)
    loaded = [
        dataset.load(
            fold,
            system,
            copies=search.copies,
            seed=search.seed,
            oversample=search.oversample,
            jobs=jobs,
            progress=progress,
        )
        for fold in search.folds
    ]
    for sounds in loaded:  # some clips may not be readable
        parts.checked(sounds.split)
    # One length for all folds, so that one network fits them.
    frames = max(dataset.frames(sounds, system) for sounds in loaded)
    _loaded.clear()
    _loaded[search] = tuple(dataset.assemble(sounds, system, frames=frames) for sounds in loaded)
    return _loaded[search]


def about(search: Search) -> dict[str, Any]:
    """Return what all trials of a study have in common, but for its clips."""
    system = recipes.get(search.recipe, search.encoder)
    return {
        "recipe": search.recipe,
        "features": system.frontend.fingerprint(),
        "search space": fingerprint.of_code(system.search)[:16],
        "metric": search.metric,
        "epochs": search.epochs,
        "copies": search.copies,
        "oversampled": [*search.oversample],
        "seed": search.seed,
    }


def about_clips(search: Search) -> dict[str, Any]:
    """Return a digest of the clips of all folds, wherever they lie, and of their emotions."""
    parts = [p.clips[: p.recorded] for fold in load(search) for p in (fold.train, fold.dev)]
    all_of_them = [*dict.fromkeys(clip for part in parts for clip in part)]
    names = dict(zip(all_of_them, identity.of(all_of_them), strict=True))
    told = [[f"{names[clip]} {clip.emotion}" for clip in part] for part in parts]
    return {"clips": hashlib.sha256(repr(told).encode()).hexdigest()[:16]}


def time_steps(search: Search, tell: Pace, *, threads: int) -> None:
    """Time some steps with the recipe's own settings; tell how long a fold of a trial takes."""
    prepare(search, threads)
    chosen = settings.resolve(recipes.get(search.recipe, search.encoder))
    work = Work(search.recipe, chosen.but({"epochs": search.epochs}), search.seed)
    fold = load(search)[0]
    with suppress(pace.MeasuredError):
        trainer.fit(
            session.build(fold, work),
            fold,
            work.settings.train,
            seed=search.seed,
            on_pace=pace.ending(tell),
        )


@lru_cache(maxsize=1)
def prepare(search: Search, threads: int) -> None:
    """Prepare TensorFlow, once in each process."""
    trainer.prepare(search.seed, threads)


def objective(search: Search, trial: optuna.Trial) -> float:
    """Return the mean dev score of a trial's settings over the folds, or prune it.

    Pruning looks after every epoch, at the mean of the finished folds' best epochs and the best
    so far of the running one.
    """
    system = recipes.get(search.recipe, search.encoder)
    chosen = settings.resolve(system).but({"epochs": search.epochs, **system.search(trial)})
    work = Work(search.recipe, chosen, search.seed, search.oversample, search.encoder)
    network = _networks(work)
    scores: list[float] = []
    for number, fold in enumerate(load(search)):
        best = 0.0
        run = f"trial-{trial.number:04d}", f"fold-{number + 1}"
        draw = board.curves(search.tensorboard, trial.study.study_name, *run)

        def watch(row: Epoch, number: int = number, draw: Callable[[Epoch], None] = draw) -> None:
            nonlocal best
            draw(row)
            best = max(best, row[search.metric])
            step = number * search.epochs + int(row["epoch"])
            trial.report(fmean([*scores, best]), step)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            trainer.fit(network(fold), fold, chosen.train, seed=search.seed, on_epoch=watch)
        except trainer.DivergedError as error:
            raise optuna.TrialPruned(str(error)) from error
        scores.append(best)
    trial.set_user_attr("folds", scores)
    return fmean(scores)


def _networks(work: Work) -> Callable[[Dataset], keras.Model]:
    """Return what gives a fold its untrained network.

    It is built for the first fold and set back for the others: that TensorFlow compiles a
    network takes as long as some epochs on a small corpus.
    """
    built: dict[tuple[int, ...], tuple[keras.Model, trainer.State]] = {}

    def network(fold: Dataset) -> keras.Model:
        if fold.shape in built:
            model, untrained = built[fold.shape]
            trainer.set_back(model, untrained)
            return model
        model = session.build(fold, work)
        built[fold.shape] = model, trainer.state(model)
        return model

    return network
