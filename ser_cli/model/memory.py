"""Memory of processes that train: what a step frees is kept for the next, which wants as much.

Given back and fetched anew page by page, the large arrays of `mfcc-cnn1d` took a third of its time.
Only glibc is told; other systems' allocators are left as they are.
"""

from __future__ import annotations

import ctypes
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

# M_TRIM_THRESHOLD never, M_MMAP_MAX none, M_ARENA_MAX one (a thread's own could not hold them).
KEPT = ((-1, -1), (-4, 0), (-8, 1))


def keep() -> None:
    """Keep what is freed; to be called before the process has a second thread.

    A thread that was there before, and those that inherit its arena, would go on as they were.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in KEPT:
            mallopt(option, value)


def processes(count: int) -> ProcessPoolExecutor:
    """Return as many spawned processes, which train side by side."""
    # Every command that trains calls `keep`, before it has even read its options.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=keep)
