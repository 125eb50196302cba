"""Kill `ser predict --csv` again and again, let it end, and count what was lost.

`python tests/kills_predict.py --rounds 20` prints a table. In each round a run over made-up clips
is killed (SIGKILL) up to four times, at moments that a seed chooses between its start and the time
that what is left would take undisturbed; recordings change, vanish and come in between; then it
runs to its end. Its rows are compared with those of an undisturbed run over the same files.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
CLOSE = 1e-5  # of probabilities that are the same
GONE_S = 5.0  # for workers to follow their parent


@dataclass(frozen=True)
class Round:
    """What became of a run that was killed."""

    jobs: int
    kills: int  # that came before its end
    kept: int  # recordings that the last run found done
    lost: int  # rows that are missing, or not those of the recording as it is now
    doubled: int  # places where another row stands than in the undisturbed run
    halves: int  # lines that are no whole row
    orphans: int  # processes that outlived their parent

    @property
    def bad(self) -> int:
        return self.lost + self.doubled + self.halves + self.orphans


def clip(path: Path, rng: random.Random) -> None:
    """Write a fifth of a second of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(RATE // 5)
    soundfile.write(path, 0.1 * noise, RATE, "PCM_16")


def command(clips: Path, out: Path, jobs: int) -> list[str]:
    """Return the command line, with the smaller of the shipped models."""
    words = ["predict", clips, "--csv", out, "--jobs", jobs, "--recipe", "cnn-bilstm", "--hear-all"]
    return [sys.executable, "-m", "ser_cli", *map(str, words)]


def run(words: list[str]) -> str:
    """Run a command to its end; return what it said."""
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stderr


def kill_after(words: list[str], seconds: float) -> tuple[bool, int]:
    """Run a command and kill it after a time.

    Returns:
        Whether it had not ended by then, and how many of its processes stay.
    """
    started = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with suppress(subprocess.TimeoutExpired):
        started.wait(seconds)
    killed = started.poll() is None
    started.kill()
    started.wait()
    until = time.monotonic() + GONE_S
    while (left := sum(1 for _ in of_session(started.pid))) and time.monotonic() < until:
        time.sleep(0.05)
    return killed, left


def timed(words: list[str]) -> float:
    """Return the seconds that a command takes."""
    begun = time.monotonic()
    run(words)
    return time.monotonic() - begun


def of_session(session: int) -> Iterator[int]:
    """Yield the processes of a session, where the system tells (Linux)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session, *_ = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(its_session) == session and state != "Z":
            yield int(status.parent.name)


def disturb(clips: Path, rng: random.Random) -> None:
    """Change a recording, let one vanish, and let one come."""
    changed, gone = rng.sample(sorted(clips.rglob("*.wav")), 2)
    clip(changed, rng)
    gone.unlink()
    clip(clips / f"new-{rng.getrandbits(32)}.wav", rng)


def rows_of(path: Path) -> tuple[list[list[str]], int]:
    """Return the rows of a file, and how many lines are none; the one being written aside."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    head, *rows = csv.reader(text[: text.rfind("\n") + 1].splitlines() or [""])
    whole = [row for row in rows if len(row) == len(head)]
    return whole, len(rows) - len(whole)


def same(row: list[str], other: list[str]) -> bool:
    """Tell whether two rows say the same; what goes through the network together moves digits."""
    pairs = list(zip(row, other, strict=True))
    numbers = [(float(a), float(b)) for a, b in pairs if a != b]
    return row[:4] == other[:4] and all(abs(a - b) < CLOSE for a, b in numbers)


def play(folder: Path, *, files: int, jobs: int, rng: random.Random, most: int = 4) -> Round:
    """Play a round of at most so many kills in an empty folder."""
    clips, out, whole = folder / "clips", folder / "out.csv", folder / "undisturbed.csv"
    for number in range(files):
        clip(clips / f"{number % 3}" / f"{number:04}.wav", rng)
    takes, starts = (timed(command(clips, whole, jobs)) for _ in range(2))  # the second has no work
    kills = halves = orphans = 0
    for _ in range(rng.randint(1, most)):
        left = 1 - len(rows_of(out)[0]) / files
        seconds = rng.uniform(0.5, 1) * starts + rng.random() * left * (takes - starts)
        killed, stay = kill_after(command(clips, out, jobs), seconds)
        kills, orphans, halves = kills + killed, orphans + stay, halves + rows_of(out)[1]
        disturb(clips, rng)
    said = run(command(clips, out, jobs))
    run([*command(clips, whole, 1), "--restart"])
    kept = next((line.split()[0] for line in said.splitlines() if "done before" in line), "0")
    (rows, broken), (right, _) = rows_of(out), rows_of(whole)
    found = {row[0]: row for row in rows}
    return Round(
        jobs=jobs,
        kills=kills,
        kept=int(kept.replace(",", "")),
        lost=sum(row[0] not in found or not same(found[row[0]], row) for row in right),
        doubled=sum(row[0] != other[0] for row, other in zip_longest(rows, right, fillvalue=[""])),
        halves=halves + broken,
        orphans=orphans,
    )


def main() -> None:
    """Print a table of rounds; exit with 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, bad = random.Random(asked.seed), 0
    print("round jobs kills  kept  lost doubled halves orphans", flush=True)
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            one = play(Path(folder), files=asked.files, jobs=1 + number % 2, rng=rng)
        print(
            f"{number:>5} {one.jobs:>4} {one.kills:>5} {one.kept:>5} {one.lost:>5} "
            f"{one.doubled:>7} {one.halves:>6} {one.orphans:>7}",
            flush=True,
        )
        bad += one.bad
    sys.exit(bool(bad))


if __name__ == "__main__":
    os.environ.setdefault("SER_CACHE_DIR", tempfile.gettempdir())
    main()
