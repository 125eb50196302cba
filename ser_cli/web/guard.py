"""What stands between the network and the page: who may ask, for what, and how much.

An ASGI middleware, which Streamlit's `st.App` takes. A page on this machine is open to every page
in the user's browser, if that asks for it by a name of its own which it lets point here (DNS
rebinding): so only names that this server has are answered.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from ser_cli.web import limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Held = Callable[[str], tuple[int, int, int]]

EVERYWHERE = ("0.0.0.0", "::", "")
HERE = ("localhost", "127.0.0.1", "::1")
CLOSED = re.compile(r"/_stcore/(metrics|script-health-check|agent)\b")
UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/[^/]+")
_FORM_MB = 1  # of the form around a file, at most

# Streamlit's start page holds a script, and its elements write their styles into the page.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'wasm-unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob: {sockets}",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "{frames}",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """Pass on what may be asked, refuse the rest, and tell browsers what the page may do."""

    def __init__(
        self,
        app: App,
        *,
        host: str,
        allowed: Collection[str],
        frames: Collection[str] = (),
        held: Held,
    ) -> None:
        """Stand before an application.

        Args:
            app: Is asked what may be asked.
            host: Address the server listens on.
            allowed: Further names it is known by, as those of a reverse proxy.
            frames: Addresses of the pages that may show this one inside them.
            held: Session -> its uploads, their bytes, and the bytes of all sessions.
        """
        self._app = app
        self._anywhere = host in EVERYWHERE
        self._named = {name.lower() for name in allowed}
        own = {socket.gethostname().lower()} if self._anywhere else {host.lower()}
        self._names = {*HERE, *own, *(f"{name}.local" for name in own), *self._named}
        self._frames = frames
        self._held = held
        self._coming: dict[str, list[int]] = {}  # bytes of the uploads under way, by session
        self._visitors = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or one connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        upload = UPLOAD.search(scope["path"])
        if refused := self._refused(scope):
            await _answer(send, 403, refused)
        elif CLOSED.search(scope["path"]):
            await _answer(send, 404, "there is nothing here")
        elif upload and scope["method"] == "PUT":
            await self._upload(upload["session"], scope, receive, send)
        else:
            await self._app(_without_origin(scope), receive, send)

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._refused(scope) or self._visitors >= limits.VISITORS:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        self._visitors += 1
        try:
            await self._app(_without_origin(scope), receive, send)
        finally:
            self._visitors -= 1

    async def _upload(self, session: str, scope: Message, receive: Receive, send: Send) -> None:
        """Let a file in, if the visitor has room for it."""
        length = _header(scope, b"content-length")
        if not length.isdecimal():
            await _answer(send, 411, "the size of the file must be stated")
            return
        if reason := self._full(session, int(length)):
            await _drain(receive)
            await _answer(send, 413, reason)
            return
        coming = self._coming.setdefault(session, [])
        coming.append(int(length))
        try:
            await self._app(_without_origin(scope), receive, send)
        finally:
            coming.remove(int(length))
            if not coming:
                self._coming.pop(session, None)

    def _full(self, session: str, size: int) -> str:
        """Return why a visitor may upload no more, or ""."""
        if size > (limits.UPLOAD_MB + _FORM_MB) * 2**20:
            return (
                f"a file may have {limits.UPLOAD_MB} MB; who runs this page may raise that: "
                f"ser app --max-upload {2 * limits.UPLOAD_MB}"
            )
        files, own, every = self._held(session)
        coming = self._coming.get(session, [])
        under_way = sum(map(sum, self._coming.values()))
        if files + len(coming) >= limits.VISITOR_FILES:
            return f"{limits.VISITOR_FILES} files are the most; remove some, or use `ser predict`"
        if own + sum(coming) + size > limits.VISITOR_MB * 2**20:
            return f"{limits.VISITOR_MB} MB are the most; remove some, or use `ser predict`"
        if every + under_way + size > limits.SERVER_MB * 2**20:
            return "the server is full of other visitors' recordings; try again in some minutes"
        return ""

    def _with_headers(self, scope: Message, send: Send) -> Send:
        host = _header(scope, b"host")
        # Not every browser takes 'self' for sockets too.
        sockets = f"ws://{host} wss://{host}" if self._knows(_hostname(host)) else ""
        policy = "; ".join(f"{name} {value}" for name, value in _POLICY.items())
        policy = policy.format(sockets=sockets, frames=" ".join(self._frames) or "'none'")
        own = {**_HEADERS, "Content-Security-Policy": policy}
        if not self._frames:  # for old browsers
            own["X-Frame-Options"] = "DENY"
        if scope["path"].startswith("/media/"):  # no copy of a recording stays in a browser
            own["Cache-Control"] = "no-store"
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in own.items()]
        names = {name for name, _ in lines}

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0] not in names]
                message = {**message, "headers": [*kept, *lines]}
            await send(message)

        return told

    def _refused(self, scope: Message) -> str:
        """Return why nothing is answered, or ""."""
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        name = _hostname(host)
        if not self._knows(name):
            return f"this server is not {name!r}; whoever runs it may allow it: --allow-host NAME"
        from_here = not origin or urlsplit(origin).netloc == host
        # A proxy may ask by another name than the browser did.
        if not from_here and _hostname(urlsplit(origin).netloc) not in self._named:
            return "a page of another server asks"
        return ""

    def _knows(self, name: str) -> bool:
        return name in self._names or (self._anywhere and _is_address(name))


def _hostname(host: str) -> str:
    """Return the name of "name:port", "" of what is none."""
    try:
        parts = urlsplit(f"//{host}")
        return (
            (parts.hostname or "").rstrip(".") if parts.netloc == host and "@" not in host else ""
        )
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Tell whether it is an IP address, which nobody can let point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _header(scope: Message, name: bytes) -> str:
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else ""


def _without_origin(scope: Message) -> Message:
    """Return what was asked without the origin, which is known to be right.

    Streamlit would compare another one with the addresses of this machine, and ask a stranger's
    server for that which it has in the internet.
    """
    headers = [(key, value) for key, value in scope["headers"] if key != b"origin"]
    return {**scope, "headers": headers}


async def _drain(receive: Receive) -> None:
    """Take a file and drop it: a browser reads no answer before all is sent."""
    left = limits.UPLOAD_MB * 2**20
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
