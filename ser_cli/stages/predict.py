"""Audio files -> one row an emotion: `ser predict`.

A file that fails becomes a row that says why, and the others go on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ser_cli.errors import UsageError
from ser_cli.model.pipeline import Model
from ser_cli.sound.files import find

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.types import Prediction, Progress


SHORTEST_S = 0.05  # of window and step: less is no sound, and a hundred times the work
MANY = 128  # files, from which on starting more processes pays on two cores
CORES = os.cpu_count() or 1


def predict(
    paths: Sequence[str],
    artifacts: Artifacts,
    *,
    window: float | None = None,
    step: float | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Predict the emotion of every file that is named.

    A file longer than what the network hears at once is heard through overlapping windows,
    whose probabilities are averaged (flag "long"). Any other flag, from reading the file,
    makes the status "warning".

    Args:
        paths: Files, folders and patterns; see `sound.search.find`.
        artifacts: The trained system, read.
        window: Seconds; gives one row a window instead of one a file.
        step: Seconds from window to window, by default the window.
        jobs: Processes that do the work; 1 does it in this one. None takes one a core from
            MANY files on.
        progress: Told files done, files in all, and the file.

    Returns:
        Rows in the order of the input, as they are made.

    Raises:
        UsageError: The lengths of window and step make no sense.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    _check(window, step, jobs)
    model = Model(artifacts)
    plan = model.plan(window=window, step=step)
    # Looked through twice: a list of all names would grow with their number.
    total = sum(1 for _ in find(paths))
    jobs = min(jobs or (CORES if total >= MANY else 1), total)
    if jobs <= 1:
        return _rows(model.label(find(paths), plan), total, progress)
    from ser_cli.model import pool

    task = partial(pool.label_chunk, artifacts.folder, plan)
    return _rows(pool.label(find(paths), task, jobs), total, progress)


def _check(window: float | None, step: float | None, jobs: int | None) -> None:
    if step is not None and window is None:
        raise UsageError("a step needs a window", hint="--window SECONDS --step SECONDS")
    for name, seconds in (("window", window), ("step", step)):
        if seconds is not None and not SHORTEST_S <= seconds < math.inf:
            raise UsageError(f"the {name} must be at least {SHORTEST_S} s, not {seconds}")
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")


def _rows(
    labelled: Iterable[list[Prediction]], total: int, progress: Progress | None
) -> Iterator[Prediction]:
    for done, rows in enumerate(labelled, 1):
        yield from rows
        if progress:
            progress(done, total, rows[0].file)
