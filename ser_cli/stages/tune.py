"""Search a recipe's settings with Optuna: resumable, pruned, judged on unseen speakers."""

from __future__ import annotations

import hashlib
import math
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import workers
from ser_cli.addresses import is_url
from ser_cli.data import corpora, parts, select, splits
from ser_cli.data.splits import Split
from ser_cli.data.store import need_folder, write_text
from ser_cli.errors import DataError, without_password
from ser_cli.jobs.training import SearchSplit
from ser_cli.model import artifacts
from ser_cli.remarks import counted
from ser_cli.report import trials as trials_report

if TYPE_CHECKING:
    import optuna

    from ser_cli.data.parts import Count
    from ser_cli.jobs.training import TuneJob
    from ser_cli.training.search import Search
    from ser_cli.training.storages import Storage
    from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class TuneResult:
    """The state of a study after `tune`: its best trial, what was written, dev of each fold."""

    study: str
    finished: int
    pruned: int
    best_value: float
    best_params: dict[str, Any]
    file: Path
    parts: dict[str, dict[str, Count]]


@dataclass(frozen=True, slots=True)
class Shown:
    """How far a study is, where it is kept (no password), and what opens Optuna Dashboard on it."""

    study: str
    storage: str
    trials: dict[str, int]
    best_value: float | None
    dashboard: str


def tune(
    job: TuneJob, *, progress: Progress | None = None, say: Callable[[str], None] | None = None
) -> TuneResult:
    """Run a study until it has so many finished trials in all, and write what it found.

    Complete and pruned trials count, those of earlier calls and of other processes too; one that
    a killed process left running does not.

    Args:
        job: The study. Two calls whose fields are equal, but for how long and with how many
            workers, work on the same study.
        progress: Told of features, then finished trials and the best so far.
        say: Told how long it will take.

    Raises:
        SerError: The corpus or the options are wrong, the study is about others, or no trial was
            completed.
    """
    folder = job.folder or artifacts.default_folder(job.recipe)
    need_folder(folder)
    folds = fold_splits(job)

    from ser_cli.training import board, search, storages, studies

    board.check(job.tensorboard)
    name = job.study or study_name(job, folds)
    url = storages.url(name, job.storage)
    study = studies.create(name, storages.opened(url), seed=job.seed)
    wanted = _wanted(job, folds)
    facts = search.about(wanted)
    with storages.usable(url):
        studies.check(study, facts, named=bool(job.study))
        # In this process first: the others find all features in the cache.
        search.load(wanted, jobs=job.workers, progress=progress)
        studies.bind(study, facts | search.about_clips(wanted), named=bool(job.study))
        done = len(trials_report.finished(study))
        if say and done >= job.trials:
            say(
                f"the study {name} has {counted(done, 'trial')} already: none is run; "
                "a higher --trials continues it, another --study begins anew"
            )
        try:
            _run(job, wanted, study, url, progress, say)
        finally:
            if trials_report.finished(study):
                objective = "dev accuracy" if job.metric == "accuracy" else "dev UAR"
                trials_report.write(study, folder, objective=objective)
        return _result(job, study, folds, folder)


def show(job: TuneJob) -> Shown:
    """Look at a study, and change nothing.

    Raises:
        SerError: The corpus or the options are wrong, or there is no such study.
    """
    name = job.study or study_name(job, fold_splits(job))

    from ser_cli.training import storages, studies

    url = storages.url(name, job.storage)
    with storages.usable(url):
        study = studies.found(name, storages.opened(url, make=False))
        trials = study.get_trials(deepcopy=False)
        values = [t.value for t in trials if t.state.name == "COMPLETE" and t.value is not None]
    shown = without_password(url)
    return Shown(
        study=name,
        storage=shown,
        trials=dict(Counter(trial.state.name.lower() for trial in trials)),
        best_value=max(values, default=None),
        dashboard=shlex.join(["optuna-dashboard", shown]),
    )


def fold_splits(job: TuneJob) -> tuple[Split, ...]:
    """Return the folds of a study; none has a test part.

    Raises:
        SerError: The corpus or the options are wrong, or a part would lack an emotion.
    """
    clips = select.choose(job.clips(), job.selection, seed=job.seed)
    if job.split == SearchSplit.random:
        whole = splits.random_split(splits.tunable(clips), job.seed)
        return (Split(whole.train, whole.dev, (), leaky=True),)
    return splits.tuning_folds(clips, job.folds)


def _place(item: str) -> str:
    """Return what is meant by a name, wherever one starts from."""
    return item if is_url(item) else str(Path(item).resolve())


