"""How much one visitor may take of the server, so that none stalls or fills it for the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ser_cli.errors import SerError

UPLOAD_MB = 10  # a file; ten of them, opened, fit into the 1 GB of the free hosts
VISITOR_FILES = 50  # uploads of a visitor that are held at a time
VISITOR_MB = 100  # of them together
SERVER_MB = 400  # of all visitors together
VISITORS = 100  # open pages
MESSAGE_MB = 20  # between page and server
LENGTH_S = 15 * 60.0  # of sound in a file
VISITOR_S = 60 * 60.0  # of sound in all files of a visitor: what is played takes 2 MB a minute
WORK_S = 120.0  # for all files of a visitor; a minute of speech takes about a second
TOGETHER = 2  # visitors whose files are heard at a time
PATIENCE_S = 60.0  # that the others wait for their turn
FORGET_S = 20.0  # after a page is closed, in which it may come back (a phone changes networks)

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
