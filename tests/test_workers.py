"""Tasks side by side: in order, bounded, a crash costs its item; whatever executes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from ser_cli import process, workers
from ser_cli.errors import DataError
from ser_cli.workers import DIED, Outcome


def slow_first(item: int) -> int:
    """Take the longer the earlier an item comes."""
    time.sleep(max(0.0, 0.4 - 0.2 * item))
    return item * item


def fails_at_three(item: int) -> int:
    if item == 3:
        raise ValueError("three")
    return 10 * item


def dies_at_three(item: int) -> int:
    if item == 3:
        os._exit(1)
    return 10 * item


def refuses_three(item: int) -> int:
    if item == 3:
        raise DataError("three is wrong", hint="take four")
    return item


def where(_: int) -> int:
    return os.getpid()


def threads_of_numpy(_: int) -> str | None:
    return os.environ.get("OPENBLAS_NUM_THREADS")


class Recorded(Executor):
    """An executor as a cluster has one: what is submitted is done later, somewhere else."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []
        self.shut_down = False
        self._pool = ThreadPoolExecutor(2)

    def submit(self, fn: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        assert not self.shut_down
        self.submitted.append(given[-1])
        return self._pool.submit(fn, *given, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.shut_down = True
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    executor = Recorded()
    yield executor
    executor.shutdown()


def results(task: Callable[[int], Any], items: Sequence[int], **how: Any) -> list[Any]:
    return [found.result for found in workers.run(workers.one_by_one(task), items, **how)]


def counted(read: list[int]) -> Iterator[int]:
    """Yield numbers without end, and note each."""
    for number in count():
        read.append(number)
        yield number


@pytest.mark.parametrize("executor", [None, "threads"])
def test_results_come_in_the_order_of_the_items(executor: str | None) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(
            workers.run(
                workers.one_by_one(slow_first),
                range(6),
                workers=2,
                executor=pool if executor else None,
            )
        )
    assert found == [Outcome(item, item * item) for item in range(6)]


@pytest.mark.parametrize(("side_by_side", "chunk", "ahead"), [(2, 1, 2), (2, 3, 1), (3, 4, 0)])
def test_items_are_read_no_further_than_the_workers_are_ahead(
    side_by_side: int, chunk: int, ahead: int, recorded: Recorded
) -> None:
    read: list[int] = []
    bound = (1 + ahead) * side_by_side * chunk
    outcomes = workers.run(
        workers.one_by_one(float),
        counted(read),
        workers=side_by_side,
        chunk=chunk,
        ahead=ahead,
        executor=recorded,
    )
    for taken, outcome in enumerate(islice(outcomes, 40)):
        assert outcome.result == taken
        # Chunks that are done are handed on before others are read.
        assert len(read) <= bound + taken - taken % chunk
    assert len(read) >= 40
    outcomes.close()  # type: ignore[attr-defined]
    assert max(map(len, recorded.submitted)) == chunk


def test_without_a_worker_free_no_item_is_taken(recorded: Recorded) -> None:
    """A trial that nobody can begin yet is not yet decided upon."""
    read: list[int] = []
    release = threading.Event()

    def waits(item: int) -> int:
        release.wait(10)
        return item

    outcomes = workers.run(
        workers.one_by_one(waits), counted(read), workers=2, ahead=0, executor=recorded
    )
    release.set()
    assert next(outcomes).result == 0
    assert read == [0, 1]


@pytest.mark.parametrize("side_by_side", [1, 2])
@pytest.mark.parametrize("chunk", [1, 4])
def test_a_task_that_raises_costs_its_item_only(side_by_side: int, chunk: int) -> None:
    task = workers.one_by_one(fails_at_three)
    found = list(workers.run(task, range(8), workers=side_by_side, chunk=chunk))
    assert [outcome.item for outcome in found] == list(range(8))
    assert found[3] == Outcome(3, error="ValueError: three")
    assert [outcome.result for outcome in found if not outcome.error] == [0, 10, 20, 40, 50, 60, 70]


def test_what_failed_on_its_own_is_not_done_again() -> None:
    done: list[int] = []

    def fails(item: int) -> int:
        done.append(item)
        raise ValueError(item)

    assert results(fails, range(2)) == [None, None]
    assert done == [0, 1]
    done.clear()
    # In a chunk it is not known whose fault it was.
    assert results(fails, range(2), chunk=2) == [None, None]
    assert done == [0, 0, 1]


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_process_that_dies_costs_its_item_only(chunk: int) -> None:
    task = workers.one_by_one(dies_at_three)
    found = list(workers.run(task, range(8), workers=2, chunk=chunk))
    assert [outcome.item for outcome in found] == list(range(8))
    assert found[3] == Outcome(3, error=DIED)
    assert [outcome.result for outcome in found if not outcome.error] == [0, 10, 20, 40, 50, 60, 70]


@pytest.mark.parametrize("side_by_side", [1, 2])
@pytest.mark.parametrize("chunk", [1, 4])
def test_the_users_mistake_ends_the_run(side_by_side: int, chunk: int) -> None:
    outcomes = workers.run(
        workers.one_by_one(refuses_three), count(), workers=side_by_side, chunk=chunk
    )
    with pytest.raises(DataError, match="three is wrong") as raised:
        for outcome in outcomes:
            assert outcome.item < 3
    assert raised.value.hint == "take four"


def test_a_pool_of_threads_does_it_and_can_be_used_again() -> None:
    seen = []

    def thread(item: int) -> int:
        seen.append(threading.current_thread().name)
        return item

    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        assert results(thread, range(5), workers=2, executor=pool) == list(range(5))
        assert pool.submit(max, 3, 4).result() == 4  # it was not shut down
    assert all(name.startswith("mine") for name in seen)


@pytest.mark.parametrize("side_by_side", [1, 2])
def test_a_clusters_executor_gets_everything(side_by_side: int, recorded: Recorded) -> None:
    task = workers.one_by_one(fails_at_three)
    found = list(workers.run(task, range(7), workers=side_by_side, chunk=2, executor=recorded))
    assert [outcome.item for outcome in found] == list(range(7))
    assert [outcome.error for outcome in found] == [""] * 3 + ["ValueError: three"] + [""] * 3
    # Whole chunks, and the one that failed item by item.
    assert [s for s in recorded.submitted if len(s) > 1] == [[0, 1], [2, 3], [4, 5]]
    assert sorted(s[0] for s in recorded.submitted if len(s) == 1) == [2, 3, 6]
    assert not recorded.shut_down
    assert results(where, [1], executor=recorded) == [os.getpid()]


def test_a_run_that_is_left_early_leaves_the_given_executor_alone(recorded: Recorded) -> None:
    outcomes = workers.run(workers.one_by_one(float), count(), workers=2, executor=recorded)
    assert next(outcomes).result == 0
    outcomes.close()  # type: ignore[attr-defined]
    assert not recorded.shut_down


def test_items_may_stop_coming() -> None:
    """As those of a study do, once its time is over."""
    time_left = [True, True, False]

    def items() -> Iterator[int]:
        for number in count():
            if not time_left.pop(0):
                return
            yield number

    assert results(where, items(), ahead=0) == [os.getpid()] * 2  # type: ignore[arg-type]
    assert not time_left
    assert results(where, []) == []


def test_one_worker_works_in_this_process_and_several_do_not() -> None:
    assert results(where, range(3)) == [os.getpid()] * 3
    others = results(where, range(3), workers=2)
    assert os.getpid() not in others and len(set(others)) <= 2


def test_one_worker_does_an_item_when_it_is_asked_for() -> None:
    done: list[int] = []
    outcomes = workers.run(workers.one_by_one(done.append), counted([]))
    assert not done
    next(outcomes)
    assert done == [0]


def test_a_task_may_do_a_chunk_at_once() -> None:
    sizes: list[int] = []

    def together(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [item + sum(items) for item in items]

    found = [outcome.result for outcome in workers.run(together, range(5), chunk=2)]
    assert found == [1, 2, 7, 8, 8] and sizes == [2, 2, 1]


def test_processes_that_train_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert results(threads_of_numpy, [0], workers=2, trains=True) == ["1"]
    assert results(threads_of_numpy, [0], workers=2) == [None]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal")
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3])
def test_only_the_first_process_hears_ctrl_c(seconds: float) -> None:
    """Whether the others are starting or at work."""
    code = (
        "import time\nfrom ser_cli import workers\n"
        "def items():\n    for _ in range(9):\n        print('taken', flush=True); yield 30\n"
        "if __name__ == '__main__':\n"
        "    try:\n        list(workers.run(workers.one_by_one(time.sleep), items(), workers=2))\n"
        "    except KeyboardInterrupt:\n        print('heard', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as started:
        assert started.stdout
        for _ in range(3):
            started.stdout.readline()
        time.sleep(seconds)
        os.killpg(started.pid, signal.SIGINT)
        out, err = started.communicate(timeout=20)
    assert out.endswith("heard\n") and err == ""
    assert started.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when the library returns")
def test_a_worker_that_a_library_holds_ends_with_its_parent(tmp_path: Path) -> None:
    """As the loading of TensorFlow does, which no thread of Python can interrupt."""
    script = tmp_path / "held.py"
    script.write_text(
        "import ctypes, os\nfrom ser_cli import workers\n"
        "def held(_):\n    os.write(1, b'%d\\n' % os.getpid()); ctypes.PyDLL(None).sleep(30)\n"
        "if __name__ == '__main__':\n"
        "    list(workers.run(workers.one_by_one(held), range(2), workers=2))\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env) as started:
        assert started.stdout
        held = [int(started.stdout.readline()) for _ in range(2)]
        started.kill()
    until = time.monotonic() + 10.0
    while any(map(process.is_alive, held)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(process.is_alive, held))
