"""The machine: cores and memory, as far as this process may use them, GPUs, terminal, network."""

from __future__ import annotations

import locale
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from ser_cli import first
from ser_cli.health import Check, megabytes
from ser_cli.workers import CORES

CGROUP = Path("/sys/fs/cgroup")  # Linux: what a container may use
MEMINFO = Path("/proc/meminfo")
LITTLE_BYTES = 1.5e9  # a training in TensorFlow needs about as much
_SHOWN_MS = 2_000  # a driver that hangs is waited for no longer


def cpu() -> Iterator[Check]:
    """Look at the cores, and at how many of them this process may use."""
    usable = min(_affinity(), _quota())
    text = f"{CORES} cores, of which {usable:g} may be used"
    if usable >= CORES:
        yield Check("CPU", text)
    else:
        hint = f"ser predict --jobs {max(1, int(usable))} (by default, one process for each core)"
        yield Check("CPU", text, "warning", hint)


def memory() -> Iterator[Check]:
    """Look at the memory, and at how much of it is free to be used."""
    total, free = _memory()
    if not total:
        yield Check("memory", "this system does not tell")
        return
    text = f"{megabytes(total)}, free {megabytes(free) if free else 'unknown'}"
    if free and free < LITTLE_BYTES:
        yield Check("memory", text, "warning", "close other programs, or use --jobs 1")
    else:
        yield Check("memory", text)


def gpu() -> Iterator[Check]:
    """Look for GPUs; none is needed."""
    found = _nvidia()
    if found:
        yield Check("GPU", f"{found}; predictions run on the CPU, TensorFlow may train on it")
    else:
        yield Check("GPU", "none seen; none is needed")


def terminal() -> Iterator[Check]:
    """Look at whether names of files can be shown, whatever their script."""
    shown = sys.__stdout__.encoding if sys.__stdout__ else "none"
    text = f"stdout {shown}, locale {locale.getpreferredencoding(False)}, files "
    text += sys.getfilesystemencoding()
    if re.sub(r"\W|_", "", shown).lower() == "utf8":
        yield Check("encoding", text)
    else:
        hint = "export PYTHONUTF8=1 (Windows: set PYTHONUTF8=1)"
        yield Check("encoding", f"{text}: some names cannot be shown", "warning", hint)


def silence() -> Iterator[Check]:
    """Look at whether the libraries that would report to their makers are told not to."""
    loud = [name for name, value in first.SILENT.items() if os.environ.get(name) != value]
    if loud:
        hint = "import ser_cli before other libraries"
        yield Check("network", f"{', '.join(loud)} is not as ser sets it", "error", hint)
    else:
        told = ", ".join(f"{name}={value}" for name, value in first.SILENT.items())
        yield Check("network", f"nothing is sent to anybody; {told}")


def _affinity() -> float:
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return CORES
    return len(os.sched_getaffinity(0))


def _quota() -> float:
    """Return the cores that a container's quota of time amounts to."""
    for quota, period in (
        (_words("cpu.max")[:1], _words("cpu.max")[1:]),
        (_words("cpu/cpu.cfs_quota_us"), _words("cpu/cpu.cfs_period_us")),
    ):
        if quota and period and quota[0].isdecimal():
            return int(quota[0]) / int(period[0])
    return CORES


def _memory() -> tuple[float, float]:
    """Return bytes of memory in all, and free to be used; 0 where that is not known."""
    lines = re.findall(r"^(\w+): +(\d+) kB", _text(MEMINFO), re.MULTILINE)
    known = {name: 1024 * int(size) for name, size in lines}
    total, free = known.get("MemTotal", _pages()), known.get("MemAvailable", 0)
    limit = [*_words("memory.max"), *_words("memory/memory.limit_in_bytes")]
    if limit and limit[0].isdecimal() and int(limit[0]) < total:
        used = [*_words("memory.current"), *_words("memory/memory.usage_in_bytes"), "0"]
        total = int(limit[0])
        free = min(free, max(0, total - int(used[0])))
    return total, free


def _pages() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _words(name: str) -> list[str]:
    return _text(CGROUP / name).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _nvidia() -> str:
    """Return the names of NVIDIA's GPUs, as its driver's own program tells them."""
    program = which("nvidia-smi")
    if not program:
        return ""
    words = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SHOWN_MS / 1000)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return "a driver that does not answer"
    return "; ".join(done.stdout.split("\n")).strip("; ") if done.returncode == 0 else ""
