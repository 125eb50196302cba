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

from ser_cli import recipes
from ser_cli.model import memory
from ser_cli.stages import train, tune
from ser_cli.training import trainer

if TYPE_CHECKING:
    from ser_cli.types import Params

TRIALS, EPOCHS = 20, 10


def study(search: tune.Search, folder: Path) -> dict[str, Any]:
    """Run a study as the command does."""
    os.environ["SER_CACHE_DIR"] = str(folder / "cache")  # empty: what came before helps nobody
    start = time.perf_counter()
    found = tune.tune(
        search, trials=TRIALS, storage=_storage(folder), folder=folder, workers=os.cpu_count() or 1
    )
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "best": found.best_value, "scores": _scores(_read(folder))}


def replay(search: tune.Search, folder: Path) -> dict[str, Any]:
    """Run the same trials without cache and pruning."""
    settings = [trial.params for trial in _read(folder).trials]
    start = time.perf_counter()
    memory.keep()
    trainer.prepare(search.seed)
    scores = {number: _score(search, params) for number, params in enumerate(settings)}
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "best": max(scores.values()), "scores": scores}


def _score(search: tune.Search, params: Params) -> float:
    """Return the mean over folds of the best epoch's dev UAR."""
    recipe = recipes.get(search.recipe)
    chosen = {**recipe.defaults, "epochs": search.epochs, **params}
    with TemporaryDirectory() as empty:
        os.environ["SER_CACHE_DIR"] = empty
        folds = tune.load_folds(search)
    fits = [train.run(fold, recipe, chosen, seed=search.seed).fit for fold in folds]
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
    search = tune.Search(data=table, epochs=EPOCHS)
    print(json.dumps({"study": study, "replay": replay}[kind](search, Path(folder))))


if __name__ == "__main__":
    main()
