"""What a file says of its length, where a decoder guesses, or takes what is there for all of it."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ser_cli.sound import mpeg

MISSING = "its end is missing"

_LARGEST_PAGE = 27 + 255 + 255 * 255  # bytes, of Ogg
_UNKNOWN = 2**32 - 2**16  # bytes of a RIFF; more are stated by who wrote into a pipe
_OFF = 16  # bytes by which the RIFF of a good file is stated too large: its own head, and padding
_ASF_FACTS = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # what begins "File Properties"
_ASF_SEARCHED = 2**16  # bytes in which they stand
_TS_PACKET, _TS_SIGN, _TS_LAST = 188, 0x47, 2**12  # bytes, the first of them, packets looked at
_NIST = re.compile(rb"^(sample_count|sample_rate) -i (\d{1,12})", re.M)
_NIST_HEAD = 1_024  # bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says.

    Attributes:
        seconds: Its length, 0 where it states none; None where its decoder knows what it states.
        cut: Whether its end is missing.
    """

    seconds: float | None = None
    cut: bool = False


@contextmanager
def binary(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a file, which is closed again; one that is open is left where it is."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def read(source: Path | BinaryIO, form: str) -> Said:
    """Return what a file says; an open one is left at its place.

    Args:
        source: The file.
        form: Its format by FFmpeg's or libsndfile's name.
    """
    with binary(source) as file:
        place = file.tell()
        file.seek(0)
        said = _OF[form](file) if form in _OF else Said()
        file.seek(place)
    return said


def _nothing(file: BinaryIO) -> Said:
    return Said(0.0)


def _mpeg(file: BinaryIO) -> Said:
    return Said(mpeg.stated_s(file))


def _ogg(file: BinaryIO) -> Said:
    """Tell whether the last page is whole."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _LARGEST_PAGE))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return Said()
    head = tail[at : at + 27]
    sizes = tail[at + 27 : at + 27 + head[-1]]
    cut = len(head) < 27 or len(sizes) < head[-1] or len(tail) < at + 27 + len(sizes) + sum(sizes)
    return Said(cut=cut)


def _riff(file: BinaryIO) -> Said:
    """Tell whether all of it is there, of AVI also where it goes on behind the first gigabyte."""
    end = file.seek(0, io.SEEK_END)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":
            break
        if size > _UNKNOWN or not size:
            return Said(0.0)
        at += 8 + size + size % 2
    return Said(cut=at > end + _OFF)


def _caf(file: BinaryIO) -> Said:
    """Tell whether all of its sound is there."""
    end = file.seek(0, io.SEEK_END)
    at, name = 8, b""
    while name != b"data" and at + 12 <= end:
        file.seek(at)
        name, size = struct.unpack(">4sq", file.read(12))
        if size < 0:  # as far as the file goes
            break
        at += 12 + size
    return Said(cut=at > end)


def _asf(file: BinaryIO) -> Said:
    """Return the time it plays; what is sent while it is recorded states none."""
    head = file.read(_ASF_SEARCHED)
    at = head.find(_ASF_FACTS)
    if at < 0 or len(head) < at + 92:
        return Said(0.0)
    plays, _, ahead, kind = struct.unpack_from("<QQQI", head, at + 64)
    return Said(0.0 if kind & 1 else max(0.0, plays / 1e7 - ahead / 1e3))


def _ts(file: BinaryIO) -> Said:
    """Tell whether its last packets, and what they carry, are whole; it never states a length."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end // _TS_PACKET - _TS_LAST) * _TS_PACKET)
    tail = file.read()
    packets = [tail[at : at + _TS_PACKET] for at in range(0, len(tail), _TS_PACKET)]
    if any(packet[0] != _TS_SIGN for packet in packets):  # a time stands before each
        return Said(0.0)
    whole = packets[: len(tail) // _TS_PACKET]
    missing: dict[int, int] = {}  # bytes, by the number of a stream
    for packet in whole:
        number, payload = int.from_bytes(packet[1:3], "big") & 0x1FFF, _payload(packet)
        if packet[1] & 0x40:  # something begins, which states its size, unless it is a picture
            size = int.from_bytes(payload[4:6], "big") if payload[:3] == b"\0\0\1" else 0
            missing[number] = size + 6 if size else 0
        missing[number] = missing.get(number, 0) - len(payload)
    return Said(0.0, cut=len(whole) < len(packets) or max(missing.values(), default=0) > 0)


def _payload(packet: bytes) -> bytes:
    """Return what a packet of a transport stream carries, behind its head and what is adapted."""
    start = 5 + packet[4] if packet[3] & 0x20 else 4
    return packet[start:] if packet[3] & 0x10 else b""


def _nist(file: BinaryIO) -> Said:
    stated = {name: int(number) for name, number in _NIST.findall(file.read(_NIST_HEAD))}
    rate = stated.get(b"sample_rate", 0)
    return Said(stated[b"sample_count"] / rate if rate and b"sample_count" in stated else None)


_OF: dict[str, Callable[[BinaryIO], Said]] = {
    # Streams of packets without a header, or with one that states nothing: FFmpeg guesses.
    **dict.fromkeys(("aac", "ac3", "amr", "eac3", "mp3"), _mpeg),
    "mpeg": _nothing,
    "mpegts": _ts,
    "asf": _asf,
    # It takes what is there for all.
    "ogg": _ogg,
    **dict.fromkeys(("avi", "wav"), _riff),
    "caf": _caf,
    **dict.fromkeys(("nistsphere", "NIST"), _nist),
}
