"""Downloads and zips against a server that misbehaves in every way that servers do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any

import pytest
from urllib3.connection import HTTPSConnection

from ser_cli.data.fetch import fetch
from ser_cli.data.store import need_space
from ser_cli.data.unpack import unpack
from ser_cli.errors import FetchError, SerError

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Server:
    """Serves `content`; `faults` are used up one a request: a status, or bytes after which to cut.

    A fault may also be a function that answers the request itself.
    """

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    faults: list[int | Callable[[Any], None]] = field(default_factory=list)
    retry_after: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    url: str = ""


def answer(server: Server, handler: BaseHTTPRequestHandler) -> None:
    """Answer one request as the server's state says."""
    server.seen.append(dict(handler.headers.items()))
    fault = server.faults.pop(0) if server.faults else None
    if callable(fault):
        return fault(handler)
    if fault is not None and 400 <= fault < 600:
        handler.send_response(fault)
        if server.retry_after:
            handler.send_header("Retry-After", server.retry_after)
        handler.send_header("Content-Length", "0")
        return handler.end_headers()
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    fits = handler.headers["If-Range"] in (None, server.etag)
    start, total = 0, len(server.content)
    if asked and fits and server.ranges:
        start = int(asked[1])
        handler.send_response(206 if start < total else 416)
        span = f"{start}-{total - 1}" if start < total else "*"
        handler.send_header("Content-Range", f"bytes {span}/{total}")
    else:
        handler.send_response(200)
    body = server.content[start:]
    handler.send_header("Content-Length", str(len(body)))
    if server.etag:
        handler.send_header("ETag", server.etag)
    handler.end_headers()
    body = body if fault is None else body[:fault]
    # Counted first, since the client may be done before this thread comes to its next line.
    server.sent += len(body)
    handler.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(state, self)

        def log_message(self, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listening.server_port}/clips.zip"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield state
    listening.shutdown()
    listening.server_close()
    thread.join()


