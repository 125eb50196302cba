"""Who may ask the page, for what, and how much; and that it forgets what it was given."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import tone
from server import answers, free_port, within
from visitor import Visitor, gone
from websockets import Origin
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ser_cli.errors import SerError
from ser_cli.web import limits
from ser_cli.web import session as stage
from ser_cli.web.guard import Guard

MB = 2**20


class Asked:
    """The application behind a guard: notes what it is asked, and answers."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.wait: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if self.wait:
            await self.wait.wait()
        if scope["type"] == "http":
            headers = [(b"cache-control", b"public"), (b"x-own", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"page"})


def guard(asked: Asked, **changes: Any) -> Guard:
    settings: dict[str, Any] = {"host": "127.0.0.1", "allowed": (), "held": lambda _: (0, 0, 0)}
    return Guard(asked, **settings | changes)


async def sent(guard: Guard, scope: dict[str, Any]) -> list[Any]:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await guard(scope, receive, send)
    return messages


def asks(
    kind: str = "http", path: str = "/", method: str = "GET", **headers: str
) -> dict[str, Any]:
    given = {"host": "localhost:8501", **headers}
    pairs = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in given.items()]
    return {"type": kind, "path": path, "method": method, "headers": pairs}


def status(guard: Guard, **request: Any) -> int:
    return int(asyncio.run(sent(guard, asks(**request)))[0]["status"])


@pytest.mark.parametrize(
    ("listens", "host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:8501", 200),
        ("127.0.0.1", "localhost", 200),
        ("127.0.0.1", "LOCALHOST.:8501", 200),
        ("127.0.0.1", "[::1]:8501", 200),
        ("127.0.0.1", "evil.test", 403),
        ("127.0.0.1", "localhost.evil.test:8501", 403),
        ("127.0.0.1", "evil.test@localhost", 403),
        ("127.0.0.1", "localhost/evil.test", 403),
        ("127.0.0.1", "192.0.2.7:8501", 403),
        ("127.0.0.1", "", 403),
        ("127.0.0.1", "[::1", 403),
        ("127.0.0.1", "ser.example:443", 200),  # allowed by name
        ("192.0.2.7", "192.0.2.7:8501", 200),
        ("0.0.0.0", "192.0.2.7:8501", 200),  # an address cannot be rebound
        ("0.0.0.0", "[2001:db8::1]", 200),
        ("0.0.0.0", "evil.test", 403),
        ("::", "evil.test", 403),
    ],
)
def test_only_names_of_this_server_are_answered(listens: str, host: str, expected: int) -> None:
    asked = Asked()
    stands = guard(asked, host=listens, allowed=("Ser.example",))
    assert status(stands, host=host) == expected
    (closed,) = asyncio.run(sent(stands, asks("websocket", host=host))) or [None]
    assert (closed is None) == (expected == 200)
    assert len(asked.scopes) == (2 if expected == 200 else 0)


def test_a_server_for_everybody_knows_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Workstation")
    for name in ("workstation", "workstation.local:8501"):
        assert status(guard(Asked(), host="0.0.0.0"), host=name) == 200
        assert status(guard(Asked()), host=name) == 403


def test_two_hosts_are_none() -> None:
    scope = asks()
    scope["headers"].append((b"host", b"evil.test"))
    (start, _) = asyncio.run(sent(guard(Asked()), scope))
    assert start["status"] == 403


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:8501", 200),
        ("http://localhost:9999", 403),  # another program of this machine
        ("http://evil.test", 403),
        ("null", 403),
        ("https://ser.example", 200),  # a proxy that asks by another name
    ],
)
def test_only_pages_of_this_server_ask(origin: str, expected: int) -> None:
    asked = Asked()
    stands = guard(asked, allowed=("ser.example",))
    assert status(stands, origin=origin) == expected
    asyncio.run(sent(stands, asks("websocket", origin=origin)))
    assert len(asked.scopes) == (2 if expected == 200 else 0)
    # Streamlit would ask a server in the internet what to think of an origin.
    assert all(name != b"origin" for scope in asked.scopes for name, _ in scope["headers"])


def headers(frames: tuple[str, ...] = (), **request: Any) -> dict[str, str]:
    start = asyncio.run(sent(guard(Asked(), frames=frames), asks(**request)))[0]
    return {name.decode(): value.decode() for name, value in start["headers"]}


