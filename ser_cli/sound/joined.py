"""Recordings that were joined as bytes: one WAV behind another, several data chunks, FLAC, AMR.

A reader of one recording takes the first and passes the rest over without a word.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ser_cli.sound.headers import binary

# With the block of facts that comes first, of 34 bytes; and where no other block follows it.
_FLAC = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
_AMR = (b"#!AMR\n", b"#!AMR-WB\n")
_STEP = 2**22  # bytes looked through at a time
_MOST = 2**32 - 2**16  # bytes of a chunk; larger ones are of a writer that did not know


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file: where they begin, and how many they are."""

    at: int
    size: int


class Pieces(io.RawIOBase):
    """A file of some bytes, followed by pieces of another file."""

    def __init__(self, head: bytes, file: BinaryIO, pieces: list[Piece]) -> None:
        """Put it together; nothing is read yet."""
        self.head, self.file, self.pieces = head, file, pieces
        self.size = len(head) + sum(piece.size for piece in pieces)
        self.at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any place can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, which may lie behind the end."""
        self.at = max(0, offset + (0, self.at, self.size)[whence])
        return self.at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Read what is at the place, up to the end of its piece."""
        at = self.at
        part = self.head[at : at + len(buffer)]
        at -= len(self.head)
        for piece in self.pieces:
            if part or at < 0:
                break
            if at < piece.size:
                self.file.seek(piece.at + at)
                part = self.file.read(min(len(buffer), piece.size - at))
            at -= piece.size
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


@contextmanager
def whole_wav(source: Path | BinaryIO) -> Iterator[Path | BinaryIO]:
    """Yield a WAV as one of a single data chunk, where it has several; else the source."""
    with binary(source) as file:
        file.seek(0)
        first = file.read(12)
        kind, pieces = _chunks(file) if first[:4] + first[8:] == b"RIFFWAVE" else (b"", [])
        if len(pieces) > 1 and kind:
            size = sum(piece.size for piece in pieces)
            head = b"WAVEfmt " + struct.pack("<I", len(kind)) + kind
            head += b"data" + struct.pack("<I", size)
            start = b"RIFF" + struct.pack("<I", len(head) + size) + head
            yield _pieced(start, file, pieces)
        else:
            file.seek(0)
            yield source


def is_chain(source: Path | BinaryIO, first: bytes) -> bool:
    """Tell whether a FLAC is followed by another one, which FFmpeg reads on to."""
    if not first.startswith(_FLAC):
        return False
    with binary(source) as file:
        return next(_places(file, _FLAC, after=1), None) is not None


def whole_amr(file: BinaryIO) -> BinaryIO:
    """Return an AMR as one, where others follow it: the mark that begins each is no sound.

    Any other file is returned as it is, at its start.
    """
    file.seek(0)
    first = file.read(max(map(len, _AMR)))
    mark = next((mark for mark in _AMR if first.startswith(mark)), b"")
    starts = [at + len(mark) for at in _places(file, (mark,))] if mark else []
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    if len(starts) < 2:
        return file
    ends = [*(start - len(mark) for start in starts[1:]), end]
    return _pieced(mark, file, [Piece(a, b - a) for a, b in zip(starts, ends, strict=True)])


def _pieced(head: bytes, file: BinaryIO, pieces: list[Piece]) -> BinaryIO:
    return io.BufferedReader(Pieces(head, file, pieces))  # type: ignore[type-var]


def _places(file: BinaryIO, signs: tuple[bytes, ...], after: int = 0) -> Iterator[int]:
    """Yield where one of some signs of the same length stands in a file."""
    at, kept = file.seek(after), b""
    while block := file.read(_STEP):
        block = kept + block
        for sign in signs:
            place = block.find(sign)
            while place >= 0:
                yield at + place
                place = block.find(sign, place + 1)
        kept = block[-len(signs[0]) + 1 :]  # a sign may lie across
        at += len(block) - len(kept)


def _chunks(file: BinaryIO) -> tuple[bytes, list[Piece]]:
    """Return the format of a WAV, and its data: of all chunks, as long as the format stays."""
    end = file.seek(0, io.SEEK_END)
    at, kind, pieces = 12, b"", []
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"RIFF":  # the next recording
            at += 12
            continue
        held = min(size, end - at - 8)
        if name == b"fmt ":
            found = file.read(min(held, 64))
            if kind and found != kind:
                break
            kind = found
        elif name == b"data" and size <= _MOST and size:
            pieces.append(Piece(at + 8, held))
        elif name == b"data":  # to the end, as its size is not known
            return kind, []
        at += 8 + held + held % 2
    whole = sum(piece.size for piece in pieces)
    return kind, pieces if whole <= _MOST else []
