"""Audio files -> one row per file, or per window: `ser predict`.

A file that fails becomes a row that states why, and the others continue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.errors import UsageError
from ser_cli.model import artifacts
from ser_cli.model.pipeline import Model
from ser_cli.model.windows import failed
from ser_cli.sound.files import find

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.jobs.trained import PredictJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.windows import Plan
    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction, Progress

    Rows = list[Prediction]

SHORTEST_S = 0.05  # of window and step: less is no sound, and a hundred times the work
MANY = 128  # files, from which on starting more processes pays on two cores
CHUNK = 8  # files that travel to a worker together


def predict(
    job: PredictJob,
    trained: Artifacts,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Predict the emotion of every file that is named.

    A file longer than what the network takes at once is cut into overlapping windows,
    whose probabilities are averaged (flag "long"). Any other flag, from reading the file,
    makes the status "warning".

    Args:
        job: Files, folders and patterns (see `sound.files.find`), and what a row is.
        trained: The trained system, read.
        executor: Does the work instead of processes of its own.
        progress: Told files done, files in all, and the file.

    Returns:
        Rows in the order of the input, as they are made.

    Raises:
        UsageError: The lengths of window and step make no sense.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    _check(job.window, job.step)
    model = Model(trained)
    plan = model.plan(window=job.window, step=job.step)
    # Looked through twice: a list of all names would grow with their number.
    total = sum(1 for _ in find(job.paths))
    jobs = min(job.jobs or (workers.CORES if total >= MANY else 1), total)
    if jobs <= 1 and executor is None:
        return _told(model.label(find(job.paths), plan), total, progress)
    task = partial(_label, trained.folder, plan)
    found = workers.run(
        task,
        find(job.paths),
        workers=jobs if executor is None else job.jobs or workers.CORES,
        chunk=CHUNK,
        executor=executor,
    )
    return _told(
        (one.result or [failed(one.item.file, f"{one.item.file}: {one.error}")] for one in found),
        total,
        progress,
    )


def _label(folder: Path, plan: Plan, chunk: Sequence[Found]) -> list[Rows]:
    """Label some files in a worker, which loads the model with its first chunk."""
    return list(_model(folder).label(chunk, plan))


@lru_cache(maxsize=1)
def _model(folder: Path) -> Model:
    return Model(artifacts.load(folder))


def _check(window: float | None, step: float | None) -> None:
    if step is not None and window is None:
        raise UsageError("a step needs a window", hint="--window SECONDS --step SECONDS")
    for name, seconds in (("window", window), ("step", step)):
        if seconds is not None and not SHORTEST_S <= seconds < math.inf:
            raise UsageError(f"the {name} must be at least {SHORTEST_S} s, not {seconds}")


def _told(labelled: Iterable[Rows], total: int, progress: Progress | None) -> Iterator[Prediction]:
    for done, rows in enumerate(labelled, 1):
        yield from rows
        if progress:
            progress(done, total, rows[0].file)
