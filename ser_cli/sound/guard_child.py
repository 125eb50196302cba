"""The other side of `guard`: the process that decodes, and may crash, hang or run out of memory."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar, cast

import numpy as np

from ser_cli.sound.decode import Stream, UndecodableError

T = TypeVar("T")

# What is told of a stream with every answer.
TELLING = ("stated_s", "broken", "damaged", "damaged_s", "floats", "tracks")
COPIED = 2**20  # bytes of a file without a name that travel at a time
_IN_MEMORY = 2**25  # bytes of it that are held there
_TOGETHER = 2**14  # samples that travel at a time: frames of FFmpeg are shorter


def serve(stall_s: float, memory_mb: int) -> None:
    """Be the child: answer until the parent is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 1)  # no library's words among the answers
        _bound(memory_mb)
        with contextlib.suppress(BrokenPipeError):
            for line in sys.stdin.buffer:
                for answer, samples in _in_time(_answers(json.loads(line)), stall_s, null):
                    answers.write(json.dumps(answer).encode() + b"\n")
                    answers.write(samples)
                    answers.flush()


def _answers(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield what is answered about one file, and the samples that go with it."""
    try:
        source = Path(request["path"]) if "path" in request else _copied(**request["copy"])
        module, decoder = request["decoder"]
        with getattr(import_module(module), decoder)(source, **request["options"]) as stream:
            yield {"rate": stream.rate, "channels": stream.channels, **_told(stream)}, b""
            for told, block in _together(stream):
                yield {"samples": block.size, **told}, block.tobytes()
            yield {"samples": 0, **_told(stream)}, b""
    except UndecodableError as error:
        yield {"error": str(error)}, b""
    except MemoryError:
        yield {"error": "its decoder asked for more memory than it may have"}, b""
    except Exception as error:  # of a library: a file's loss
        yield {"error": f"its decoder failed on it ({type(error).__name__}: {error})"}, b""


def _copied(size: int, on_disk: bool) -> BinaryIO:
    """Return a file without a name; if it is large, on the disk where it may be."""
    most = _IN_MEMORY if on_disk else 0  # 0: however large
    copy = tempfile.SpooledTemporaryFile(max_size=most)  # noqa: SIM115 - closed when dropped
    try:
        for part in _parts(size):
            size -= len(part)
            copy.write(part)
    except (MemoryError, OSError):  # or the disk is full
        copy.close()
        deque(_parts(size), maxlen=0)  # what is still on its way is no request
        raise
    copy.seek(0)
    return cast("BinaryIO", copy)


def _parts(size: int) -> Iterator[bytes]:
    while size and (part := sys.stdin.buffer.read(min(size, COPIED))):
        size -= len(part)
        yield part


def _together(stream: Stream) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Join small blocks, so that fewer travel; yield what is told of the stream up to each."""
    held: list[np.ndarray] = []
    told = _told(stream)

    def joined() -> tuple[dict[str, Any], np.ndarray]:
        block = np.concatenate(held, dtype=np.float32)
        held.clear()
        return told, block

    size = 0  # counted as they come: a hostile file has a block for each sample
    for block in stream.blocks:
        # What is damaged begins a block, so that it is known where it is heard.
        if held and stream.damaged > told["damaged"]:
            yield joined()
            size = 0
        held.append(block)
        size, told = size + block.size, _told(stream)
        if size >= _TOGETHER:
            yield joined()
            size = 0
    if held:
        yield joined()


def _told(stream: Stream) -> dict[str, Any]:
    return {name: getattr(stream, name) for name in TELLING}


def _in_time(answers: Iterator[T], stall_s: float, null: TextIO) -> Iterator[T]:
    """Pass on each answer; end the process, whatever it does, if one takes too long."""
    while True:
        faulthandler.dump_traceback_later(stall_s, exit=True, file=null)
        answer = next(answers, None)
        faulthandler.cancel_dump_traceback_later()  # the parent may take its time
        if answer is None:
            return
        yield answer


def _bound(memory_mb: int) -> None:
    """Bound the memory that this process may ask for, beyond what it has: on Linux."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + memory_mb * 2**20
    most = resource.getrlimit(resource.RLIMIT_AS)[1]  # as `ulimit -v` or a cluster sets it
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
