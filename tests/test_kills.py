"""Commands that are killed or asked to end; `nox -s kills` kills them more often."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import kills
import pytest
from killing import AT_WORK_S, Case, Entries, left_after, rounds, start, survivors

from ser_cli import ending, workers
from ser_cli.model import artifacts

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

ALL_AT_WORK = 4  # a command, two workers, and Python's own tracker of what they share
WRITES = """
import os, time
from pathlib import Path
out = Path("out")
out.mkdir(exist_ok=True)
"""


@pytest.mark.parametrize(
    "name", ["download", *(pytest.param(case, marks=pytest.mark.slow) for case in kills.CASES)]
)
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    told = kills.run(name, 2, seed=1, work=tmp_path)
    assert told.kills == 2 and told.is_clean(), told


@pytest.mark.slow
def test_of_two_trainings_on_one_folder_one_is_refused(tmp_path: Path) -> None:
    kills.corpus(tmp_path)
    both = [start((*kills.SER, *kills.TRAIN, "--seed", str(n)), tmp_path) for n in range(2)]
    codes = [one.wait() for one in both]
    assert sorted(codes) == [0, 1]
    winner = codes.index(0)
    said = (tmp_path / "log.txt").read_text()
    assert f"own is in use by process {both[winner].pid} on " in said
    assert artifacts.load(tmp_path / "own", verify=artifacts.FILES).manifest["seed"] == winner


def entries(home: Path) -> Entries:
    files = [*(home / "out").glob("[!.]*")]
    assert all(file.stat().st_size == 3 for file in files), "a file is cut"
    return {file.name: file.read_text() for file in files}


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("(out / 'a').write_text('abc'); time.sleep(.3)", ""),
        ("(out / 'a').write_text('a'); time.sleep(.5); (out / 'a').write_text('abc')", "half"),
        ("(out / f'{time.time_ns() % 999}').write_text('abc'); time.sleep(.4)", "doubled"),
        (
            "(out / f'.{time.time()}').touch(); time.sleep(.3); (out / 'a').write_text('abc')",
            "left",
        ),
        ("os.fork() or time.sleep(60); (out / 'a').write_text('abc'); time.sleep(.5)", "orphans"),
    ],
)
def test_what_is_wrong_is_counted(program: str, wrong: str, tmp_path: Path) -> None:
    words = (sys.executable, "-c", WRITES + program)
    case = Case(lambda _: None, words, entries)
    told = rounds(case, 3, seed=0, work=tmp_path, patience_s=0.3)  # orphans would stay 60
    found = {
        "half": told.half_written,
        "doubled": told.doubled,
        "left": told.left,
        "orphans": told.orphans,
    }
    assert told.kills == 3 and told.ends
    assert told.is_clean() == (not wrong) and (not wrong or found[wrong]), told


@pytest.fixture
def handlers() -> Iterator[None]:
    """Let Ctrl-C be heard, also where tests run in the background; then as it was before."""
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    ending._asked.clear()
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 143, "ser: terminated; the same command resumes\n"),
        (signal.SIGINT, 130, "ser: interrupted; the same command resumes\n"),
    ],
)
def test_no_worker_outlives_its_command(
    number: signal.Signals, code: int, said: str, tmp_path: Path
) -> None:
    kills.corpus(tmp_path)
    words = (*kills.SER, *kills.EXTRACT, "--copies", "9")
    command = start(words, tmp_path)
    while len(survivors(command.pid)) < ALL_AT_WORK:
        assert command.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.02)
    # A terminal sends Ctrl-C to all of them.
    (os.killpg if number == signal.SIGINT else os.kill)(command.pid, number)
    assert command.wait(60) == code
    assert not left_after(command.pid, AT_WORK_S)
    if said:
        assert (tmp_path / "log.txt").read_text() == said


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_an_end_that_a_library_takes_for_an_error_is_one_all_the_same(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    begun = []

    def task(item: int) -> None:
        begun.append(item)
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        except BaseException:
            raise ValueError("an operation was cancelled") from None

    with pytest.raises(raised), ending.in_order():
        list(workers.run(workers.one_by_one(task), [1, 2]))
    assert begun == [1]
    with pytest.raises(raised), ending.in_order():
        task(3)
    with ending.in_order():
        ending.end_if_asked()  # a new command has not been asked


@pytest.mark.usefixtures("handlers")
def test_a_command_in_the_background_is_not_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ending.in_order():
        os.kill(os.getpid(), signal.SIGINT)
