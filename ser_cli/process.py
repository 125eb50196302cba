"""The few things done to a process, most of them before anything large is loaded into it."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

# glibc's M_TRIM_THRESHOLD never, M_MMAP_MAX none, M_ARENA_MAX one (a thread's own could not hold
# what is kept).
_KEEP = ((-1, -1), (-4, 0), (-8, 1))
_RETURN = ((-3, 2**20),)  # M_MMAP_THRESHOLD, bytes
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_SELDOM = 10_000  # objects made since the last look for unreachable cycles; Python's: 700
_USUAL = gc.get_threshold()


def one_thread_per_product() -> None:
    """Keep NumPy from threads: files are spread over processes, and small matrices only lose."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def collect_seldom() -> None:
    """Look for unreachable cycles seldom, and never at the end, when all memory is given back.

    A short command imports far more than it throws away, and searched it for cycles again and
    again: an eighth of the time of `ser predict CLIP`.
    """
    gc.set_threshold(_SELDOM)
    atexit.register(gc.freeze)


def prepare() -> None:
    """Prepare a process for training: what a step frees is kept for the next, which wants as much.

    Given back and fetched anew page by page, the large arrays of `mfcc-cnn1d` took a third of its
    time. To be called before the process has a second thread: one that was there before, and
    those that inherit its arena, would continue as they were. Cycles that hold large arrays are
    looked for as often as usual.
    """
    one_thread_per_product()
    gc.set_threshold(*_USUAL)
    keep_memory()


def keep_memory() -> bool:
    """Let what is freed be kept for what comes next; return whether that is possible."""
    return _tell_allocator(_KEEP)


def return_memory() -> bool:
    """Let large arrays go back to the system once they are freed; return whether that is possible.

    Otherwise glibc keeps them, some for each thread that has run: with ten recordings of 10 MB
    the page's server needed 910 MB instead of 690.
    """
    return _tell_allocator(_RETURN)


def end_with_parent() -> None:
    """On Linux, have the system end this process with the thread that started it.

    A thread that waits for the parent's end cannot act on it while a library holds the interpreter,
    as TensorFlow does for seconds when it is loaded.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def machine() -> str:
    """Return what tells the processes of this machine from those of others, containers too."""
    import platform
    import zlib

    space = ""
    with contextlib.suppress(OSError):  # only Linux has such
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - pathlib is slow to load
    return f"{zlib.crc32((platform.node() + space).encode()):08x}"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    if sys.platform == "win32":  # where os.kill would end it
        import ctypes

        synchronize = 0x100000
        handle = ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def give_back() -> None:
    """Hand free memory back to the system, where its allocator would keep it."""
    if library := _glibc():
        library.malloc_trim(0)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep libraries from writing to the file descriptor behind Python's back."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _tell_allocator(options: tuple[tuple[int, int], ...]) -> bool:
    """Set options of glibc's malloc; other systems' allocators are left as they are."""
    library = _glibc()
    return library is not None and all(
        [library.mallopt(option, value) for option, value in options]
    )


def _glibc() -> ctypes.CDLL | None:
    import ctypes
    import platform

    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
