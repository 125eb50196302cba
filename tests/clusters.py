"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parent
STARTS_S = 60.0


@dataclass
class Running:
    """A cluster that runs in a folder; its processes are ended with `stop`."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker."""
        scratch = self.folder / f"worker-{len(self.workers)}"
        words = ("worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        self.workers.append(dask(self.folder, *words, "--local-directory", str(scratch), env=env))
        return self.workers[-1]

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def dask(
    folder: Path, command: str, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `dask COMMAND` with what is imported here; it writes to a log in the folder."""
    path = os.pathsep.join([*(env or {}).get("FIRST", "").split(), str(TESTS), *sys.path])
    with (folder / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{command}", *words],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **(env or {}), "PYTHONPATH": path},
        )


def renamed(corpus: Path, folder: Path, count: int) -> None:
    """Fill a folder with so many clips, TURN/TURN_NAME: those of a corpus, turn after turn."""
    clips = sorted(corpus.rglob("*.flac"))
    for number in range(count):
        turn, place = divmod(number, len(clips))
        name = folder / str(turn) / f"{turn}_{clips[place].name}"
        name.parent.mkdir(parents=True, exist_ok=True)
        if turn:
            os.link(folder / "0" / f"0_{clips[place].name}", name)
        else:
            shutil.copyfile(clips[place], name)


@contextmanager
def running(folder: Path, workers: int) -> Iterator[Running]:
    """Yield a cluster in an empty folder."""
    told = folder / "scheduler.json"
    scheduler = dask(
        folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
        "--scheduler-file", str(told),
    )  # fmt: skip
    cluster = Running(folder, scheduler, "")
    try:
        until = time.monotonic() + STARTS_S
        while not cluster.address:
            assert scheduler.poll() is None, (folder / "scheduler.log").read_text()[-2000:]
            assert time.monotonic() < until, "the scheduler does not start"
            time.sleep(0.05)
            cluster.address = json.loads(told.read_text())["address"] if told.exists() else ""
        for _ in range(workers):
            cluster.add()
        yield cluster
    finally:
        cluster.stop()