def test_browsers_are_told_what_the_page_may_do() -> None:
    for path in ("/", "/_stcore/metrics"):
        told = headers(path=path)
        assert told["x-frame-options"] == "DENY" and told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        policy = told["content-security-policy"]
        assert "default-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "ws://localhost:8501 " in policy and "http:" not in policy
    framed = headers(frames=("https://huggingface.co",))
    assert "frame-ancestors https://huggingface.co" in framed["content-security-policy"]
    assert "x-frame-options" not in framed
    assert headers()["x-own"] == "1" and headers()["cache-control"] == "public"
    assert headers(path="/media/a.wav")["cache-control"] == "no-store"
    assert "evil" not in headers(host="evil.test")["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/_stcore/metrics", "/_stcore/agent/mcp", "/_stcore/script-health-check"]
)
def test_what_is_no_part_of_the_page_is_closed(path: str) -> None:
    asked = Asked()
    assert status(guard(asked), path=path) == 404 and not asked.scopes


UPLOAD = {"path": "/_stcore/upload_file/me/1", "method": "PUT"}


@pytest.mark.parametrize(
    ("held", "length", "expected"),
    [
        ((0, 0, 0), "1", 200),
        ((0, 0, 0), "", 411),
        ((0, 0, 0), "-1", 411),
        ((limits.VISITOR_FILES - 1, 0, 0), "1", 200),
        ((limits.VISITOR_FILES, 0, 0), "1", 413),
        ((1, limits.VISITOR_MB * MB - 5, 0), "5", 200),
        ((1, limits.VISITOR_MB * MB - 5, 0), "6", 413),
        ((1, 0, limits.SERVER_MB * MB), "1", 413),
        ((0, 0, 0), str((limits.UPLOAD_MB + 1) * MB), 200),  # a file in a form
        ((0, 0, 0), str((limits.UPLOAD_MB + 1) * MB + 1), 413),
    ],
)
def test_a_visitor_has_room_for_so_much(
    held: tuple[int, int, int], length: str, expected: int
) -> None:
    stands = guard(Asked(), held=lambda _: held)
    stated = {"content_length": length} if length else {}
    assert status(stands, **UPLOAD, **stated) == expected


def test_a_file_that_is_too_large_is_told_how_to_get_in() -> None:
    length = str((limits.UPLOAD_MB + 2) * MB)
    _, body = asyncio.run(sent(guard(Asked()), asks(**UPLOAD, content_length=length)))
    assert body["body"].decode() == (
        "a file may have 100 MB; who runs this page may raise that: ser app --max-upload 200"
    )


def test_what_holds_files_grows_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPLOAD_MB", "VISITOR_MB", "SERVER_MB", "WORK_S"):
        monkeypatch.setattr(limits, name, getattr(limits, name))
    limits.allow(5)
    assert (limits.UPLOAD_MB, limits.VISITOR_MB, limits.SERVER_MB) == (5, 200, 400)
    limits.allow(1_000)
    assert (limits.UPLOAD_MB, limits.VISITOR_MB, limits.SERVER_MB) == (1_000, 2_000, 4_000)
    assert limits.WORK_S == 3_000
    assert limits.of_recording().memory_mb > 2_000 and not limits.of_recording().on_disk


def test_uploads_under_way_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VISITOR_MB", 10)

    async def several() -> list[int]:
        asked = Asked()
        asked.wait = asyncio.Event()
        stands = guard(asked)
        one = asks(**UPLOAD, content_length=str(6 * MB))
        first = asyncio.create_task(sent(stands, one))
        await asyncio.sleep(0)
        second = await sent(stands, one)
        other = asyncio.create_task(sent(stands, {**one, "path": "/_stcore/upload_file/you/1"}))
        await asyncio.sleep(0)
        asked.wait.set()
        found = [await first, second, await other, await sent(stands, one)]
        assert not stands._coming
        return [messages[0]["status"] for messages in found]

    assert asyncio.run(several()) == [200, 413, 200, 200]


def test_no_more_visitors_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VISITORS", 1)

    async def two() -> list[Any]:
        asked = Asked()
        asked.wait = asyncio.Event()
        stands = guard(asked)
        first = asyncio.create_task(sent(stands, asks("websocket")))
        await asyncio.sleep(0)
        second = await sent(stands, asks("websocket"))
        asked.wait.set()
        await first
        return [second, await sent(stands, asks("websocket"))]

    assert asyncio.run(two()) == [[{"type": "websocket.close", "code": 1008}], []]


