"""What a file is, told by its first bytes, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ser_cli.sound import mpeg

# Endings of sound and of video with sound: such a file is tried, whatever it holds.
# fmt: off
ENDINGS: frozenset[str] = frozenset({
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".aiff",
    ".aif", ".aifc", ".au", ".caf", ".wma", ".mka", ".mkv", ".mov", ".3gp", ".amr", ".w64",
    ".rf64", ".ac3", ".avi", ".awb", ".flv", ".gsm", ".m4b", ".m4r", ".m4v", ".mp2", ".mpeg",
    ".mpg", ".mpga", ".snd", ".sph", ".spx", ".ts", ".tta", ".voc", ".wv",
})
# fmt: on

HEAD = 512  # bytes that are looked at
SHORTEST_TEXT = 16  # bytes; fewer may be the beginning of anything

# Where they stand, and the bytes: of containers and streams that hold sound.
_SOUND: tuple[tuple[int, bytes], ...] = (
    (0, b"fLaC"), (0, b"OggS\0"), (0, b".snd"), (0, b"caff\0\1"), (0, b"#!AMR"),
    (0, b"FLV\1"), (0, b"wvpk"), (0, b"TTA1"), (0, b"NIST_1A"), (0, b"riff.\x91\xcf\x11"),
    (0, b"Creative Voice File"), (0, b"\x1aE\xdf\xa3"), (0, b"0&\xb2u\x8ef\xcf\x11"),
    (0, b"\0\0\1\xba"), (0, b"\x0bw"), (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (8, b"WAVE"),
    (8, b"AVI "), (8, b"AIFF"), (8, b"AIFC"),
)  # fmt: skip
_NEITHER = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, whose mark looks like a frame of MPEG
# Pictures in the container of MP4.
_STILLS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftypavif", b"ftypcrx ")
_TS_PACKET, _TS_SIGN = 188, 0x47  # bytes of a packet of an MPEG transport stream, and its first

# The same of what is taken for sound by mistake, and what it is.
_OTHER: tuple[tuple[int, bytes, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the sound (fetch it: git lfs pull)"),
    (0, b"PK\3\4", "a ZIP archive (unpack it)"),
    (0, b"\x1f\x8b", "a gzip archive (unpack it)"),
    (0, b"Rar!", "a RAR archive (unpack it)"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it)"),
    (257, b"ustar", "a tar archive (unpack it)"),
    (0, b"MThd", "MIDI, which is notes and no sound"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"GIF8", "a picture"),
)
_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"<head")


def is_sound(path: Path) -> bool:
    """Tell whether a file is one of sound by its ending, or else by its first bytes."""
    return path.suffix.lower() in ENDINGS or holds_sound(head(path))


def head(path: Path) -> bytes:
    """Return the first bytes of a file; none where it cannot be read."""
    try:
        if not path.is_file():  # to open a pipe would wait for whoever writes to it
            return b""
        with path.open("rb") as stream:
            return stream.read(HEAD)
    except OSError:
        return b""


def holds_sound(first: bytes) -> bool:
    """Tell whether these are the first bytes of a file of sound, or of video."""
    if first.startswith(_NEITHER) or first[4:12] in _STILLS:
        return False
    known = is_stream(first) or any(first.startswith(sign, at) for at, sign in _SOUND)
    packets = first[::_TS_PACKET]
    stream = len(packets) > 2 and set(packets) == {_TS_SIGN}
    return known or stream


def is_stream(first: bytes) -> bool:
    """Tell whether these are the first bytes of MP3 or Ogg, which may be chained and unmeasured."""
    return mpeg.is_mark(first) or first.startswith(b"OggS\0") or mpeg.is_frame(first)


def is_plain(first: bytes) -> bool:
    """Tell whether these are the first bytes of WAV, AIFF or FLAC."""
    return first[8:12] in (b"WAVE", b"AIFF", b"AIFC") or first.startswith(b"fLaC")


def other(first: bytes) -> str | None:
    """Return what these first bytes are of, where that is known and no sound."""
    for at, sign, what in _OTHER:
        if first.startswith(sign, at):
            return what
    if first.startswith(_NEITHER):
        return "a text in UTF-16 and no sound"
    if first[4:12] in _STILLS:
        return "a picture"
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_PAGE):
        return "a page of the web, not the sound (it may need a login)"
    words = len(first) >= SHORTEST_TEXT and not holds_sound(first) and all(_printed(first))
    return "a text and no sound" if words else None


def _printed(first: bytes) -> Iterator[bool]:
    """Yield for each character whether it is one that people write; False where none is decoded."""
    try:
        text = first.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the end of these bytes cuts is one.
        if error.start < len(first) - 3:
            yield False
            return
        text = first[: error.start].decode("utf-8")
    yield from (sign.isprintable() or sign.isspace() for sign in text)
