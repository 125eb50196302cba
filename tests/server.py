"""A server on this machine: a free port, and waiting until it answers."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ser_cli

assert ser_cli.__file__
PAGE = Path(ser_cli.__file__).parent / "web" / "page.py"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def within(seconds: float, found: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.2)
    return answer


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
