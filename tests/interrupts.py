"""`python tests/interrupts.py`: press Ctrl-C at every moment of a command, and see how it ends."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import kills
from command import tone
from killing import left_after, start

FIRST_S, LAST_S, STEP_S = 0.02, 3.0, 0.02
PATIENCE_S = 30.0  # until a command that was interrupted has ended
BAD = ("Traceback", "Exception ignored", "leaked", "Error", "Warning")
RESUMES = "; the same command resumes"
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "predict": ("predict", "many", "--csv", "out.csv", "--jobs", "2"),
    "extract": (*kills.EXTRACT, "--copies", "20"),
    "train": (*kills.TRAIN, "--epochs", "1000"),
    "tune": (*kills.TUNE, *kills.STUDY),
}


def prepare(home: Path) -> None:
    """Fill a folder with what all commands need."""
    home.mkdir(parents=True, exist_ok=True)
    kills.corpus(home)
    for number in range(40):
        tone(home / "many" / f"{number}.wav", 440, seed=number, seconds=30.0)


def ending(name: str, home: Path, moment: float, number: int = signal.SIGINT) -> tuple[str, ...]:
    """Interrupt a command as a terminal does: all of its processes. Return what is wrong then.

    Args:
        name: Of COMMANDS.
        home: A folder that is prepared.
        moment: Seconds after its start.
        number: The signal; SIGTERM goes to the first process alone, as of `timeout` or a scheduler.
    """
    log = home / "log.txt"
    log.unlink(missing_ok=True)
    command = start((*kills.SER, *COMMANDS[name]), home)
    try:
        command.wait(moment)
        return (f"it ended before: {log.read_text()[-500:]}",) if command.returncode else ()
    except subprocess.TimeoutExpired:
        pass
    (os.killpg if number == signal.SIGINT else os.kill)(command.pid, number)
    try:
        code = command.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        left_after(command.pid, 0)
        return (f"it went on: {log.read_text()[-500:]}",)
    return tuple(_wrong(name, code, log.read_text(), number, left_after(command.pid, 1.0)))


def _wrong(name: str, code: int, said: str, number: int, left: Sequence[int]) -> Iterator[str]:
    if "ser_cli" not in said and "ser: " not in said:  # Python itself was still starting
        return
    if code != CODES[signal.Signals(number)]:
        yield f"exit code {code}"
    for word in BAD:
        if word in said:
            yield f"{word!r} in: {said[-700:]}"
            break
    if left:
        yield f"{len(left)} processes are left"
    if "ser: interrupted" not in said and "ser: terminated" not in said:
        yield f"nothing is said: {said[-300:]}"
    elif number == signal.SIGINT and RESUMES not in said and name != "predict":
        yield "it does not say that it resumes"


def main(arguments: Sequence[str]) -> int:
    """Sweep what is named, print what is wrong, and return 1 if anything is."""
    parser = argparse.ArgumentParser(prog="tests/interrupts.py", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    parser.add_argument("--first", type=float, default=FIRST_S, help="seconds")
    parser.add_argument("--last", type=float, default=LAST_S, help="seconds")
    parser.add_argument("--step", type=float, default=STEP_S, help="seconds")
    parser.add_argument("--signal", choices=SIGNALS, default="INT")
    chosen = parser.parse_args(arguments)
    count, wrong = round((chosen.last - chosen.first) / chosen.step) + 1, 0
    with TemporaryDirectory() as work:
        prepare(Path(work))
        for name in chosen.only:
            begun = time.monotonic()
            for place in range(count):
                moment = chosen.first + place * chosen.step
                found = ending(name, Path(work), moment, SIGNALS[chosen.signal])
                wrong += bool(found)
                for line in found:
                    print(f"{name} {moment:.2f} s: {line}", flush=True)
            print(f"{name}: {count} moments, {time.monotonic() - begun:.0f} s", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
