"""How much one visitor may take of the server, so that none stalls or fills it for the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ser_cli.errors import SerError
from ser_cli.sound.limits import USUAL, Limits

UPLOAD_MB = 100  # a file: two hours of speech as MP3; heard, it fits into the 1 GB of free hosts
VISITOR_FILES = 50  # uploads of a visitor that are held at a time
VISITOR_MB = 2 * UPLOAD_MB  # of them together
SERVER_MB = 4 * UPLOAD_MB  # of all visitors together
VISITORS = 100  # open pages
MESSAGE_MB = 20  # between page and server
DRAWN_S = 15 * 60.0  # of a recording that is drawn, or decoded to be played: 2 MB a minute
DRAWN_TOGETHER_S = 60 * 60.0  # of all of a visitor that are open
WORK_S = 300.0  # for all files of a visitor; a minute of speech takes about a second
TOGETHER = 2  # visitors whose files are heard at a time
PATIENCE_S = 60.0  # that the others wait for their turn
FORGET_S = 20.0  # after a page is closed, in which it may come back (a phone changes networks)


def allow(upload_mb: int) -> None:
    """Let in files of at most so many MB; what holds several of them grows with that."""
    global UPLOAD_MB, VISITOR_MB, SERVER_MB, WORK_S
    UPLOAD_MB = upload_mb
    VISITOR_MB = max(VISITOR_MB, 2 * upload_mb)
    SERVER_MB = max(SERVER_MB, 4 * upload_mb)
    WORK_S = max(WORK_S, 3.0 * upload_mb)


def of_recording() -> Limits:
    """Return the bounds on one recording, which its decoder holds in memory and on no disk."""
    return Limits(memory_mb=USUAL.memory_mb + 2 * UPLOAD_MB, on_disk=False)


_turns = threading.BoundedSemaphore(TOGETHER)


@contextmanager
def turn() -> Iterator[None]:
    """Wait until fewer than TOGETHER visitors are served, then be served.

    Raises:
        SerError: That takes too long.
    """
    if not _turns.acquire(timeout=PATIENCE_S):
        raise SerError(
            "the server is busy with the recordings of other visitors",
            hint="reload the page in a minute",
        )
    try:
        yield
    finally:
        _turns.release()
