"""The one way to run tasks in parallel: in order, bounded in memory, a crash costs its item.

Processes are spawned, not forked (a fork would copy the locks of threads). Any other
`concurrent.futures.Executor` serves as well: a pool of threads, or a cluster's.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ser_cli import ending, process
from ser_cli.errors import DataError, SerError

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")
R = TypeVar("R")
Task = Callable[[Sequence[T]], Sequence[R]]  # results of some items, in their order

CORES = os.cpu_count() or 1
AHEAD = 2  # chunks waiting per worker: none idles, and memory stays bounded
DIED = "the process that worked on it died (out of memory?)"


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T, R]):
    """What became of an item: its result, or why there is none."""

    item: T
    result: R | None = None
    error: str = ""


def one_by_one(task: Callable[[T], R]) -> Task[T, R]:
    """Return a task that does one item after the other; picklable if the given one is."""
    return partial(_map, task)


def run(
    task: Task[T, R],
    items: Iterable[T],
    *,
    workers: int = 1,
    chunk: int = 1,
    ahead: int = AHEAD,
    ordered: bool = True,
    executor: Executor | None = None,
    trains: bool = False,
) -> Iterator[Outcome[T, R]]:
    """Yield what a task makes of each item.

    What a task raises becomes an error of the item, except a SerError, which is the user's to
    mend and ends the run. A chunk that failed is tried again item by item; so is that of a
    worker that died, which takes the chunks of all others with it.

    Args:
        task: Does a chunk of items; see `one_by_one`. Picklable where it runs in other processes.
        items: Read no further than the workers are ahead.
        workers: Processes; 1 works in this one. An executor that has a `width` says by that, from
            chunk to chunk, how many it has.
        chunk: Items that travel to a worker together.
        ahead: Chunks waiting per worker. With 0, an item is taken only when a worker is free.
        ordered: Whether results come in the order of the items; else as they are done, so that
            no worker idles while the first of long tasks goes on.
        executor: Runs the chunks instead of processes of our own; it is not shut down.
        trains: Whether the processes are to be prepared for training.

    Raises:
        SerError: A task raised it.
    """
    pool = _Pool(workers, executor, trains=trains, here=executor is None and workers <= 1)
    items, waiting = iter(items), deque[tuple[list[T], Any]]()
    try:
        while True:
            while len(waiting) < (1 + ahead) * pool.width and (taken := list(islice(items, chunk))):
                waiting.append((taken, pool.submit(task, taken)))
            if not waiting:
                return
            if not ordered:
                pool.bring_forward(waiting)
            taken, future = waiting.popleft()
            yield from _settled(pool, task, taken, future)
    except BaseException:
        pool.kill()  # an interrupted run does not wait for hours of training
        raise
    finally:
        pool.stop()


def train(
    task: Callable[[T], None], items: Iterable[T], *, workers: int, named: Callable[[T], str]
) -> Iterator[T]:
    """Run trainings side by side and yield the item of each as it ends.

    Args:
        task: One training; picklable.
        items: Each taken only when a worker is free.
        workers: Processes; 1 works in this one.
        named: Names an item, for the message if it fails.

    Raises:
        DataError: One failed.
        SerError: A task raised it.
    """
    each = one_by_one(task)
    for outcome in run(each, items, workers=workers, ahead=0, ordered=False, trains=True):
        if outcome.error:
            raise DataError(
                f"{named(outcome.item)} failed: {outcome.error}",
                hint="the same command resumes; --workers 1 needs less memory",
            )
        yield outcome.item


def _map(task: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [task(item) for item in items]


def _settled(pool: _Pool, task: Task[T, R], items: list[T], future: Any) -> Iterator[Outcome[T, R]]:
    """Yield the outcomes of a chunk; where it failed, those of its items one by one."""
    try:
        results = future.result()
    except SerError:
        raise
    except Exception as error:
        ending.end_if_asked()
        if len(items) == 1 and not _died(error):  # it would only fail again
            yield Outcome(items[0], error=_reason(error))
            return
        yield from (_alone(pool, task, item) for item in items)
    else:
        yield from map(Outcome, items, results)


def _alone(pool: _Pool, task: Task[T, R], item: T) -> Outcome[T, R]:
    try:
        (result,) = pool.alone(task, [item])
    except SerError:
        raise
    except Exception as error:  # one item must not end a run over thousands
        ending.end_if_asked()
        return Outcome(item, error=_reason(error))
    return Outcome(item, result)


def _reason(error: Exception) -> str:
    return DIED if _died(error) else f"{type(error).__name__}: {error}"


def _died(error: Exception) -> bool:
    from concurrent.futures import BrokenExecutor

    return isinstance(error, BrokenExecutor)


class _Pool:
    """Where chunks are done: processes, made anew when they break; a given executor; or here."""

    def __init__(
        self, workers: int, executor: Executor | None, *, trains: bool, here: bool = False
    ) -> None:
        self._workers, self._given, self._trains = workers, executor, trains
        self._here = here
        self._own: Executor | None = None
        self._others: set[int | None] = set()

    @property
    def width(self) -> int:
        """Chunks that can be done at once."""
        return int(getattr(self._given, "width", self._workers))

    def submit(self, task: Task[T, R], items: list[T]) -> Any:
        """Return what has the results of a chunk, or will have them."""
        if self._here:
            return _Later(task, items)
        from concurrent.futures import BrokenExecutor

        with _deaf():
            try:
                return self._executor().submit(task, items)
            except BrokenExecutor:
                if self._given:
                    raise
                self._own = None
                return self._executor().submit(task, items)

    def alone(self, task: Task[T, R], items: list[T]) -> Sequence[R]:
        """Return the results of items run alone, so that a crash takes no others along."""
        single = _Pool(1, self._given, trains=self._trains, here=self._here)
        try:
            results: Sequence[R] = single.submit(task, items).result()
            return results
        finally:
            single.stop()

    def bring_forward(self, waiting: deque[tuple[list[T], Any]]) -> None:
        """Put a chunk that is done, once there is one, before all others."""
        from concurrent.futures import FIRST_COMPLETED, wait

        if not self._here:
            done = wait([future for _, future in waiting], return_when=FIRST_COMPLETED).done
            first = next(place for place, (_, future) in enumerate(waiting) if future in done)
            waiting.rotate(-first)

    def stop(self) -> None:
        if self._own:
            self._own.shutdown(wait=False, cancel_futures=True)

    def kill(self) -> None:
        """End the processes that were started here, whatever they do."""
        from multiprocessing import active_children

        for child in active_children() if self._own else []:
            if child.pid not in self._others:
                child.terminate()
        if self._own:  # what looks after them would else still do so while Python ends
            self._own.shutdown(cancel_futures=True)

    def _executor(self) -> Executor:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import active_children, get_context

        if self._given:
            return self._given
        if self._own is None:
            self._others = {child.pid for child in active_children()}
            prepare = process.prepare if self._trains else None
            self._own = ProcessPoolExecutor(self._workers, get_context("spawn"), _begin, (prepare,))
        return self._own


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, which a terminal sends to all of a command.

    The first of them hears it, once the block ends, and ends the others; each of them would only
    add a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: they become deaf when they have begun
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which would let signals through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(prepare: Callable[[], None] | None) -> None:
    """Prepare a worker process, and let it end with the process that started it."""
    from multiprocessing import parent_process
    from threading import Thread

    ending.ignore_interrupts()
    process.end_with_parent()
    if prepare:
        prepare()

    def follow() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    Thread(target=follow, daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Later:
    """A chunk that is done in this process, when its results are asked for."""

    task: Callable[..., Any]
    items: Sequence[Any]

    def result(self) -> Any:
        return self.task(self.items)