class Clock:
    """Stands in for time.sleep and keeps what it was asked to wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_and_checked(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int, str, str]] = []
    dest = tmp_path / "new" / "clips.zip"
    got = fetch(
        server.url, dest, size=len(CONTENT), md5=MD5, progress=lambda *step: told.append(step)
    )
    assert got == dest and dest.read_bytes() == CONTENT
    assert parts(dest.parent) == ["clips.zip"]
    assert told[-1] == (len(CONTENT), len(CONTENT), "fetching clips.zip", "bytes")
    assert [step[0] for step in told] == sorted({step[0] for step in told})
    assert server.seen[0]["User-Agent"].startswith("ser/")
    assert "Range" not in server.seen[0]


def test_a_broken_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    server.faults = [len(CONTENT) // 2]
    clock = Clock()
    fetch(server.url, tmp_path / "a.zip", size=len(CONTENT), md5=MD5, sleep=clock)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.seen[1]["Range"] == f"bytes={len(CONTENT) // 2}-"
    assert server.seen[1]["If-Range"] == '"one"'
    assert server.sent == len(CONTENT)
    assert len(clock.waits) == 1


def test_an_interrupted_run_leaves_its_part_for_the_next(server: Server, tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str, unit: str = "") -> None:
        if done > len(CONTENT) // 2:
            raise KeyboardInterrupt

    dest = tmp_path / "a.zip"
    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, dest, progress=stop)
    assert parts(tmp_path) == ["a.zip.part", "a.zip.part-version"]
    here = (tmp_path / "a.zip.part").stat().st_size
    assert here > len(CONTENT) // 2
    fetch(server.url, dest)
    assert dest.read_bytes() == CONTENT
    assert server.seen[1]["Range"] == f"bytes={here}-"
    assert parts(tmp_path) == ["a.zip"]


def test_a_whole_part_needs_no_request(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "a.zip", size=len(CONTENT), md5=MD5)
    assert server.seen == []


def test_a_whole_part_of_unknown_size_is_recognised(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    (tmp_path / "a.zip.part-version").write_text('"one"')
    fetch(server.url, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent == 0


def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.zip.part-version").write_text('"one"')
    fetch(server.url, tmp_path / "a.zip", sleep=Clock())
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges, server.faults = False, [1000]
    fetch(server.url, tmp_path / "a.zip", md5=MD5, sleep=Clock())
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent == len(CONTENT) + 1000


@pytest.mark.parametrize("honest", [True, False], ids=["If-Range heeded", "If-Range ignored"])
def test_pieces_of_two_versions_are_not_glued(server: Server, tmp_path: Path, honest: bool) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    (tmp_path / "a.zip.part-version").write_text('"zero"')

    def ignore_condition(handler: BaseHTTPRequestHandler) -> None:
        del handler.headers["If-Range"]
        answer(server, handler)

    server.faults = [] if honest else [ignore_condition]
    fetch(server.url, tmp_path / "a.zip", sleep=Clock())
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_part_of_unknown_version_is_not_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    fetch(server.url, tmp_path / "a.zip")
    assert "Range" not in server.seen[0]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_rotten_part_is_fetched_again_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    (tmp_path / "a.zip.part-version").write_text('"one"')
    fetch(server.url, tmp_path / "a.zip", size=len(CONTENT), md5=MD5)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [seen.get("Range") for seen in server.seen] == ["bytes=1000-", None]


def test_a_wrong_range_is_not_appended(server: Server, tmp_path: Path) -> None:
    def shifted(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 5-14/{len(CONTENT)}")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(CONTENT[5:15])

    server.faults = [1000, shifted]
    fetch(server.url, tmp_path / "a.zip", sleep=Clock())
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(server: Server, tmp_path: Path, status: int) -> None:
    server.faults, server.retry_after = [status], "7"
    clock, notes = Clock(), []
    fetch(
        server.url,
        tmp_path / "a.zip",
        md5=MD5,
        sleep=clock,
        progress=lambda done, total, note, unit="": notes.append(note),
    )
    assert clock.waits == [7.0]
    assert notes[0] == f"the server answers {status}; trying again in 7 s"


def test_retry_after_as_a_date_is_honoured_within_bounds(server: Server, tmp_path: Path) -> None:
    server.faults = [503]
    server.retry_after = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    clock = Clock()
    fetch(server.url, tmp_path / "a.zip", sleep=clock)
    assert clock.waits == [120.0]


@pytest.mark.parametrize("wish", ["soon", "9" * 5000, "Mon, 01 Jan 99999 00:00:00 GMT"])
def test_a_retry_after_without_sense_is_not_heeded(
    server: Server, tmp_path: Path, wish: str
) -> None:
    server.faults, server.retry_after = [503], wish
    clock, notes = Clock(), []
    fetch(
        server.url,
        tmp_path / "a.zip",
        sleep=clock,
        progress=lambda done, total, note, unit="": notes.append(note),
    )
    assert 1 <= clock.waits[0] <= 2
    assert notes[0].startswith("the server answers 503; trying again")


def test_waits_grow_and_end(server: Server, tmp_path: Path) -> None:
    server.faults, clock = [500] * 9, Clock()
    with pytest.raises(FetchError, match=r"failed 5 times in a row: the server answers 500") as e:
        fetch(server.url, tmp_path / "a.zip", sleep=clock)
    assert "it resumes" in e.value.hint
    assert len(server.seen) == 5
    for failure, wait in enumerate(clock.waits, start=1):
        assert 2**failure / 2 <= wait <= 2**failure


def test_a_link_that_breaks_but_brings_a_megabyte_each_time_is_not_given_up(
    server: Server, tmp_path: Path
) -> None:
    server.content = bytes(6 << 20)
    server.faults = [1 << 20] * 5
    fetch(server.url, tmp_path / "a.zip", attempts=2, sleep=Clock())
    assert server.sent == len(server.content)


def test_a_link_that_breaks_and_brings_next_to_nothing_is_given_up(
    server: Server, tmp_path: Path
) -> None:
    server.faults = [1000] * 9
    with pytest.raises(FetchError, match="failed 3 times"):
        fetch(server.url, tmp_path / "a.zip", attempts=3, sleep=Clock())


def test_two_clients_do_not_come_back_at_the_same_moment(server: Server, tmp_path: Path) -> None:
    waits = []
    for client in ("a", "b"):
        server.faults, clock = [503] * 3, Clock()
        fetch(server.url, tmp_path / client, sleep=clock)
        waits.append(clock.waits)
    assert len(waits[0]) == len(waits[1]) == 3
    assert all(one != other for one, other in zip(*waits, strict=True))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_repeated(server: Server, tmp_path: Path, status: int) -> None:
    server.faults = [status] * 5
    with pytest.raises(FetchError, match=f"answers {status}"):
        fetch(server.url, tmp_path / "a.zip", sleep=Clock())
    assert len(server.seen) == 1


def test_wrong_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(FetchError, match="MD5 differs"):
        fetch(server.url, tmp_path / "a.zip", size=len(CONTENT), md5=MD5)
    assert parts(tmp_path) == []
    assert len(server.seen) == 2


def test_wrong_size_is_refused_before_it_is_fetched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"{len(CONTENT):,} bytes instead of 5"):
        fetch(server.url, tmp_path / "a.zip", size=5)
    assert parts(tmp_path) == []


def test_nobody_there_is_a_fetch_error(server: Server, tmp_path: Path) -> None:
    clock = Clock()
    with pytest.raises(FetchError, match="failed 2 times"):
        fetch("http://127.0.0.1:1/a.zip", tmp_path / "a.zip", attempts=2, sleep=clock)
    assert len(clock.waits) == 1


def test_a_silent_server_times_out(server: Server, tmp_path: Path) -> None:
    done = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        done.wait(5)

    server.faults, notes = [hang], []
    try:
        fetch(
            server.url,
            tmp_path / "a.zip",
            timeout=0.05,
            sleep=Clock(),
            progress=lambda done, total, note, unit="": notes.append(note),
        )
    finally:
        done.set()
    assert notes[0].startswith("timed out; trying again")
    assert len(server.seen) == 2


def test_a_file_is_kept_as_the_server_has_it(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT)

    def say_packed(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed)

    server.faults = [say_packed]
    fetch(server.url, tmp_path / "a.gz", size=len(packed))
    assert (tmp_path / "a.gz").read_bytes() == packed


@pytest.mark.parametrize("manner", ["falls silent", "cuts a chunk"])
def test_a_body_that_breaks_off_is_resumed(server: Server, tmp_path: Path, manner: str) -> None:
    done = threading.Event()

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", server.etag)
        if manner == "falls silent":
            handler.send_header("Content-Length", str(len(CONTENT)))
            handler.end_headers()
            handler.wfile.write(CONTENT[: 1 << 16])
            done.wait(5)
        else:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"10000\r\n" + CONTENT[: 1 << 16] + b"\r\n10000\r\nshort")

    server.faults = [break_off]
    try:
        fetch(server.url, tmp_path / "a.zip", md5=MD5, timeout=0.2, sleep=Clock())
    finally:
        done.set()
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.seen[1]["Range"] == f"bytes={1 << 16}-"


@pytest.mark.parametrize("url", ["ftp://host/a.zip", "file:///etc/hosts", "/a.zip", "host/a.zip"])
def test_only_http_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not an http or https address"):
        fetch(url, tmp_path / "a.zip")
    assert parts(tmp_path) == []


def redirect(target: str) -> Callable[[Any], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.mark.parametrize("target", ["file:///etc/hosts", "ftp://127.0.0.1:1/a"])
def test_a_redirect_does_not_lead_away_from_http(
    server: Server, tmp_path: Path, target: str
) -> None:
    server.faults = [redirect(target)] * 3
    with pytest.raises(FetchError, match=r"No host specified|Not supported URL scheme ftp"):
        fetch(server.url, tmp_path / "a.zip", attempts=2, sleep=Clock())
    assert len(server.seen) == 1
    assert not (tmp_path / "a.zip").exists()


def test_a_redirect_is_asked_for_the_rest_alone(server: Server, tmp_path: Path) -> None:
    server.faults = [1000, redirect("/elsewhere")]
    fetch(server.url, tmp_path / "a.zip", md5=MD5, sleep=Clock())
    assert [seen.get("Range") for seen in server.seen] == [None, "bytes=1000-", "bytes=1000-"]
    assert server.sent == len(CONTENT)


def test_redirects_in_a_circle_end(server: Server, tmp_path: Path) -> None:
    server.faults = [redirect(server.url)] * 99
    with pytest.raises(FetchError, match="too many redirects"):
        fetch(server.url, tmp_path / "a.zip", sleep=Clock())
    assert len(server.seen) == 11


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_proxy_of_the_environment_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    address = server.url.removeprefix("http://").removesuffix("/clips.zip")
    monkeypatch.setenv("http_proxy", f"{scheme}me:p%40ss@{address}")
    monkeypatch.setenv("no_proxy", "")
    fetch("http://clips.example/clips.zip", tmp_path / "a.zip", md5=MD5)
    seen = {name.lower(): value for name, value in server.seen[0].items()}
    assert seen["host"] == "clips.example"
    assert seen["proxy-authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"


def test_hosts_in_no_proxy_are_asked_directly(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetch(server.url, tmp_path / "a.zip", md5=MD5, attempts=1)
    assert server.sent == len(CONTENT)


def test_a_proxy_of_another_kind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(FetchError, match="unsupported scheme socks5") as raised:
        fetch("http://clips.example/clips.zip", tmp_path / "a.zip")
    assert raised.value.hint


def test_a_certificate_that_is_not_trusted_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def distrust(connection: HTTPSConnection) -> None:
        asked.append(connection)
        raise SSLCertVerificationError("self-signed certificate")

    monkeypatch.setattr(HTTPSConnection, "connect", distrust)
    with pytest.raises(FetchError, match=r"not trusted: .*self-signed") as raised:
        fetch("https://127.0.0.1/a.zip", tmp_path / "a.zip", sleep=Clock())
    assert raised.value.hint
    assert len(asked) == 1


def test_a_full_disk_is_told_before_it_is_full(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 2_000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Full)
    need_space(tmp_path, 2_000)
    with pytest.raises(SerError, match=r"needs 1\.0 MB, and its disk has 0\.0 MB"):
        fetch(server.url, tmp_path / "a.zip")
    assert parts(tmp_path) == []


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in entries.items():
            zipped.writestr(name, content)
    return path


def test_a_zip_is_unpacked_whole(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"Actor_01/x.wav": b"x", "Actor_02/y.wav": b"y"})
    told: list[tuple[int, int, str, str]] = []
    leftover = tmp_path / ".clips.part" / "old"
    leftover.mkdir(parents=True)
    folder = unpack(archive, tmp_path / "clips", progress=lambda *step: told.append(step))
    assert (folder / "Actor_01" / "x.wav").read_bytes() == b"x"
    assert (folder / "Actor_02" / "y.wav").read_bytes() == b"y"
    assert not (folder / "old").exists()
    assert told == [(1, 2, "unpacking a.zip", "files"), (2, 2, "unpacking a.zip", "files")]
    assert parts(tmp_path) == ["a.zip", "clips"]


@pytest.mark.parametrize(
    "name",
    [
        "../out.wav",
        "a/../../out.wav",
        "/out.wav",
        "C:/out.wav",
        "..\\out.wav",
        "\\out.wav",
        "x/a:b",
    ],
)
def test_a_zip_that_leads_away_is_refused(tmp_path: Path, name: str) -> None:
    archive = make_zip(tmp_path / "a.zip", {"good.wav": b"x", name: b"x"})
    inside = tmp_path / "inside"
    with pytest.raises(FetchError, match="unsafe"):
        unpack(archive, inside / "clips")
    assert parts(inside) == []
    assert parts(tmp_path) == ["a.zip", "inside"]


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.wav")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr(link, "/etc/hosts")
    with pytest.raises(FetchError, match="link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "clips")
    assert parts(tmp_path) == ["a.zip"]


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"big.wav": bytes(2_000_000)})
    with pytest.raises(FetchError, match="would unpack to 2 MB"):
        unpack(archive, tmp_path / "clips", most_bytes=1_000_000)
    assert parts(tmp_path) == ["a.zip"]
    unpack(archive, tmp_path / "clips", most_bytes=2_000_000)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
def test_a_damaged_zip_leaves_nothing(tmp_path: Path, damage: str) -> None:
    archive = make_zip(tmp_path / "a.zip", {"1.wav": CONTENT, "2.wav": CONTENT})
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-1000])
    elif damage == "flipped":
        flip(archive, archive.stat().st_size // 2)
    else:
        archive.write_bytes(b"<html>not found</html>")
    with pytest.raises(FetchError, match="cannot be unpacked") as raised:
        unpack(archive, tmp_path / "clips")
    assert raised.value.hint
    assert parts(tmp_path) == ["a.zip"]