def study_name(job: TuneJob, folds: tuple[Split, ...]) -> str:
    """Return a name that two jobs share only if they would try the same things."""
    places = [_place(item) for item in job.corpora if item not in corpora.names()]
    digest = hashlib.sha256("\n".join(places).encode()).hexdigest()[:6] + "-" if places else ""
    data = "+".join(Path(item).stem for item in job.corpora)
    learned = [
        fold.train + select.repeats(fold.train, job.selection.oversample, seed=job.seed)
        for fold in folds
    ]
    clips = sum(len(train) * (1 + job.copies) for train in learned)
    clips += sum(len(fold.dev) for fold in folds)
    way = f"{job.split}{len(folds)}" if job.split == SearchSplit.speaker else str(job.split)
    way += "" if splits.dealt_in_turn([fold.dev for fold in folds]) else "-by-emotion"
    copies = f"-copies{job.copies}" if job.copies else ""
    selected = "".join("-" + words.replace(" ", "_") for words in job.selection.describe())
    version = job.system.frontend.version
    own = f"-{job.encoder.stem}{job.system.frontend.fingerprint()[:6]}" if job.encoder else ""
    return (
        f"{job.recipe}{own}-v{version}-{data}{digest}{clips}-{way}"
        f"-{job.metric}-epochs{job.epochs}{copies}{selected}-seed{job.seed}"
    )


def as_record(result: TuneResult | Shown) -> dict[str, Any]:
    """Return the result as plain values, for JSON."""
    files = {"file": str(result.file)} if isinstance(result, TuneResult) else {}
    return {**asdict(result), **files}


def _wanted(job: TuneJob, folds: tuple[Split, ...]) -> Search:
    from ser_cli.training.search import Search

    return Search(
        recipe=job.recipe,
        folds=folds,
        metric=f"dev_{job.metric}",
        epochs=job.epochs,
        copies=job.copies,
        oversample=job.selection.oversample,
        seed=job.seed,
        encoder=job.encoder,
        tensorboard=job.tensorboard,
    )


def _run(
    job: TuneJob,
    wanted: Search,
    study: optuna.Study,
    url: str,
    progress: Progress | None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Run one trial per item; a trial is begun only while there is time and need."""
    done = len(trials_report.finished(study))
    side_by_side = max(1, min(job.workers, job.trials - done))
    threads = 0 if side_by_side == 1 else 1
    if say and done < job.trials:
        _foretell(job, wanted, say, trials=job.trials - done, side_by_side=side_by_side)
        _tell(study, job.trials, progress)
    task = partial(_trial, wanted, study.study_name, url, job.trials, threads)
    turns = _turns(study, job.trials, math.inf if job.timeout is None else job.timeout)
    for _ in workers.train(task, turns, workers=side_by_side, named=lambda _: "a trial"):
        _tell(study, job.trials, progress)


def _foretell(
    job: TuneJob, wanted: Search, say: Callable[[str], None], *, trials: int, side_by_side: int
) -> None:
    """Say how long the trials take, after some steps with the recipe's own settings."""
    from ser_cli.training import pace, search

    tell = pace.teller(
        say,
        trainings=trials * len(wanted.folds),
        side_by_side=side_by_side,
        what=counted(trials, "trial"),
        limit=job.timeout,
    )
    search.time_steps(wanted, tell, threads=0 if side_by_side == 1 else 1)


def _turns(study: optuna.Study, trials: int, seconds: float) -> Iterator[float]:
    """Yield the seconds that are left, while there are any and trials are to be finished."""
    deadline = time.monotonic() + seconds
    while len(trials_report.finished(study)) < trials:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        yield left


def _trial(wanted: Search, name: str, url: str, trials: int, threads: int, seconds: float) -> None:
    """Run one trial, in whatever process; its data and study are kept for the next."""
    from ser_cli.training import claims, search, storages

    with storages.usable(url):
        study, storage = _study(name, url, wanted.seed)
        search.prepare(wanted, threads)
        objective = partial(search.objective, wanted)
        claims.run_next(study, storage, objective, trials=trials, seconds=seconds)


@lru_cache(maxsize=1)
def _study(name: str, url: str, seed: int) -> tuple[optuna.Study, Storage]:
    from ser_cli.training import storages, studies

    storage = storages.opened(url)
    return studies.create(name, storage, seed=seed), storage


def _tell(study: optuna.Study, trials: int, progress: Progress | None) -> None:
    if progress is None:
        return
    finished = trials_report.finished(study)
    values = [t.value for t in finished if t.state.name == "COMPLETE" and t.value is not None]
    best = f"best {100 * max(values):.1f} %" if values else "none complete yet"
    progress(len(finished), trials, best, "trials")


def _result(
    job: TuneJob, study: optuna.Study, folds: tuple[Split, ...], folder: Path
) -> TuneResult:
    from ser_cli.training import settings

    finished = trials_report.finished(study)
    complete = [trial for trial in finished if trial.state.name == "COMPLETE"]
    if not complete:
        raise DataError(
            f"the study {study.study_name} has no complete trial yet",
            hint="give it more time: the same command resumes it",
        )
    params = dict(study.best_trial.params)
    file = folder / artifacts.HYPERPARAMETERS
    write_text(file, settings.to_json(params, settings_from=f"study {study.study_name}"))
    emotions = sorted({clip.emotion for fold in folds for clip in fold.train + fold.dev})
    return TuneResult(
        study=study.study_name,
        finished=len(finished),
        pruned=len(finished) - len(complete),
        best_value=study.best_value,
        best_params=params,
        file=file,
        parts=parts.of_folds([fold.dev for fold in folds], emotions),
    )
