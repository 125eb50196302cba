"""Processes timed from outside, as a user waits for them, and their peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

TESTS = Path(__file__).resolve().parents[1]
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# A user's Python keeps bytecode and buffers its output.
_PYTHON = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "PYTHONOPTIMIZE")

T = TypeVar("T")


class BenchError(Exception):
    """A process failed, or the two sides did not do the same."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a process, or a round of one, took and said.

    Attributes:
        seconds: Wall time.
        cpu_s: CPU time of all its threads and workers, None where the system does not tell.
        peak_mb: Peak memory of it or its largest worker, None where the system does not tell.
        out: Its stdout.
    """

    seconds: float
    cpu_s: float | None = None
    peak_mb: float | None = None
    out: str = ""


def environment(cache: Path, *, one_core: bool = False, package: bool = False) -> dict[str, str]:
    """Return the environment of a child: a user's, with nothing set that steers threads.

    Args:
        cache: Where `ser` keeps features and studies.
        one_core: Let no library use more than one thread.
        package: Let the child import this package.
    """
    plain = {k: v for k, v in os.environ.items() if k not in (*_PYTHON, *THREADS)}
    single = dict.fromkeys(THREADS, "1") if one_core else {}
    own = {"PYTHONPATH": str(TESTS)} if package else {}
    return plain | single | own | {"SER_CACHE_DIR": str(cache)}


def run(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> Run:
    """Run a process to its end.

    Raises:
        BenchError: It failed.
    """
    out, err = cwd / "stdout.txt", cwd / "stderr.txt"
    with out.open("w") as stdout, err.open("w") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=stdout, stderr=stderr)
        cpu_s, peak_mb = _wait(process)
        seconds = time.perf_counter() - start
    if process.returncode:
        raise BenchError(f"{_shown(command)} failed:\n{_tail(err)}")
    return Run(seconds, cpu_s, peak_mb, out.read_text(encoding="utf-8"))


def module(name: str, *args: str | Path) -> list[str | Path]:
    """Return the command that runs a module of this package."""
    # -P: what lies in the working folder is not to be imported.
    return [sys.executable, "-P", "-m", f"benchmarks.{name}", *args]


def alternate(
    a: Callable[[], T], b: Callable[[], T], repeats: int, tell: Callable[[str], None]
) -> tuple[list[T], list[T]]:
    """Return what both sides give in turn, A B A B, after one round that does not count."""
    tell("warm-up")
    a(), b()
    firsts, seconds = [], []
    for number in range(1, repeats + 1):
        tell(f"{number}/{repeats}")
        firsts.append(a())
        seconds.append(b())
    return firsts, seconds


class Server:
    """A process that has loaded everything and does its work each time it is asked."""

    def __init__(self, *args: str | Path, cwd: Path, env: Mapping[str, str]) -> None:
        self._err = cwd / f"{args[0]}.stderr.txt"
        self._command = module("sides", *args)
        with self._err.open("w") as stderr:
            self._process = subprocess.Popen(
                self._command,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def __enter__(self) -> Server:
        self._read()  # it is ready
        return self

    def work(self) -> Run:
        """Let it work once."""
        stream = self._stream(self._process.stdin)
        stream.write("go\n")
        stream.flush()
        seconds, cpu_s = map(float, self._read().split())
        return Run(seconds, cpu_s)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let it write its results and end.

        Raises:
            BenchError: It failed.
        """
        if kind is not None:
            self._process.kill()
        self._stream(self._process.stdin).close()
        self._process.wait()
        self._stream(self._process.stdout).close()
        if kind is None and self._process.returncode:
            raise BenchError(f"{_shown(self._command)} failed:\n{_tail(self._err)}")

    def _read(self) -> str:
        if line := self._stream(self._process.stdout).readline():
            return line
        self._process.wait()
        raise BenchError(f"{_shown(self._command)} died:\n{_tail(self._err)}")

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


def _wait(process: subprocess.Popen[bytes]) -> tuple[float | None, float | None]:
    """Wait for the end; return CPU seconds and peak memory in MB."""
    if not hasattr(os, "wait4"):
        process.wait()
        return None, None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak_mb = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return usage.ru_utime + usage.ru_stime, peak_mb


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(Path(part).name for part in command)


def _tail(file: Path, lines: int = 15) -> str:
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
