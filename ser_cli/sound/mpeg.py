"""Headers of MPEG audio: what tells an MP3 from other bytes, and how long it says that it is."""

from __future__ import annotations

from typing import BinaryIO

_RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG 1; MPEG 2 has half of them, 2.5 a quarter
_SEARCHED = 4_096  # bytes of the first frame, in which its length would stand


def is_frame(first: bytes) -> bool:
    """Tell whether a header of MPEG audio (layers 1 to 3, or AAC in ADTS) comes first."""
    if len(first) < 4 or first[0] != 0xFF:
        return False
    adts = first[1] & 0xF6 == 0xF0 and first[2] >> 2 & 0xF < 13
    layer = first[1] & 0xE0 == 0xE0 and first[1] & 0x06 != 0 and first[1] >> 3 & 3 != 1
    usual = first[2] >> 4 not in (0, 15) and first[2] >> 2 & 3 != 3
    return adts or (layer and usual)


def is_mark(first: bytes) -> bool:
    """Tell whether an ID3 mark comes first, as before many an MP3."""
    return first.startswith(b"ID3") and len(first) > 3 and first[3] < 0x10


def stated_s(file: BinaryIO) -> float:
    """Return the seconds that the first frame of an MP3 states, 0 where it does not.

    The file is left at its start.
    """
    file.seek(_after_mark(file))
    frame = file.read(_SEARCHED)
    file.seek(0)
    count = _frames(frame)
    if not count or not is_frame(frame):
        return 0.0
    version, rate = frame[1] >> 3 & 3, _RATES[frame[2] >> 2 & 3]
    samples, slower = {3: (1152, 1), 2: (576, 2)}.get(version, (576, 4))
    return count * samples * slower / rate


def _after_mark(file: BinaryIO) -> int:
    """Return where the sound begins, behind all marks."""
    at = 0
    while True:
        file.seek(at)
        mark = file.read(10)
        if len(mark) < 10 or not is_mark(mark):
            return at
        size = 0
        for byte in mark[6:]:  # seven bits each
            size = size << 7 | byte & 0x7F
        at += size + len(mark)


def _frames(frame: bytes) -> int:
    """Return how many frames a Xing, Info or VBRI header counts, 0 without one."""
    for sign, at in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        place = frame.find(sign)
        header = frame[place : place + at + 4] if place >= 0 else b""
        states = sign == b"VBRI" or (len(header) > 7 and header[7] & 1)
        if len(header) == at + 4 and states:
            return int.from_bytes(header[at:], "big")
    return 0
