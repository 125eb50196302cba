"""Nothing is sent: what `ser` leaves in a new home, and whom its processes call.

Libraries spare continuous integration, so its variables are taken away: what runs here is what
a user runs.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import EMOTIONS, tone
from server import PAGE, answers, free_port, within
from websockets import Origin, Subprotocol
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ser_cli import first

CLIPS = Path(__file__).with_name("clips")
# What ONNX Runtime looks for, and what marks an agent of Azure Pipelines.
CI = {
    "CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL",
    "CODEBUILD_BUILD_ID", "BUILDKITE", "TEAMCITY_VERSION", "APPVEYOR", "BITBUCKET_BUILD_NUMBER",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "BUILD_BUILDID", "ORT_RUNNING_UNIT_TESTS",
}  # fmt: skip
TRACES = re.compile(r"microsoft|onnxruntime|streamlit|machine_id|device_?id|telemetry", re.I)
CALL = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_INET6?\b")
HERE = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "(::1|::ffff:127\.[\d.]+)"')
TITLE = b"Speech emotion recognition"
NAMES = "htons(53)"  # the port of a name server, which may stand in for others on this machine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's folder in which nothing has ever run."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environment(home: Path) -> dict[str, str]:
    """Return what a user's shell says, and the opposite of what `ser` has to say."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in CI and name not in first.SILENT and not name.startswith(("XDG_", "SER_"))
    }
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home / "local"),
        "ORT_DISABLE_TELEMETRY": "0",
    }


def traced(words: list[str], record: Path) -> list[str]:
    """Return the command, under strace where that is installed."""
    if not shutil.which("strace"):
        return words
    # Of the processes' calls only these stop them: a training takes half the time.
    watched = ["-f", "--seccomp-bpf", "-e", "trace=network"]
    return ["strace", "-qq", *watched, "-o", str(record), *words]


def calls(text: str) -> list[str]:
    """Return the lines of a record that reach beyond this machine, or ask for a name."""
    lines = [line for line in text.splitlines() if CALL.search(line)]
    return [line for line in lines if NAMES in line or not HERE.search(line)]


def check(home: Path, record: Path) -> None:
    """Nothing of a library's own is left behind, and nobody was called."""
    found = [str(path.relative_to(home)) for path in home.rglob("*")]
    assert not [name for name in found if TRACES.search(name)]
    if not record.is_file():
        pytest.skip("strace is not installed: whom the processes call was not seen")
    assert not calls(record.read_text(errors="replace"))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_prediction_tells_nobody(jobs: str, home: Path, tmp_path: Path) -> None:
    record = tmp_path / "calls"
    words = [sys.executable, "-m", "ser_cli", "predict", str(CLIPS), "--jobs", jobs]
    run(traced(words, record), home)
    check(home, record)


def test_a_model_in_memory_tells_nobody(home: Path, tmp_path: Path) -> None:
    record = tmp_path / "calls"
    # ONNX Runtime waits eleven seconds with what it has to tell.
    code = "import sys, time, ser_cli\nser_cli.load().predict(sys.argv[1])\ntime.sleep(12)"
    run(traced([sys.executable, "-c", code, str(CLIPS / "espeak-happy.flac")], record), home)
    check(home, record)


def test_a_training_tells_nobody(home: Path, tmp_path: Path) -> None:
    for number, speaker in enumerate("abcdefgh"):
        for emotion, hertz in EMOTIONS.items():
            tone(tmp_path / "corpus" / emotion / f"{speaker}.wav", hertz, seed=number)
    record = tmp_path / "calls"
    words = [sys.executable, "-m", "ser_cli", "train", "--recipe", "mfcc-mlp", "--epochs", "1"]
    words += ["--data", str(tmp_path / "corpus"), "--split", "random", "--jobs", "1"]
    run(traced(words, record), home)
    assert [*home.rglob("model.onnx")]  # compared with the trained network: ONNX Runtime was there
    check(home, record)


@pytest.mark.parametrize("way", ["ser", "streamlit"])
def test_the_page_tells_nobody(way: str, home: Path, tmp_path: Path) -> None:
    port, record = free_port(), tmp_path / "calls"
    words = {
        "ser": ["ser_cli", "app", "--port", str(port)],
        "streamlit": ["streamlit", "run", str(PAGE), f"--server.port={port}"],
    }[way]
    with served(traced([sys.executable, "-m", *words], record), home) as alive:
        within(60, lambda: alive() and answers(f"http://127.0.0.1:{port}/_stcore/health"))
        assert answers(f"http://127.0.0.1:{port}/")
        visit(port)
        if way == "ser":  # Streamlit asks the internet for its own address, to compare it with this
            with pytest.raises(InvalidStatus):
                visit(port, origin=Origin("http://page.example"))
    check(home, record)


def run(words: list[str], home: Path) -> None:
    done = subprocess.run(words, env=environment(home), cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def served(words: list[str], home: Path) -> Iterator[Callable[[], bool]]:
    """Run a server in a group of its own, so that strace and what it watches end together."""
    surroundings = {**environment(home), "STREAMLIT_SERVER_HEADLESS": "true"}
    server = subprocess.Popen(words, env=surroundings, cwd=home, start_new_session=True)
    try:
        yield lambda: server.poll() is None
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def visit(port: int, origin: Origin | None = None) -> None:
    """Do what a browser does after the start page: ask for the page to be run."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    asked = BackMsg()
    asked.rerun_script.query_string = ""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    with connect(address, subprotocols=[Subprotocol("streamlit")], origin=origin) as socket:
        socket.send(asked.SerializeToString())
        heard = b""
        while TITLE not in heard:  # the page itself has run
            heard += bytes(socket.recv(timeout=30, decode=False))


def test_the_check_of_calls_finds() -> None:
    lookup = (
        'connect(8, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16)'
    )
    far = lookup.replace("htons(53)", "htons(443)").replace("127.0.0.53", "192.0.2.1")
    six = (
        '7 sendto(8, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), '
        'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1'
    )
    near = far.replace("192.0.2.1", "127.0.0.1")
    local = six.replace("2001:db8::1", "::1")
    other = 'connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0'
    assert calls("\n".join([lookup, far, near, six, local, other])) == [lookup, far, six]
