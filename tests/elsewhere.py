"""What is elsewhere, on loopback: an S3 (moto's server), and a server of files."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


@contextmanager
def s3() -> Iterator[str]:
    """Yield the address of an S3, which the environment names while the block runs."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in ENVIRONMENT.items():
                patch.setenv(name, value)
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            yield f"http://{host}:{port}"
    finally:
        # What all servers of this process hold is one.
        request = Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        build_opener(ProxyHandler({})).open(request).close()
        server.stop()


class Web:
    """A server: content by path, and what is odd about it.

    Attributes:
        files: Path -> content.
        whole: Paths of which no part can be asked for.
        breaks: Path -> byte from which on nothing comes.
        silent: Paths of which nothing comes until the server stops.
        elsewhere: Path -> where it sends whoever asks.
        asked: What was asked for, in order: method and path.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.whole: set[str] = set()
        self.breaks: dict[str, int] = {}
        self.silent: set[str] = set()
        self.elsewhere: dict[str, str] = {}
        self._stopped = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(web) -> Any:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                first, last = self.answer()
                path = self.path.partition("?")[0]
                content = web.files.get(path, b"")[first:last]
                stop = web.breaks.get(path)
                if stop is not None and last > stop:
                    content = content[: max(0, stop - first)]
                    self.close_connection = True
                self.wfile.write(content)

            def answer(self) -> tuple[int, int]:
                path = self.path.partition("?")[0]
                web.asked.append((self.command, path))
                if path in web.silent:
                    web._stopped.wait(60)
                    self.close_connection = True
                    return 0, 0
                if path in web.elsewhere:
                    self.send_response(302)
                    self.send_header("Location", web.elsewhere[path])
                    self.end_headers()
                    return 0, 0
                if path not in web.files:
                    self.send_error(403 if path == "/secret.wav" else 404)
                    return 0, 0
                size = len(web.files[path])
                asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
                first, last = 0, size
                if asked and path not in web.whole:
                    first, last = int(asked[1]), min(size, int(asked[2]) + 1)
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last - 1}/{size}")
                else:
                    self.send_response(200)
                self.send_header("ETag", f'"{hash(web.files[path])}"')
                self.send_header("Content-Length", str(last - first))
                self.end_headers()
                return first, last

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
