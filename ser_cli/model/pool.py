"""Processes that label files side by side: in order, and with bounded memory."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.errors import SerError
from ser_cli.model import artifacts
from ser_cli.model.pipeline import Model, Plan, failed
from ser_cli.sound.files import Found

if TYPE_CHECKING:
    from ser_cli.types import Prediction

    Rows = list[Prediction]
    # A chunk of files -> the rows of each.
    Task = Callable[[Sequence[Found]], list[Rows]]

CHUNK = 8  # files that travel to a worker together
AHEAD = 2  # chunks a worker may be ahead: none idles, and memory stays bounded


def label_chunk(folder: Path, plan: Plan, chunk: Sequence[Found]) -> list[Rows]:
    """Label some files in a worker, which loads the model with its first chunk."""
    return list(_model(folder).label(chunk, plan))


def label(items: Iterable[Found], task: Task, jobs: int) -> Iterator[Rows]:
    """Yield the rows of each file, in order.

    A worker that dies takes the chunks of all others with it: their files are tried again one
    by one, so that only the culprit becomes an error.

    Args:
        items: Files.
        task: What a worker does with a chunk; it must be picklable.
        jobs: Workers.

    Raises:
        SerError: A worker cannot load the model.
    """
    waiting: deque[tuple[list[Found], Future[list[Rows]]]] = deque()
    workers = _Workers(jobs)
    items = iter(items)
    try:
        while chunk := list(islice(items, CHUNK)):
            waiting.append((chunk, workers.submit(task, chunk)))
            if len(waiting) > AHEAD * jobs:
                yield from _collect(*waiting.popleft(), task)
        while waiting:
            yield from _collect(*waiting.popleft(), task)
    finally:
        workers.stop()


@lru_cache(maxsize=1)
def _model(folder: Path) -> Model:
    return Model(artifacts.load(folder))


def _collect(chunk: list[Found], future: Future[list[Rows]], task: Task) -> Iterable[Rows]:
    try:
        return future.result()
    except SerError:
        raise
    except Exception:  # a worker died, or its answer could not travel
        return _one_by_one(chunk, task)


def _one_by_one(chunk: list[Found], task: Task) -> Iterator[Rows]:
    workers = _Workers(1)
    try:
        for item in chunk:
            yield _alone(item, task, workers)
    finally:
        workers.stop()


def _alone(item: Found, task: Task, workers: _Workers) -> Rows:
    try:
        return workers.submit(task, [item]).result()[0]
    except BrokenProcessPool:
        reason = "the process that read it died (out of memory?)"
    except Exception as error:  # one file must not end a run over thousands
        reason = f"{type(error).__name__}: {error}"
    return [failed(item.file, f"{item.file}: {reason}")]


class _Workers:
    """They are spawned: a fork would copy locks of threads."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = self._new()

    def submit(self, task: Task, chunk: list[Found]) -> Future[list[Rows]]:
        try:
            return self._pool.submit(task, chunk)
        except BrokenProcessPool:
            self._pool = self._new()
            return self._pool.submit(task, chunk)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._jobs, mp_context=multiprocessing.get_context("spawn"))
