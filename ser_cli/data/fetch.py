"""Download one file over HTTP: resumed after a broken connection, verified, then put in place."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from urllib3 import BaseHTTPResponse

from ser_cli.data.request import OTHER_WAY, BrokenError, request
from ser_cli.data.store import need_space, sync_file, sync_folder
from ser_cli.errors import FetchError
from ser_cli.types import Progress

_CHUNK = 1 << 16
# A link that breaks again and again but brings this much each time is not given up.
_GROWTH = 1 << 20
_AGAIN = "check the connection and run the same command again: it resumes"


@dataclass(frozen=True, slots=True)
class _Job:
    """A file to load; the part of it that is here; and the version (ETag, date) of that part."""

    url: str
    part: Path
    version: Path
    size: int | None
    md5: str | None
    timeout: float
    progress: Progress

    def here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def part_version(self) -> str:
        return self.version.read_text(encoding="utf-8") if self.version.exists() else ""

    def start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def fetch(
    url: str,
    dest: Path,
    *,
    size: int | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
    attempts: int = 5,
    timeout: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download a file; what an earlier, broken run left in `dest`.part is not loaded again.

    Content that fails its check is loaded once more from its beginning, since the fault may lie
    in an old part.

    Args:
        url: http or https.
        dest: The file to write; its folder is made.
        size: Its bytes, where they are known.
        md5: Its MD5 in hexadecimal, where it is known.
        progress: Told (bytes here, bytes in all or 0, "fetching NAME" or why it waits).
        attempts: Failures in a row, with no progress between them, before giving up.
        timeout: Seconds without an answer that count as a failure.
        sleep: Waits between attempts, seconds.

    Returns:
        dest.

    Raises:
        FetchError: The address cannot be fetched, or what came is not what was promised.
        SerError: The disk has too little space.
    """
    parsed(url)
    part = dest.with_name(dest.name + ".part")
    told = progress or (lambda done, total, note, unit="": None)
    job = _Job(url, part, part.with_suffix(".part-version"), size, md5, timeout, told)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            _persist(job, attempts, sleep)
            if _is_right(job):
                sync_file(part)
                part.replace(dest)
                sync_folder(dest.parent)
                job.start_over()
                return dest
            job.start_over()
    except OSError as error:
        raise FetchError(f"{dest} cannot be written: {error}", hint="choose --dest") from error
    raise FetchError(f"{url} is not what was published: its MD5 differs", hint=OTHER_WAY)


def parsed(url: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        FetchError: It is not one of http or https.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # as an unclosed bracket
        parts = urlsplit("")
    if parts.scheme not in ("http", "https"):
        raise FetchError(f"{url} is not an http or https address", hint="check the address")
    return parts


def _is_right(job: _Job) -> bool:
    if job.md5 is None:
        return True
    with job.part.open("rb") as file:
        # MD5 is what the publisher states: it guards against accidents, not against attackers.
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return found.hexdigest() == job.md5


def _persist(job: _Job, attempts: int, sleep: Callable[[float], None]) -> None:
    """Try until the whole file is here, waiting longer after each failure in a row."""
    failures, best = 0, job.here()
    while True:
        try:
            return _attempt(job)
        except BrokenError as broken:
            if job.here() >= best + _GROWTH:
                failures, best = 0, job.here()
            failures += 1
            if failures >= attempts:
                raise FetchError(
                    f"{job.url} failed {failures} times in a row: {broken}", hint=_AGAIN
                ) from broken
            # The jitter keeps many machines from coming back at the same moment.
            pause = broken.pause or min(2.0**failures, 60.0) * random.uniform(0.5, 1.0)
            note = f"{broken}; trying again in {pause:.0f} s"
            job.progress(job.here(), job.size or 0, note, "bytes")
            sleep(pause)


def _attempt(job: _Job) -> None:
    """Load with one request what is missing."""
    if job.size is not None and job.here() == job.size:
        return
    with request(job.url, _conditions(job), job.timeout) as response:
        if response.status == 416 and _whole(response) == job.here():
            return
        start, total = _span(job, response)
        need_space(job.part.parent, total - start if total else 0)
        if start == 0:
            job.version.write_text(_version(response), encoding="utf-8")
        with job.part.open("ab" if start else "wb") as file:
            for chunk in response.stream(_CHUNK):
                file.write(chunk)
                job.progress(file.tell(), total or 0, f"fetching {job.part.stem}", "bytes")
    if total is not None and job.here() < total:
        raise BrokenError(f"the connection ended after {job.here():,} of {total:,} bytes")


def _conditions(job: _Job) -> dict[str, str]:
    """Ask for the rest alone, if the file is still the one whose part is here."""
    version = job.part_version()
    # Without a version to compare, only a checksum can tell whether two pieces belong together.
    if not job.here() or not (version or job.md5):
        return {}
    return {"Range": f"bytes={job.here()}-"} | ({"If-Range": version} if version else {})


def _span(job: _Job, response: BaseHTTPResponse) -> tuple[int, int | None]:
    """Return where this answer begins in the file, and the file's bytes in all, if it states them.

    Raises:
        BrokenError: It does not fit the part that is here, which is dropped.
        FetchError: It is not the file that was promised.
    """
    start, total = 0, _number(response.headers.get("Content-Length"))
    if response.status != 200:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        changed = _version(response) not in ("", job.part_version())
        if response.status != 206 or not span or int(span[1]) != job.here() or changed:
            job.start_over()
            raise BrokenError("the partial download no longer matches the file")
        start, total = int(span[1]), _number(span[2])
    if job.size is not None and total not in (None, job.size):
        job.start_over()
        raise FetchError(
            f"{job.url} is not what was published: {total:,} bytes instead of {job.size:,}",
            hint=OTHER_WAY,
        )
    return start, total or job.size


def _version(response: BaseHTTPResponse) -> str:
    """Return what names this version of the file: a strong ETag, else its date, else ""."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _whole(response: BaseHTTPResponse) -> int | None:
    return _number(response.headers.get("Content-Range", "").rpartition("/")[2])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
