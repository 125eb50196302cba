"""Unpack a zip that came from outside: nothing leaves the folder, all of it comes or none."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from ser_cli.data.store import need_space
from ser_cli.errors import FetchError
from ser_cli.types import Progress

# RAVDESS as published unpacks to 1.1 GB, and a copy that is about holds every file twice.
_MOST_BYTES = 4 << 30
_MOST_ENTRIES = 20_000
_BAD = "fetch the archive again, or from elsewhere"


def unpack(
    archive: Path, dest: Path, *, most_bytes: int = _MOST_BYTES, progress: Progress | None = None
) -> Path:
    """Unpack a zip into a new folder, which appears only when all of it is there.

    Args:
        archive: The zip.
        dest: The folder to make; it must not exist yet.
        most_bytes: What the contents may come to, as a guard against zip bombs.
        progress: Told (files done, files in all, "unpacking NAME").

    Returns:
        dest.

    Raises:
        FetchError: The zip is damaged, locked, too large unpacked, or has an entry that points
            out of the folder or is not a plain file.
        SerError: The disk has too little space.
    """
    # One name, so that what a killed run left is swept by the next.
    temporary = dest.with_name(f".{dest.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _extract(archive, temporary, most_bytes, progress)
        temporary.rename(dest)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FetchError(f"{archive} cannot be unpacked: {error}", hint=_BAD) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return dest


def _extract(archive: Path, folder: Path, most_bytes: int, progress: Progress | None) -> None:
    with zipfile.ZipFile(archive) as zipped:
        entries = zipped.infolist()
        for entry in entries:
            _check(archive, entry)
        # zipfile gives no more bytes of an entry than its header states, so the sum is a bound.
        total = sum(entry.file_size for entry in entries)
        if total > most_bytes or len(entries) > _MOST_ENTRIES:
            raise FetchError(
                f"{archive} would unpack to {total / 1e6:,.0f} MB in {len(entries):,} entries, "
                f"more than the {most_bytes / 1e6:,.0f} MB expected",
                hint=_BAD,
            )
        need_space(folder, total)
        for done, entry in enumerate(entries, start=1):
            zipped.extract(entry, folder)
            if progress:
                progress(done, len(entries), f"unpacking {archive.name}", "files")


def _check(archive: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse names that lead elsewhere on any system, and anything but files and folders."""
    # Windows' rules are the stricter ones: both slashes part names, and a colon names a drive.
    path = PureWindowsPath(entry.orig_filename)
    if path.drive or path.root or ".." in path.parts or ":" in entry.orig_filename:
        raise FetchError(f"{archive} is unsafe: {entry.orig_filename!r} leads elsewhere", hint=_BAD)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FetchError(
            f"{archive} is unsafe: {entry.orig_filename!r} is a link or device", hint=_BAD
        )
