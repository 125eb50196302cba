"""Download one file over HTTP: resumed after a broken connection, verified, then put in place."""

from __future__ import annotations

import hashlib
import importlib.metadata
import random
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLCertVerificationError
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ser_cli.errors import FetchError, SerError
from ser_cli.types import Progress

_CHUNK = 1 << 16
_LONGEST_PAUSE = 120.0
# A link that breaks again and again but brings this much each time is not given up.
_GROWTH = 1 << 20
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_AGAIN = "check the connection and run the same command again: it goes on where it stopped"
_OTHER_WAY = "try again later, or fetch it another way and say where it lies with --from"


class _BrokenError(Exception):
    """An attempt failed in a way that the next may not; `pause` is what the server asks, in s."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class _Job:
    """A file to load; the part of it that is here; and the version (ETag, date) of that part."""

    url: str
    part: Path
    version: Path
    size: int | None
    md5: str | None
    timeout: float
    progress: Progress | None

    def here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def part_version(self) -> str:
        return self.version.read_text(encoding="utf-8") if self.version.exists() else ""

    def start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def tell(self, done: int, total: int | None, note: str) -> None:
        if self.progress:
            self.progress(done, total or 0, note)


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
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url} is not an http or https address", hint="check the address")
    part = dest.with_name(dest.name + ".part")
    job = _Job(url, part, part.with_suffix(".part-version"), size, md5, timeout, progress)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        _persist(job, attempts, sleep)
        if not _is_right(job):
            job.start_over()
            _persist(job, attempts, sleep)
        if not _is_right(job):
            job.start_over()
            raise FetchError(f"{url} is not what was published: its MD5 differs", hint=_OTHER_WAY)
        part.replace(dest)
        job.start_over()
    except OSError as error:
        raise FetchError(f"{dest} cannot be written: {error}", hint="choose --dest") from error
    return dest


def need_space(folder: Path, needed: int) -> None:
    """Raise SerError unless the folder's disk has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SerError(
            f"{folder} needs {needed / 1e6:,.1f} MB, and its disk has {free / 1e6:,.1f} MB free",
            hint="make room, or choose another place with --dest",
        )


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
        except _BrokenError as broken:
            if job.here() >= best + _GROWTH:
                failures, best = 0, job.here()
            failures += 1
            if failures >= attempts:
                raise FetchError(
                    f"{job.url} failed {failures} times in a row: {broken}", hint=_AGAIN
                ) from broken
            # The jitter keeps many machines from coming back at the same moment.
            backoff = min(2.0**failures, 60.0) * random.uniform(0.5, 1.0)
            pause = backoff if broken.pause is None else broken.pause
            job.tell(job.here(), job.size, f"{broken}; trying again in {pause:.0f} s")
            sleep(pause)


def _attempt(job: _Job) -> None:
    """Load with one request what is missing."""
    if job.size is not None and job.here() == job.size:
        return
    with _open(job) as response:
        if response.status == 416 and _whole(response) == job.here():
            return
        start, total = _span(job, response)
        need_space(job.part.parent, total - start if total else 0)
        if start == 0:
            job.version.write_text(_version(response.headers), encoding="utf-8")
        with job.part.open("ab" if start else "wb") as file:
            for chunk in _chunks(job, response):
                file.write(chunk)
                job.tell(file.tell(), total, f"fetching {job.part.stem}")
    if total is not None and job.here() < total:
        raise _BrokenError(f"the connection ended after {job.here():,} of {total:,} bytes")


def _open(job: _Job) -> HTTPResponse:
    headers = {"User-Agent": f"ser/{_own_version()}", "Accept-Encoding": "identity"}
    version = job.part_version()
    # Without a version to compare, only a checksum can tell whether two pieces belong together.
    if job.here() and (version or job.md5):
        headers["Range"] = f"bytes={job.here()}-"
        if version:
            headers["If-Range"] = version
    with _network(job):
        request = urllib.request.Request(job.url, headers=headers)
        response: HTTPResponse = _opener().open(request, timeout=job.timeout)
        return response


def _opener() -> urllib.request.OpenerDirector:
    """Make an opener that a redirect cannot lead away from http and https."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        _PassRangeErrors,
    ):
        opener.add_handler(handler())
    return opener


class _PassRangeErrors(urllib.request.HTTPErrorProcessor):
    """Hand 416 (range not satisfiable) on as an answer: it tells that the part may be whole."""

    def http_response(
        self, request: urllib.request.Request, response: HTTPResponse
    ) -> HTTPResponse:
        return response if response.status == 416 else super().http_response(request, response)

    https_response = http_response


def _chunks(job: _Job, response: HTTPResponse) -> Iterator[bytes]:
    while True:
        with _network(job):
            chunk = response.read(_CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _network(job: _Job) -> Iterator[None]:
    """Sort what goes wrong on the way into what may pass and what will not."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code in _PASSING:
            raise _BrokenError(f"the server answers {error.code}", _pause(error.headers)) from error
        raise FetchError(
            f"{job.url}: the server answers {error.code} {error.reason}", hint=_OTHER_WAY
        ) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, SSLCertVerificationError):
            raise FetchError(f"{job.url}: its certificate is not trusted: {reason}") from error
        raise _BrokenError(str(reason) or type(reason).__name__) from error


def _span(job: _Job, response: HTTPResponse) -> tuple[int, int | None]:
    """Return where this answer begins in the file, and the file's bytes in all, if it says.

    Raises:
        _BrokenError: It does not fit the part that is here, which is dropped.
        FetchError: It is not the file that was promised.
    """
    headers = response.headers
    start, total = 0, _number(headers["Content-Length"])
    if response.status != 200:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers["Content-Range"] or "")
        changed = _version(headers) not in ("", job.part_version())
        if response.status != 206 or not span or int(span[1]) != job.here() or changed:
            job.start_over()
            raise _BrokenError("the part that is here does not fit the file any more")
        start, total = int(span[1]), _number(span[2])
    if job.size is not None and total not in (None, job.size):
        job.start_over()
        raise FetchError(
            f"{job.url} is not what was published: {total:,} bytes instead of {job.size:,}",
            hint=_OTHER_WAY,
        )
    return start, total or job.size


def _version(headers: Message) -> str:
    """Return what names this version of the file: a strong ETag, else its date, else ""."""
    etag = headers["ETag"] or ""
    return etag if etag.startswith('"') else headers["Last-Modified"] or ""


def _whole(response: HTTPResponse) -> int | None:
    return _number((response.headers["Content-Range"] or "").rpartition("/")[2])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _pause(headers: Message) -> float | None:
    """Read Retry-After, in seconds or as a date; no server is waited for longer than 2 minutes."""
    text = (headers["Retry-After"] or "").strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _LONGEST_PAUSE)


def _own_version() -> str:
    try:
        return importlib.metadata.version("ser")
    except importlib.metadata.PackageNotFoundError:
        return "0"
