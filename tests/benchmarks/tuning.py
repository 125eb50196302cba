"""A study, and its trials once more: `python -m benchmarks.tuning study|replay TABLE FOLDER`.

`study` is what `ser tune` runs with its defaults: features from the cache, one compiled network a
trial, hopeless trials pruned, a worker a core. `replay` takes its settings trial by trial in one
process, which may use all cores, as scripts do: it computes the features anew for each trial,
builds a network for each fold, and runs every epoch. Both print seconds and the best dev UAR as
JSON, and the scores of complete trials.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import optuna

from ser_cli import process, recipes, workers
from ser_cli.jobs.training import TuneJob
from ser_cli.stages import tune
from ser_cli.training import search, session, settings, trainer
from ser_cli.training.session import Work

if TYPE_CHECKING:
    from ser_cli.types import Params

TRIALS, EPOCHS = 20, 10


def study(job: TuneJob, folder: Path) -> dict[str, Any]:
    """Run a study as the command does."""
    os.environ["SER_CACHE_DIR"] = str(folder / "cache")  # empty: what came before helps nobody
    start = time.perf_counter()
    found = tune.tune(job)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "best": found.best_value, "scores": _scores(_read(folder))}


def replay(job: TuneJob, folder: Path) -> dict[str, Any]:
    """Run the same trials without cache and pruning."""
    suggested = [trial.params for trial in _read(folder).trials]
    start = time.perf_counter()
    process.prepare()
    trainer.prepare(job.seed)
    scores = {number: _score(job, params) for number, params in enumerate(suggested)}
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "best": max(scores.values()), "scores": scores}


def _score(job: TuneJob, params: Params) -> float:
    """Return the mean over folds of the best epoch's dev UAR."""
    chosen = settings.resolve(recipes.get(job.recipe)).but({"epochs": job.epochs, **params})
    work = Work(job.recipe, chosen, job.seed)
    wanted = search.Search(
        recipe=job.recipe,
        folds=tune.fold_splits(job),
        metric=f"dev_{job.metric}",
        epochs=job.epochs,
        seed=job.seed,
    )
    search._loaded.clear()
    with TemporaryDirectory() as empty:
        os.environ["SER_CACHE_DIR"] = empty
        folds = search.load(wanted, jobs=job.workers)
        fits = [
            trainer.fit(session.build(fold, work), fold, chosen.train, seed=job.seed)
            for fold in folds
        ]
    return fmean(max(row["dev_uar"] for row in fit.history) for fit in fits)


def _storage(folder: Path) -> str:
    return f"sqlite:///{(folder / 'study.db').as_posix()}"


def _read(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=_storage(folder))


def _scores(done: optuna.Study) -> dict[int, float | None]:
    """Return the score of every complete trial."""
    return {t.number: t.value for t in done.trials if t.state.name == "COMPLETE"}


def main() -> None:
    kind, table, folder = sys.argv[1:]
    Path(folder).mkdir(exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    job = TuneJob(
        data=(table,),
        trials=TRIALS,
        epochs=EPOCHS,
        folder=Path(folder),
        storage=_storage(Path(folder)),
        workers=workers.CORES,
    )
    print(json.dumps({"study": study, "replay": replay}[kind](job, Path(folder))))


if __name__ == "__main__":
    main()
