"""Search a recipe's settings with Optuna: resumable, pruned, judged on unseen speakers."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ser_cli import recipes
from ser_cli.data import corpora, parts, select, splits
from ser_cli.data.store import write_text
from ser_cli.errors import DataError, UsageError
from ser_cli.model import artifacts, memory
from ser_cli.report import trials as study_report
from ser_cli.stages import train
from ser_cli.training import dataset, settings, studies, trainer

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import optuna

    from ser_cli.data.parts import Count
    from ser_cli.types import Dataset, Params, Progress, Recipe


METRICS = {"uar": "dev_uar", "accuracy": "dev_accuracy"}
SEARCH_SPLITS = ("speaker", "random")
POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Search:
    """What a study is about: two calls with equal fields go on with the same study.

    Attributes:
        data: What `corpora.load` takes.
        recipe: Its name.
        split: "speaker" for folds by speaker, "random" for one random split, as the reference
            notebook has it.
        folds: How many, for "speaker".
        metric: "uar" or "accuracy", of dev, the best epoch's.
        epochs: At most, per fold.
        copies: Augmented copies of each training clip: none, since each doubles the time. What
            is best without them is taken for best with them.
        seed: Of sampler, splits and trainings.
        selection: Which clips, and which more than once.
    """

    data: str
    recipe: str = recipes.DEFAULT
    split: str = "speaker"
    folds: int = 3
    metric: str = "uar"
    epochs: int = 10
    copies: int = 0
    seed: int = 0
    selection: select.Selection = select.ALL


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a study after `tune`: its best trial, what was written, dev of each fold."""

    study: str
    finished: int
    pruned: int
    best_value: float
    best_params: dict[str, Any]
    file: Path
    parts: dict[str, dict[str, Count]] = field(default_factory=dict)


