"""ONNX Runtime, loaded in one place: on the CPU, quiet, and with bounds of time and memory.

A network may come from a stranger, and one of a few kilobytes can ask for hours and for more memory
than there is: what it needs is bounded while it runs, and `onnx_graph` refuses what cannot be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from ser_cli import onnx_graph
from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnxruntime

    from ser_cli.types import Floats

MOST_BYTES = 4 * 2**30  # of all networks of a process together; ours need a twentieth
MOST_SECONDS = 120.0  # of a run: 64 clips, or 6 s of sound; ours need a thousandth
# An operator cannot be interrupted, so that none may be run while a file is loaded.
_RUN_WHEN_ASKED = ["ConstantFolding"]
_TRAIN = "take another model, or train one: ser train"


def open_session(path: Path, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Args:
        path: The file.
        threads: Cores that one run may use; 0 leaves it to ONNX Runtime.

    Raises:
        ArtifactsError: It cannot be loaded, or is refused (see `onnx_graph`).
    """
    import onnxruntime

    onnx_graph.check(path)
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # what is wrong is raised as well; the rest helps no user
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Sums of 8-bit products overflow on x86 without VNNI unless this is asked for: another result.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"], disabled_optimizers=_RUN_WHEN_ASKED
        )
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ArtifactsError(
            f"{path} cannot be loaded: {_reason(error)}", hint="train again: ser train"
        ) from error


def kept(path: Path) -> onnxruntime.InferenceSession:
    """Return an ONNX file ready to run; each process loads it once."""
    found = path.stat()
    return _kept(path, found.st_size, found.st_mtime_ns)


def run(path: Path, inputs: Floats) -> Floats:
    """Return the first output of an ONNX file for its one input.

    Raises:
        ArtifactsError: It cannot be loaded or run.
    """
    session = kept(path)
    return execute(session, {session.get_inputs()[0].name: inputs}, name=str(path))[0]


def execute(
    session: onnxruntime.InferenceSession,
    feeds: Mapping[str, Any],
    outputs: Sequence[str] | None = None,
    *,
    name: str,
) -> list[Floats]:
    """Run a network within the bounds of time and memory.

    Args:
        session: Of `open_session`.
        feeds: Name of an input -> array.
        outputs: Names of those to return; None stands for all.
        name: Of the file, for messages.

    Raises:
        ArtifactsError: It fails, takes too long, or needs too much memory.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    # What the largest run has needed is given back.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    try:
        with _watchdog.watches(options):
            found: list[Floats] = session.run(outputs, feeds, options)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise ArtifactsError(f"{name} cannot be run: {_reason(error)}", hint=_TRAIN) from error
    return found


class _Watchdog:
    """Ends what runs for too long: one thread, since to start one per run costs as much as a run.

    It lives on, and is started again where a process was forked without it.
    """

    LOOKS_EVERY_S = 0.25

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[int, tuple[float, onnxruntime.RunOptions]] = {}
        self._thread: Thread | None = None

    @contextmanager
    def watches(self, options: onnxruntime.RunOptions) -> Iterator[None]:
        """Tell a run to end once MOST_SECONDS are over."""
        with self._lock:
            self._running[id(options)] = time.monotonic() + MOST_SECONDS, options
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._look, daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._running[id(options)]

    def _look(self) -> None:
        while True:
            time.sleep(self.LOOKS_EVERY_S)
            with self._lock:
                for until, options in self._running.values():
                    if time.monotonic() > until:
                        options.terminate = True


_watchdog = _Watchdog()


@lru_cache(maxsize=1)
def _bound_memory() -> None:
    """Let all networks of this process share one bounded memory, which grows by what is asked for.

    A program that has given ONNX Runtime an allocator of its own keeps that.
    """
    import contextlib

    from onnxruntime import (
        OrtAllocatorType,
        OrtArenaCfg,
        OrtMemoryInfo,
        OrtMemType,
        create_and_register_allocator,
    )

    place = OrtMemoryInfo("Cpu", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)
    settings = {
        "max_mem": MOST_BYTES,
        "arena_extend_strategy": 1,
        "initial_chunk_size_bytes": 2**16,
    }
    with contextlib.suppress(Exception):  # a class of its own again
        create_and_register_allocator(place, OrtArenaCfg(settings))


def _reason(error: Exception) -> str:
    """Return what ONNX Runtime means, in the first line."""
    text = str(error).strip() or type(error).__name__
    if "terminate flag" in text:
        return f"it takes longer than {MOST_SECONDS:g} s"
    if "bad_alloc" in text or "bfc_arena" in text:
        return f"it asks for more than {MOST_BYTES / 2**30:g} GB of memory"
    return text.splitlines()[0]


@lru_cache(maxsize=4)
def _kept(path: Path, size: int, changed: int) -> onnxruntime.InferenceSession:
    return open_session(path)