def test_visitors_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(limits, "PATIENCE_S", 0.05)
    with limits.turn(), pytest.raises(SerError, match="busy") as caught, limits.turn():
        pass
    assert "reload" in caught.value.hint
    with limits.turn():  # the first has left
        pass


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.wav", "a.wav"),
        ("ä 中文.wav", "ä 中文.wav"),
        ("a\x1b[2J\x07.wav", "a [2J .wav"),
        ("photo\u202egpj.wav", "photo gpj.wav"),
        ("a\nb\tc\u2028d.wav", "a b c d.wav"),
        ("../../etc/passwd", "passwd"),
        ("a\ud800.wav", "a .wav"),
        ("\u200b\u2066", "recording"),
        ("", "recording"),
        ("<b>x</b>.wav", "b>.wav"),
    ],
)
def test_names_are_cleaned(name: str, shown: str) -> None:
    assert stage.clean(name) == shown


def test_long_names_are_cut() -> None:
    shown = stage.clean("x" * 5_000 + ".flac")
    assert len(shown) == stage.NAME_LETTERS and shown.endswith("….flac")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and process of a server that forgets at once."""
    place = free_port()
    code = f"""
import sys
from ser_cli.web import limits
limits.FORGET_S = 1.0
from ser_cli.__main__ import main
sys.argv = ["ser", "app", "--port", "{place}"]
main()
"""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "STREAMLIT_SERVER_HEADLESS": "true",
    }
    home = tmp_path_factory.mktemp("served")
    run = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=home)
    try:
        within(
            60, lambda: run.poll() is None and answers(f"http://127.0.0.1:{place}/_stcore/health")
        )
        yield place, run.pid
    finally:
        run.terminate()
        assert run.wait(timeout=20) == 0


@pytest.fixture
def port(served: tuple[int, int]) -> int:
    return served[0]


def test_the_real_server_refuses_other_names(port: int) -> None:
    address = f"127.0.0.1:{port}"
    with urllib.request.urlopen(f"http://{address}/", timeout=20) as reply:
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Content-Security-Policy"]
    for wrong in ({"Host": "evil.test"}, {"Origin": "http://evil.test"}):
        request = urllib.request.Request(f"http://{address}/", headers=wrong)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        assert refused.value.code == 403
    foreign = Origin("http://evil.test")
    with pytest.raises(InvalidStatus), connect(f"ws://{address}/_stcore/stream", origin=foreign):
        pass


def test_two_visitors_are_apart_and_are_forgotten(port: int, tmp_path: Path) -> None:
    one, other = Visitor(port), Visitor(port)
    assert one.session and one.session != other.session
    content = tone(tmp_path / "a.wav", 440, seed=0).read_bytes()
    assert one.upload("<i>secret</i>\u202e.wav", content) == 204
    assert one.look().count(b"within a minute after you close") == 1
    assert b"i\\>" in one.heard and "\u202e".encode() not in one.heard  # shown, cleaned, as text
    kept = {*one.media()}
    assert {Path(name).suffix for name in kept} == {".wav", ".csv"}
    assert all(one.get(name) == 200 for name in kept)
    # The other sees none of it, and cannot claim a file that is not its own.
    assert b"i\\>" not in other.look() and not other.media()
    other.files = one.files
    assert b"i\\>" not in other.look() and not other.media()
    one.close()
    assert all(gone(other, name) for name in kept)
    other.close()


def test_memory_comes_back_once_a_visitor_leaves(served: tuple[int, int]) -> None:
    status = Path(f"/proc/{served[1]}/statm")
    if not status.is_file():
        pytest.skip("this system does not tell how much memory is in use")

    def resident_mb() -> float:
        return int(status.read_text().split()[1]) * 4096 / 1e6

    visitor, noise = Visitor(served[0]), os.urandom(19 * MB)
    before = resident_mb()
    sizes = [visitor.upload(f"{n}.wav", noise) for n in range(12)]
    assert sizes == [204] * 10 + [413] * 2
    full = resident_mb()
    assert full - before > 160
    visitor.close()
    within(30, lambda: resident_mb() - before < 30)
