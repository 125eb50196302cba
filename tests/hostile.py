"""Decoders that do what no decoder should, to be run in a process of their own."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ser_cli.sound.decode import Stream


def _blocks(last: str) -> Iterator[np.ndarray]:
    yield np.full((2**15, 1), 0.5, np.float32)
    if last == "crash":
        ctypes.string_at(0)
    if last == "hang":
        time.sleep(60)
    if last == "failure":
        raise KeyError("a library's own mistake")
    if last == "greed":
        np.ones(2**31)


@contextmanager
def crashing(source: Path | BinaryIO, **options: int | None) -> Iterator[Stream]:
    yield Stream(16_000, 1, _blocks("crash"))


@contextmanager
def hanging(source: Path | BinaryIO) -> Iterator[Stream]:
    yield Stream(16_000, 1, _blocks("hang"))


@contextmanager
def failing(source: Path | BinaryIO) -> Iterator[Stream]:
    yield Stream(16_000, 1, _blocks("failure"))


@contextmanager
def greedy(source: Path | BinaryIO) -> Iterator[Stream]:
    yield Stream(16_000, 1, _blocks("greed"))


@contextmanager
def talkative(source: Path | BinaryIO) -> Iterator[Stream]:
    print("a library's words")
    content = source.read_bytes() if isinstance(source, Path) else source.read()
    samples = np.frombuffer(content, np.uint8).astype(np.float32)
    yield Stream(16_000, 1, iter([samples[:, None]]), stated_s=1.0, damaged=2)


@contextmanager
def measuring(source: BinaryIO) -> Iterator[Stream]:
    """Hear one sample, once all was read."""
    while source.read(2**20):
        pass
    yield Stream(16_000, 1, iter([np.zeros((1, 1), np.float32)]))
