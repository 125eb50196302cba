"""What a process that trains frees is there for its next step, whatever thread asks."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from ser_cli import workers

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")

# Pages that a new thread fetches for an array as large as the one just freed, when other threads
# have come and gone before, as those do that look features up.
FAULTS = """
import resource
from concurrent.futures import ThreadPoolExecutor
def fetched():
    faults = []
    for _ in range(3):
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        b"x" * 100_000_000
    return faults[2] - faults[1]
def in_new_thread():
    with ThreadPoolExecutor(4) as before:
        list(before.map(lambda size: b"x" * size, range(1000)))
    with ThreadPoolExecutor(1) as training:
        return training.submit(fetched).result()
"""
PAGES = 100_000_000 // 4096
MAIN = """
import typer
from ser_cli import __main__
typer.Typer.__call__ = lambda app: print(in_new_thread())  # instead of the command
__main__.main()
"""


def faults(code: str, *words: str) -> int:
    command = [sys.executable, "-c", FAULTS + code, *words]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.parametrize("command", ["train", "tune", "evaluate"])
def test_a_command_that_trains_does_not_fetch_the_same_memory_again(command: str) -> None:
    assert faults(MAIN, command, "--seed", "1") < 0.1 * PAGES


def test_other_commands_give_it_back() -> None:
    assert faults(MAIN, "eda") > 0.9 * PAGES


def _in_new_thread(_: int) -> int:
    made: dict[str, object] = {}
    exec(FAULTS, made)
    return int(made["in_new_thread"]())  # type: ignore[operator]


@pytest.mark.parametrize("trains", [True, False])
def test_processes_that_train_keep_it_too(trains: bool) -> None:
    task = workers.one_by_one(_in_new_thread)
    (outcome,) = workers.run(task, [0], workers=2, trains=trains)
    assert outcome.result is not None and not outcome.error
    assert outcome.result < 0.1 * PAGES if trains else outcome.result > 0.9 * PAGES


@pytest.mark.parametrize(("command", "usual"), [("predict", False), ("eda", False), ("tune", True)])
def test_only_a_command_that_trains_looks_for_cycles_as_often_as_python_does(
    command: str, usual: bool
) -> None:
    code = """
import atexit, gc
import typer
from ser_cli import __main__
usual = gc.get_threshold()
atexit.register(lambda: print(gc.get_freeze_count() > 0))  # the first registered is the last
typer.Typer.__call__ = lambda app: print(gc.get_threshold() == usual)
__main__.main()
"""
    words = [sys.executable, "-c", code, command, "--seed", "1"]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    assert done.stdout.split() == [str(usual), "True"]