def tune(
    search: Search,
    *,
    trials: int = 50,
    timeout: float | None = None,
    storage: str | None = None,
    folder: Path | None = None,
    workers: int = 1,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Found:
    """Run a study until it has so many finished trials in all, and write what it found.

    Args:
        search: The study.
        trials: Complete and pruned ones count, those of earlier calls too; a trial that a
            killed process left running does not.
        timeout: Seconds after which no new trial begins.
        storage: Optuna storage URL; None is an SQLite file in the cache folder.
        folder: Where best_hyperparameters.json, table and plots go; None: ./artifacts/<recipe>.
        workers: Processes that run trials side by side, one thread each.
        jobs: Processes that extract features.
        progress: Told finished trials and the best so far.

    Raises:
        SerError: The corpus or the options are wrong, or no trial was completed.
    """
    _check(search)
    folder = folder or artifacts.default_folder(search.recipe)
    folds = load_folds(search, jobs=jobs, progress=progress)
    name = study_name(search, folds)
    url = storage or studies.storage(name)
    study = studies.create(name, url, seed=search.seed)
    left = trials - len(study_report.finished(study))
    try:
        _search(
            search,
            name,
            url,
            folds,
            trials=trials,
            timeout=timeout,
            workers=max(1, min(workers, left)),
            progress=progress,
        )
    finally:
        if study_report.finished(study):
            study_report.write(study, folder)
    return replace(_write_best(study, search, folder), parts=parts.of_folds(folds))


def load_folds(
    search: Search, *, jobs: int = -1, progress: Progress | None = None
) -> tuple[Dataset, ...]:
    """Return the padded, scaled data of each fold; no fold has a test part."""
    system = recipes.get(search.recipe)
    clips = splits.tunable(select.load(search.data, search.selection, seed=search.seed))
    if search.split == "random":
        whole = splits.random_split(clips, search.seed)
        folds: tuple[splits.Split, ...] = (splits.Split(whole.train, whole.dev, (), leaky=True),)
    else:
        folds = splits.tuning_folds(clips, search.folds)
    read = partial(dataset.load, copies=search.copies, oversample=search.selection.oversample)
    loaded = [read(fold, system, seed=search.seed, jobs=jobs, progress=progress) for fold in folds]
    for sounds in loaded:  # some clips may not be readable
        parts.checked(sounds.split)
    # One length for all folds, so that one network fits them.
    frames = max(dataset.frames(sounds, system) for sounds in loaded)
    return tuple(dataset.assemble(sounds, system, frames=frames) for sounds in loaded)


def study_name(search: Search, folds: tuple[Dataset, ...]) -> str:
    """Return a name that two searches share only if they would try the same things."""
    place = "" if search.data in corpora.names() else str(Path(search.data).resolve())
    digest = hashlib.sha256(place.encode()).hexdigest()[:6] + "-" if place else ""
    clips = sum(len(fold.train.y) + len(fold.dev.y) for fold in folds)
    way = f"{search.split}{len(folds)}" if search.split == "speaker" else search.split
    way += "" if splits.dealt_in_turn([fold.dev.clips for fold in folds]) else "-by-emotion"
    copies = f"-copies{search.copies}" if search.copies else ""
    selected = "".join("-" + words.replace(" ", "_") for words in search.selection.words())
    version = recipes.get(search.recipe).version
    return (
        f"{search.recipe}-v{version}-{Path(search.data).stem}{digest}{clips}-{way}"
        f"-{search.metric}-epochs{search.epochs}{copies}{selected}-seed{search.seed}"
    )


def objective(trial: optuna.Trial, search: Search, folds: tuple[Dataset, ...]) -> float:
    """Return the mean dev score of a trial's settings over the folds, or prune it.

    Pruning looks after every epoch, at the mean of the finished folds' best epochs and the best
    so far of the running one.
    """
    import optuna

    system = recipes.get(search.recipe)
    chosen = {**system.defaults, "epochs": search.epochs, **system.search(trial)}
    network = _networks(system, chosen, search.seed)
    scores: list[float] = []
    for number, fold in enumerate(folds):
        best = 0.0

        def watch(row: dict[str, float], number: int = number) -> None:
            nonlocal best
            best = max(best, row[METRICS[search.metric]])
            step = number * search.epochs + int(row["epoch"])
            trial.report(fmean([*scores, best]), step)
            if trial.should_prune():
                raise optuna.TrialPruned

        trainer.fit(network(fold), fold.train, fold.dev, chosen, seed=search.seed, on_epoch=watch)
        scores.append(best)
    trial.set_user_attr("folds", scores)
    return fmean(scores)


def _networks(system: Recipe, chosen: Params, seed: int) -> Callable[[Dataset], keras.Model]:
    """Return what gives a fold its untrained network.

    It is built for the first fold and set back for the others: that TensorFlow compiles a
    network takes as long as some epochs on a small corpus.
    """
    built: dict[tuple[int, ...], tuple[keras.Model, trainer.State]] = {}

    def network(fold: Dataset) -> keras.Model:
        shape = (*fold.train.x.shape[1:], len(fold.preprocessor.classes))
        if shape in built:
            model, untrained = built[shape]
            trainer.set_back(model, untrained)
            return model
        model = train.build(fold, system, chosen, seed=seed)
        built[shape] = model, trainer.compiled(model, chosen)
        return model

    return network


def _search(
    search: Search,
    name: str,
    url: str,
    folds: tuple[Dataset, ...],
    *,
    trials: int,
    timeout: float | None,
    workers: int,
    progress: Progress | None,
) -> None:
    run = uuid.uuid4().hex
    if workers == 1:
        _work(search, name, url, trials, timeout, run, 0, folds, progress)
        return
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(
            target=_work, args=(search, name, url, trials, timeout, run, number), daemon=True
        )
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    study = studies.create(name, url, seed=search.seed)
    while alive := [process.sentinel for process in processes if process.is_alive()]:
        wait(alive, POLL_S)
        _tell(study, trials, progress)
    if any(process.exitcode for process in processes):
        raise DataError("a worker of the search died", hint="the same command goes on with it")


def _work(
    search: Search,
    name: str,
    url: str,
    trials: int,
    timeout: float | None,
    run: str,
    worker: int,
    folds: tuple[Dataset, ...] = (),
    progress: Progress | None = None,
) -> None:
    """Run trials until there are enough; in a process of its own, the folds come from the cache."""
    alone = bool(folds)
    memory.keep()
    trainer.prepare(search.seed, threads=0 if alone else 1)
    folds = folds or load_folds(search, jobs=1)
    deadline = None if timeout is None else time.monotonic() + timeout
    study = studies.create(name, url, seed=search.seed + worker)

    def attempt(trial: optuna.Trial) -> float:
        trial.set_user_attr("run", run)
        return objective(trial, search, folds)

    while not _enough(study, trials, run) and (deadline is None or time.monotonic() < deadline):
        study.optimize(attempt, n_trials=1)
        if alone:
            _tell(study, trials, progress)


def _enough(study: optuna.Study, trials: int, run: str) -> bool:
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    beside = len([trial for trial in running if trial.user_attrs.get("run") == run])
    return len(study_report.finished(study)) + beside >= trials


def _tell(study: optuna.Study, trials: int, progress: Progress | None) -> None:
    if progress is None:
        return
    finished = study_report.finished(study)
    values = [t.value for t in finished if t.state.name == "COMPLETE" and t.value is not None]
    best = f"best {100 * max(values):.1f} %" if values else "none complete yet"
    progress(len(finished), trials, best)


def _write_best(study: optuna.Study, search: Search, folder: Path) -> Found:
    finished = study_report.finished(study)
    complete = [trial for trial in finished if trial.state.name == "COMPLETE"]
    if not complete:
        raise DataError(
            f"the study {study.study_name} has no complete trial yet",
            hint="give it more time: the same command goes on with it",
        )
    best = study.best_trial
    file = folder / artifacts.HYPERPARAMETERS
    write_text(file, settings.to_json(best.params, settings_from=f"study {study.study_name}"))
    return Found(
        study=study.study_name,
        finished=len(finished),
        pruned=len(finished) - len(complete),
        best_value=study.best_value,
        best_params=dict(best.params),
        file=file,
    )


def _check(search: Search) -> None:
    checks = (("metric", search.metric, METRICS), ("split", search.split, SEARCH_SPLITS))
    for kind, name, known in checks:
        if name not in known:
            raise UsageError(f"there is no {kind} {name!r}", hint="known: " + ", ".join(known))
