"""Ctrl-C at any moment; `python tests/interrupts.py` presses it at many more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import interrupts
import pytest

from ser_cli import ending, first

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    interrupts.prepare(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "moments"),
    [("extract", (0.1, 0.4, 1.0)), ("predict", (0.2, 0.6)), ("train", (0.7,)), ("tune", (1.4,))],
)
def test_a_command_ends_when_it_is_interrupted(
    name: str, moments: tuple[float, ...], home: Path
) -> None:
    assert not [found for moment in moments if (found := interrupts.ending(name, home, moment))]


@pytest.mark.slow
@pytest.mark.parametrize("number", interrupts.SIGNALS.values())
@pytest.mark.parametrize("name", interrupts.COMMANDS)
def test_it_does_at_every_moment(name: str, number: signal.Signals, home: Path) -> None:
    for place in range(60):
        moment = interrupts.FIRST_S + place * 0.05
        assert not interrupts.ending(name, home, moment, number), moment


@pytest.fixture
def handlers() -> Iterator[None]:
    """Let signals be heard, also where tests run in the background; then as it was before."""
    former = {number: signal.getsignal(number) for number in first.SAID}
    for number in former:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


class Careless:
    """Is interrupted where Python cannot raise it."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)


def swallow() -> None:
    with suppress(BaseException):  # as some libraries do when they are loaded
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("careless", [swallow, lambda: Careless() and None])
def test_what_drops_an_interruption_only_delays_it(
    careless: object, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ending.in_order():
        assert callable(careless)
        careless()
        time.sleep(10)
    assert time.monotonic() - begun < 5
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("handlers")
def test_errors_that_nobody_can_raise_are_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with ending.in_order():
        Broken()
    assert "ValueError: broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ("first.end_at_once('; resumes')", "ser: interrupted; resumes\n"),
        # Whoever uses ser from Python ends as they like.
        ("signal.signal(signal.SIGINT, lambda *_: (print('mine'), sys.exit(3)))", ""),
    ],
)
def test_a_library_that_is_loaded_ends_at_once_and_silently(begin: str, said: str) -> None:
    code = f"""
import os, signal, sys
from contextlib import nullcontext
from ser_cli import ending, first
from ser_cli.process import silent_stderr
signal.signal(signal.SIGINT, signal.default_int_handler)
{begin}
with ending.in_order() if {bool(said)} else nullcontext(), ending.loading(), silent_stderr():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("half loaded")
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    expected = (130, "") if said else (3, "mine\n")
    assert (done.returncode, done.stdout, done.stderr) == (*expected, said)
