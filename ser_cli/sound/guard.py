"""Decoders in a process of their own, where they may crash, hang or ask for all memory.

A child is asked with a line of JSON (and the bytes of a file that has no name), and answers with
lines of JSON and the samples after them: nothing that it sends is ever unpickled.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from ser_cli.errors import SerError
from ser_cli.sound.decode import Stream, UndecodableError
from ser_cli.sound.guard_child import COPIED, TELLING
from ser_cli.sound.limits import Limits

Decoder = Callable[..., AbstractContextManager[Stream]]  # of a file

_START = (
    "import sys; sys.path[:] = {}; from ser_cli.sound import guard_child; guard_child.serve({}, {})"
)
_NO_PYTHON = (
    "FFmpeg is run in a process of its own, where it may crash, and this program does not say "
    "which Python starts one: sys.executable is empty"
)
_SKIPPED = 2**22  # samples of an end that nobody wants to hear; then the child is given up
_LATE = 1  # exit code of a child that was too slow
_idle: list[_Child] = []  # the one that waits for the next file


@contextmanager
def guarded(
    decoder: Decoder, source: Path | BinaryIO, limits: Limits, **options: int | None
) -> Iterator[Stream]:
    """Decode in a child process.

    Args:
        decoder: What is to run there: a function of a module.
        source: A file, or an open binary file.
        limits: Time and memory of the child.
        options: What the decoder takes besides.

    Raises:
        UndecodableError: It cannot, or the child crashed, hung or had not enough memory.
        SerError: There is no Python to start it with.
    """
    try:
        child = _idle.pop()
    except IndexError:  # not looked for before: another thread may take it meanwhile
        child = _Child(limits)
    if child.limits != limits or not child.is_alive():
        child.kill()
        child = _Child(limits)
    try:
        child.ask(decoder, source, options)
        yield child.stream()
        child.skip(_SKIPPED)  # who is interrupted does not wait for it
    finally:
        if child.is_free and not _idle:
            _idle.append(child)
        else:  # in the middle of a file, or one too many
            child.kill()


class _Child:
    """A process that decodes one file after the other."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.is_free = limits, True
        self._rest: Iterator[np.ndarray] = iter(())
        self._owner = os.getpid()
        if not sys.executable:  # of a program that Python is a part of
            raise SerError(_NO_PYTHON, hint="set it before: sys.executable = '/usr/bin/python3'")
        start = _START.format(sys.path, limits.stall_s, limits.memory_mb)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin and self._process.stdout
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout

    def is_alive(self) -> bool:
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(
        self, decoder: Decoder, source: Path | BinaryIO, options: Mapping[str, int | None]
    ) -> None:
        self.is_free, self._rest = False, iter(())
        request: dict[str, Any] = {"decoder": [decoder.__module__, decoder.__name__]}
        request["options"] = dict(options)
        if isinstance(source, Path):
            self._send(json.dumps(request | {"path": str(source.absolute())}).encode() + b"\n")
            return
        left = source.seek(0, io.SEEK_END)
        source.seek(0)
        request["copy"] = {"size": left, "on_disk": self.limits.on_disk}
        self._send(json.dumps(request).encode() + b"\n")
        while part := source.read(min(left, COPIED)):  # no more than was said, if it grows
            self._send(part)
            left -= len(part)

    def stream(self) -> Stream:
        head = self._answer()
        stream = Stream(head["rate"], head["channels"], iter(()))
        self._told(stream, head)
        stream.blocks = self._rest = self._blocks(stream)
        return stream

    @staticmethod
    def _told(stream: Stream, answer: dict[str, Any]) -> None:
        for name in TELLING:
            setattr(stream, name, answer[name])

    def skip(self, samples: int) -> None:
        """Pass over the rest of a short file, so that the child need not be ended."""
        with contextlib.suppress(UndecodableError):
            for block in self._rest:
                samples -= len(block)
                if samples < 0:
                    return

    def kill(self) -> None:
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in (self._requests, self._answers):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _blocks(self, stream: Stream) -> Iterator[np.ndarray]:
        while True:
            answer = self._answer()
            self._told(stream, answer)
            if not answer["samples"]:
                self.is_free = True
                return
            content = self._answers.read(4 * answer["samples"])
            if len(content) < 4 * answer["samples"]:
                raise UndecodableError(self._why())
            yield np.frombuffer(content, np.float32).reshape(-1, stream.channels)

    def _send(self, content: bytes) -> None:
        try:
            self._requests.write(content)
            self._requests.flush()
        except OSError as error:
            raise UndecodableError(self._why()) from error

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise UndecodableError(self._why())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            self.is_free = True
            raise UndecodableError(answer["error"])
        return answer

    def _why(self) -> str:
        """Return why the child has ended."""
        code = self._process.wait()
        if code == _LATE:
            return f"its decoder did not answer for {self.limits.stall_s:g} s"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"its decoder crashed on it ({signal.Signals(-code).name})"
        return f"its decoder crashed on it (exit code {code})"


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().kill()
