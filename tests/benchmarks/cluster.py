"""What a cluster costs and how far it carries.

    python tests/benchmarks/cluster.py clips [--count 20000] [--workers 2]
    python tests/benchmarks/cluster.py tasks [--count 20000] [--workers 2]
    python tests/benchmarks/cluster.py paper [--clip .03] [--task .0035] [--held 2.7]

`clips` predicts RAVDESS under new names (`--recipe cnn-bilstm`), with processes of this machine and
with as many workers of a cluster, by turns. `tasks` measures the scheduler: tasks of nothing, as
`ser` hands them out to a thousand workers (three for each) and all at once. `paper` computes from
such figures what a million clips and a hundred take on 10, 100 and 1,000 workers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

if __package__ != "benchmarks":  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from clusters import Running, renamed, running

from ser_cli import workers
from ser_cli.cluster import Cluster, connected
from ser_cli.model.parallel import CHUNK, CHUNKS, MOST_CHUNK

TURNS = 2
MANY = 1000
DOLLARS = 0.04  # an hour of a core, as large providers ask in 2026 without a contract
FILES = ("--recipe", "cnn-bilstm", "--hear-all", "--no-report")


@contextmanager
def cluster_of(folder: Path, count: int) -> Iterator[Running]:
    """Yield a cluster all of whose workers are there."""
    folder.mkdir()
    with running(folder, workers=count) as started:
        with connected(started.address) as reached:
            assert reached
            while reached.width != count:
                time.sleep(0.5)
        yield started


def clips(count: int, among: int) -> None:
    """Print what a clip takes here, and what it takes on a cluster."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        renamed(Path(os.environ["SER_RAVDESS_DIR"]), folder / "clips", count)
        with cluster_of(folder / "cluster", among) as started:
            ways = {"alone": ("--jobs", str(among)), "cluster": ("--scheduler", started.address)}
            for turn in range(TURNS):
                for way, options in ways.items():
                    taken = timed(folder, f"{way}{turn}.csv", options)
                    print(f"{way:8} {taken:8.1f} s {1e3 * among * taken / count:8.2f} ms of a core")


def timed(folder: Path, out: str, options: Sequence[str]) -> float:
    """Return the seconds that a command takes."""
    words = [sys.executable, "-m", "ser_cli", "predict", "clips", *FILES, "--csv", out, *options]
    begun = time.monotonic()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env=env)
    return time.monotonic() - begun


def nothing(items: Sequence[int]) -> Sequence[int]:
    """Do a task."""
    return items


def tasks(count: int, among: int) -> None:
    """Print what a task takes of a scheduler's time and memory."""
    with (
        tempfile.TemporaryDirectory() as name,
        cluster_of(Path(name) / "a", among) as started,
        connected(started.address) as reached,
    ):
        assert reached
        before, begun = held(started), busy(started)
        ahead = workers.AHEAD * MANY // among  # so many wait as with a thousand workers
        done = workers.run(nothing, range(count), executor=reached, ahead=ahead)
        assert sum(1 for _ in done) == count
        each = 1e3 * (busy(started) - begun) / count
        print(f"as ser does: {each:6.2f} ms of it a task, {held(started) - before:6.0f} MB more")
        at_once(reached, started, count)


def at_once(reached: Cluster, started: Running, count: int) -> None:
    """Print the same where a scheduler gets all tasks at once."""
    before, begun = held(started), busy(started)
    futures = [reached.submit(nothing, [number]) for number in range(count)]
    most = held(started)
    for future in futures:
        future.result()
        most = max(most, held(started))
    took, takes = 1e3 * (busy(started) - begun) / count, 1e3 * (most - before) / count
    print(f"all at once: {took:6.2f} ms of it a task, {takes:6.1f} kB a task")


def held(started: Running) -> float:
    """Return the MB of memory of the scheduler (Linux)."""
    status = Path(f"/proc/{started.scheduler.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3


def busy(started: Running) -> float:
    """Return the seconds of a core that the scheduler has used (Linux)."""
    stat = Path(f"/proc/{started.scheduler.pid}/stat").read_text(encoding="utf-8")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def paper(clip: float, task: float, held_kb: float) -> None:
    """Print what many clips take, by what one takes.

    Args:
        clip: Seconds of a core for a clip.
        task: Seconds of the scheduler for a task.
        held_kb: What it holds of a task, in kB.
    """
    print("| clips | workers | chunk | time | cost | scheduler busy | with chunks of 8 | held |")
    print("|---|---|---|---|---|---|---|---|")
    for count in (10**6, 10**8):
        for among in (10, 100, 1000):
            chunk = min(MOST_CHUNK, max(CHUNK, count // (CHUNKS * among)))
            works = count * clip / among
            busy, small = (count / size * task for size in (chunk, CHUNK))
            hours = max(works, busy) / 3600
            held_mb = min(count / chunk, 3 * among) * held_kb / 1e3
            print(
                f"| {count:,} | {among:,} | {chunk} | {hours:,.2f} h | "
                f"${hours * among * DOLLARS:,.0f} | {busy / works:.1%} | {small / works:.0%} | "
                f"{held_mb:.1f} MB |"
            )


def main(arguments: Sequence[str]) -> None:
    """Measure or compute what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("clips", "tasks", "paper"))
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--workers", type=int, default=workers.CORES)
    parser.add_argument("--clip", type=float, default=0.03, help="seconds of a core")
    parser.add_argument("--task", type=float, default=0.0035, help="seconds of the scheduler")
    parser.add_argument("--held", type=float, default=2.7, help="kB of a task")
    chosen = parser.parse_args(arguments)
    if chosen.what == "clips":
        clips(chosen.count or 20_000, chosen.workers)
    elif chosen.what == "tasks":
        tasks(chosen.count or 20_000, chosen.workers)
    else:
        paper(chosen.clip, chosen.task, chosen.held)


if __name__ == "__main__":
    main(sys.argv[1:])
