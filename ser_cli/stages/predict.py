"""Audio files -> one row an emotion: `ser predict`.

Decoding and features are prepared file by file, in this process or in several; the network
runs here. A file that fails becomes a row that says why, and the others go on.
"""

from __future__ import annotations

import math
import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.errors import UsageError
from ser_cli.model import artifacts as store
from ser_cli.model.predictor import Model, Plan, Prepared, prepare
from ser_cli.sound.search import Found, find

if TYPE_CHECKING:
    from ser_cli.types import Prediction, Progress


SHORTEST_S = 0.05  # of window and step: less is no sound, and a hundred times the work
IN_FLIGHT = 2  # files a worker may be ahead: none idles, and memory stays bounded


def predict(
    paths: Sequence[str],
    *,
    artifacts: Path | None = None,
    recipe: str = recipes.DEFAULT,
    window: float | None = None,
    step: float | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Predict the emotion of every file that is named.

    A file longer than what the network hears at once is heard through overlapping windows,
    whose probabilities are averaged (flag "long"). Any other flag, from reading the file,
    makes the status "warning".

    Args:
        paths: Files, folders and patterns; see `sound.search.find`.
        artifacts: Folder of the trained model; see `model.artifacts.resolve`.
        recipe: Whose model is taken where no folder is given.
        window: Seconds; gives one row a window instead of one a file.
        step: Seconds from window to window, by default the window.
        jobs: Processes that decode and make features; 1 does it in this one.
        progress: Told files done, files in all, and the file.

    Returns:
        Rows in the order of the input, as they are made.

    Raises:
        UsageError: The lengths of window and step make no sense.
        ArtifactsError: There is no usable model.
    """
    _check(window, step, jobs)
    model = Model(store.resolve(artifacts, recipe=recipe))
    found = list(find(paths))
    return _rows(model, found, model.plan(window=window, step=step), jobs, progress)


def columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of `as_record`."""
    return ("file", "start", "end", "emotion", "confidence", *classes, "status", "flags", "error")


def as_record(prediction: Prediction, classes: Sequence[str]) -> dict[str, str | float | None]:
    """Return a row as plain values for CSV and JSON: None for what is not known.

    Args:
        prediction: The row.
        classes: Names of its probabilities.
    """
    known = prediction.probabilities
    shares = [math.nan] * len(classes) if known is None else known.tolist()
    values = (
        prediction.file,
        _rounded(prediction.start),
        _rounded(prediction.end),
        prediction.emotion,
        _rounded(prediction.confidence),
        *map(_rounded, shares),
        prediction.status,
        ";".join(prediction.flags),
        prediction.error,
    )
    return dict(zip(columns(classes), values, strict=True))


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def _check(window: float | None, step: float | None, jobs: int) -> None:
    if step is not None and window is None:
        raise UsageError("a step needs a window", hint="--window SECONDS --step SECONDS")
    for name, seconds in (("window", window), ("step", step)):
        if seconds is not None and not SHORTEST_S <= seconds < math.inf:
            raise UsageError(f"the {name} must be at least {SHORTEST_S} s, not {seconds}")
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")


def _rows(
    model: Model, found: Sequence[Found], plan: Plan, jobs: int, progress: Progress | None
) -> Iterator[Prediction]:
    for done, (item, prepared) in enumerate(_prepare_all(found, plan, jobs), 1):
        yield from model.finish(item.file, prepared)
        if progress:
            progress(done, len(found), item.file)


def _prepare_all(found: Sequence[Found], plan: Plan, jobs: int) -> Iterator[tuple[Found, Prepared]]:
    jobs = min(jobs, len(found))
    if jobs <= 1:
        yield from ((item, prepare(item, plan)) for item in found)
        return
    waiting: deque[tuple[Found, Future[Prepared]]] = deque()
    workers = _Workers(jobs)
    try:
        for item in found:
            waiting.append((item, workers.submit(item, plan)))
            if len(waiting) > IN_FLIGHT * jobs:
                yield _collect(*waiting.popleft(), plan)
        while waiting:
            yield _collect(*waiting.popleft(), plan)
    finally:
        workers.stop()


def _collect(item: Found, future: Future[Prepared], plan: Plan) -> tuple[Found, Prepared]:
    return item, _result(future) or _prepare_alone(item, plan)


def _prepare_alone(item: Found, plan: Plan) -> Prepared:
    """Try a file again in a process of its own.

    A worker that dies takes the work of all others with it; alone, only the culprit fails.
    """
    workers = _Workers(1)
    died = Prepared(error=f"{item.file}: the process that read it died (out of memory?)")
    try:
        return _result(workers.submit(item, plan)) or died
    finally:
        workers.stop()


def _result(future: Future[Prepared]) -> Prepared | None:
    """Return what a worker sent, None if it died."""
    try:
        return future.result()
    except BrokenProcessPool:
        return None
    except Exception as error:  # its answer could not travel
        return Prepared(error=f"{type(error).__name__}: {error}")


class _Workers:
    """Processes that prepare files. They are spawned: a fork would copy locks of threads."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = self._new()

    def submit(self, item: Found, plan: Plan) -> Future[Prepared]:
        try:
            return self._pool.submit(prepare, item, plan)
        except BrokenProcessPool:
            self._pool = self._new()
            return self._pool.submit(prepare, item, plan)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._jobs, mp_context=multiprocessing.get_context("spawn"))
