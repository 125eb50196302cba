"""The page as a server: Streamlit's application behind the guard, and a memory that forgets."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
import webbrowser
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ser_cli import process
from ser_cli.web import limits
from ser_cli.web.guard import Guard

PAGE = Path(__file__).with_name("page.py")
LOOK_S = 1.0  # from one look for closed pages to the next

_sessions: dict[str, float] = {}  # of visitors -> when it was last seen open
_forgetting: set[asyncio.Task[None]] = set()  # at most one


def seen(session: str) -> bool:
    """Remember that a visitor has a session; return whether it will be forgotten.

    It will once its page is closed, except where `streamlit run` serves the page.
    """
    if _forgetting:
        _sessions[session] = time.monotonic()
    return bool(_forgetting)


def settings(host: str, port: int) -> Mapping[str, Any]:
    """Return the server's options, in Streamlit's names."""
    return {
        "server.address": host,
        "server.port": port,
        "server.maxUploadSize": limits.UPLOAD_MB,
        "server.maxMessageSize": limits.MESSAGE_MB,
        # Longer than we wait: what Streamlit has given up can be found no more, and stays.
        "server.disconnectedSessionTTL": round(limits.FORGET_S) + 60,
        "server.fileWatcherType": "none",  # nobody edits an installed package
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",  # a visitor learns nothing about this machine
    }


def serve(
    host: str, port: int, address: str, *, allowed: Collection[str], frames: Collection[str]
) -> None:
    """Serve the page in this process until it is interrupted or told to end.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        address: What a browser is to open.
        allowed: Further names that the server is known by.
        frames: Addresses of the pages that may show this one inside them.
    """
    import streamlit as st
    from starlette.middleware import Middleware

    @asynccontextmanager
    async def alive(app: st.App) -> AsyncIterator[None]:
        task = asyncio.create_task(_forget())
        _forgetting.add(task)
        if not st.get_option("server.headless"):
            webbrowser.open(address)
        yield
        task.cancel()
        _forgetting.clear()

    guard = Middleware(Guard, host=host, allowed=allowed, frames=frames, held=_held)
    app = st.App(PAGE, middleware=[guard], lifespan=alive)
    sys.argv = [str(PAGE)]  # beside it lies the file of settings
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: sys.exit(0))  # uvicorn has ended by then
    app.run(config=settings(host, port))


def _held(session: str) -> tuple[int, int, int]:
    """Return how many uploads a session has, their bytes, and the bytes of all sessions."""
    from streamlit.runtime import get_instance

    runtime = get_instance()
    if runtime.is_active_session(session):  # it need not have drawn the page
        seen(session)
    every = runtime.uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
    sizes = {name: [len(file.data) for file in [*own.values()]] for name, own in [*every.items()]}
    return len(sizes.get(session, [])), sum(sizes.get(session, [])), sum(map(sum, sizes.values()))


async def _forget() -> None:
    """Close the sessions whose page has been closed for a while, and all that they hold.

    Streamlit by itself keeps them until a later visitor needs the room.
    """
    from streamlit.runtime import get_instance

    while True:
        await asyncio.sleep(LOOK_S)
        runtime, now = get_instance(), time.monotonic()
        _sessions.update({name: now for name in [*_sessions] if runtime.is_active_session(name)})
        gone = [name for name, last in [*_sessions.items()] if now - last > limits.FORGET_S]
        for name in gone:
            del _sessions[name]
            runtime.close_session(name)
        if gone:
            runtime.media_file_mgr.remove_orphaned_files()  # of files to download: marked at first
            gc.collect()
            process.give_back()
