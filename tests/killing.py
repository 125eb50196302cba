"""Commands that are really killed, and what they have lost, doubled, half written or left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

AT_WORK_S = 3.0  # for which workers may outlive a killed parent
HIDDEN = (".lock",)  # that is left until the folder is held again
Entries = dict[str, str]  # of what a command has written: name of each piece -> its content


@dataclass(frozen=True, slots=True)
class Case:
    """A command to be killed.

    Attributes:
        prepare: Fills a folder with what the command needs.
        words: The command, as it is typed in that folder.
        entries: Returns what of its outcome is in the folder, and raises where it is half written.
    """

    prepare: Callable[[Path], None]
    words: Sequence[str]
    entries: Callable[[Path], Entries]


@dataclass(slots=True)
class Tally:
    """What became of the rounds; all but the first two should be nothing."""

    kills: int = 0
    ends: int = 0  # runs that came to their end, and were compared
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    half_written: set[str] = field(default_factory=set)
    orphans: int = 0
    left: set[str] = field(default_factory=set)  # temporary files after the end

    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.doubled or self.half_written or self.orphans or self.left)


def start(words: Sequence[str], home: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, with a cache of its own; its output is dropped."""
    log = (home / "log.txt").open("ab")
    env = os.environ | {"SER_CACHE_DIR": str(home / "cache")}
    env.pop("SER_RAVDESS_DIR", None)
    return subprocess.Popen(
        words, cwd=home, env=env, stdout=log, stderr=log, start_new_session=True
    )


def survivors(session: int) -> list[int]:
    """Return the processes of a session that still run (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, its = (process / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its) == session and state != "Z":
                found.append(int(process.name))
    return found


def left_after(session: int, seconds: float = AT_WORK_S) -> list[int]:
    """Return the processes of a session that do not end in time, and end them."""
    until = time.monotonic() + seconds
    while (found := survivors(session)) and time.monotonic() < until:
        time.sleep(0.05)
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return found


def rounds(
    case: Case, count: int, *, seed: int, work: Path, patience_s: float = AT_WORK_S
) -> Tally:
    """Kill a command so often, at random moments, letting it go on in between; compare its ends.

    Args:
        case: The command.
        count: Of kills.
        seed: Of the moments.
        work: An empty folder.
        patience_s: For which what a command has started may outlive it.
    """
    tally, rng = Tally(), Random(seed)
    home = _fresh(case, work / "undisturbed")
    begun = time.monotonic()
    _finish(case, home)
    seconds, expected = time.monotonic() - begun, case.entries(home)
    assert expected, "there is nothing to lose"
    home = _fresh(case, work / "0")
    while tally.kills < count:
        if _kill(case, home, rng.uniform(0.0, seconds), tally, patience_s):
            tally.kills += 1
        else:
            _compare(case, home, expected, tally)
            home = _fresh(case, work / str(tally.kills) / str(tally.ends))
    _finish(case, home)
    _compare(case, home, expected, tally)
    return tally


def _fresh(case: Case, home: Path) -> Path:
    home.mkdir(parents=True)
    case.prepare(home)
    return home


def _finish(case: Case, home: Path) -> None:
    """Run a command to its end."""
    assert start(case.words, home).wait() == 0, (home / "log.txt").read_text()[-2000:]


def _kill(case: Case, home: Path, moment: float, tally: Tally, patience_s: float) -> bool:
    """Kill a command at a moment, and look at what it leaves; return whether it still ran."""
    before = _entries(case, home, tally)
    process = start(case.words, home)
    try:
        code = process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        tally.orphans += len(left_after(process.pid, patience_s))
        tally.lost |= before.keys() - _entries(case, home, tally).keys()
        return True
    assert code == 0, (home / "log.txt").read_text()[-2000:]
    return False


def _entries(case: Case, home: Path, tally: Tally) -> Entries:
    try:
        return case.entries(home)
    except Exception as error:
        tally.half_written.add(f"{type(error).__name__}: {error}")
        return {}


def _compare(case: Case, home: Path, expected: Entries, tally: Tally) -> None:
    """Compare what a command has come to with what it comes to undisturbed."""
    tally.ends += 1
    found = _entries(case, home, tally)
    tally.lost |= expected.keys() - found.keys()
    tally.doubled |= found.keys() - expected.keys()
    same = expected.keys() & found.keys()
    tally.half_written |= {name for name in same if found[name] != expected[name]}
    hidden = {path.name for path in home.rglob(".*")}
    tally.left |= hidden.difference(HIDDEN)
