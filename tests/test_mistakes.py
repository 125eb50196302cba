"""Every mistake is one line, the next step and an exit code: no traceback, nothing left behind."""

from __future__ import annotations

import ast
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import scene
from command import Result, ser
from mistakes import LACKING, MISTAKES, SURROUNDED
from sources import FILES

from ser_cli.data.fetch import fetch
from ser_cli.errors import of_system

ERRORS = {"SerError", "UsageError", "DataError", "FetchError", "ArtifactsError"}
Tree = dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene.build(tmp_path_factory.mktemp("scene") / "here")


@pytest.fixture(autouse=True)
def _there(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make mistakes in the scene, and look that they change nothing there."""
    monkeypatch.chdir(place)
    for name in ("SER_RAVDESS_DIR", "SER_CORPORA_DIR"):
        monkeypatch.delenv(name, raising=False)
    waits = partial(fetch, sleep=lambda seconds: None)  # not: between attempts
    monkeypatch.setattr("ser_cli.stages.download.fetch", waits)
    before = tree(place)
    yield
    assert tree(place) == before


def tree(folder: Path) -> Tree:
    """Return size and time of all files, and all folders."""
    return {
        str(path): (stat.st_size, stat.st_mtime_ns) if path.is_file() else (0, 0)
        for path in folder.rglob("*")
        for stat in [path.stat()]
    }


def check(done: Result, code: int, says: str, tries: str) -> None:
    *before, error, step = done.err.splitlines() or ["", ""]
    assert done.code == code, done.err
    assert done.out == ""
    assert error.startswith("ser: ") and says in error, done.err
    assert step.startswith("  try: ") and tries in step, done.err
    assert not any(line.startswith(("ser: ", "Traceback")) for line in before), done.err
    assert "secret" not in done.err


def test_the_table_is_of_all_commands() -> None:
    from ser_cli.commands import COMMANDS

    assert len(MISTAKES) >= 200
    assert COMMANDS.keys() <= {words.split()[0] for words, *_ in MISTAKES}


@pytest.mark.parametrize(("words", "code", "says", "tries"), MISTAKES, ids=lambda v: str(v)[:90])
def test_a_mistake_is_told(words: str, code: int, says: str, tries: str) -> None:
    check(ser(*shlex.split(words)), code, says, tries)
    cache = Path(os.environ["SER_CACHE_DIR"])
    kept = {path.relative_to(cache).parts[0] for path in cache.rglob("*") if path.is_file()}
    assert kept <= {"features", "soundprints", "studies", "verified"}


@pytest.mark.parametrize(("name", "value", "words", "code", "says", "tries"), SURROUNDED)
def test_a_mistake_in_the_environment_is_told(
    name: str,
    value: str,
    words: str,
    code: int,
    says: str,
    tries: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    check(ser(*shlex.split(words)), code, says, tries)


@pytest.mark.parametrize(("package", "words", "code", "says", "tries"), LACKING)
def test_a_missing_extra_is_told(
    package: str, words: str, code: int, says: str, tries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    check(ser(*shlex.split(words)), code, says, tries)


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check(ser("app", "--port", port), 1, f"cannot listen on 127.0.0.1:{port}", "ser app --port")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write anywhere")
def test_a_folder_that_is_read_only_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    for words in ("eda --data clips --out", "train --data clips --artifacts"):
        check(ser(*words.split(), tmp_path), 1, "cannot be written to", "another folder")


@pytest.mark.parametrize("error", [MemoryError(), OSError("odd"), OSError(28, "No space", "a.csv")])
def test_what_a_system_refuses_has_a_next_step(error: OSError | MemoryError) -> None:
    told = of_system(error)
    assert str(told) and told.hint and told.exit_code == 1


def run(*words: str, stdout: int | None = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ser_cli", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("words", ["predict clip.wav", "evaluate", "--help"])
def test_a_full_disk_is_told(words: str) -> None:
    with Path("/dev/full").open("w") as full:
        process = run(*words.split(), stdout=full.fileno())
        error = process.communicate(timeout=120)[1]
    check(Result(process.returncode, "", error), 1, "No space left", "make room")


INTERRUPTED = "ser: interrupted; the same command resumes\n"


@pytest.mark.skipif(os.name == "nt", reason="another signal")
def test_an_interruption_is_told(tmp_path: Path) -> None:
    made = str(tmp_path / "made")
    process = run("download-ravdess", "--dest", made, "--from", "http://127.0.0.1:9/x")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (130, "", INTERRUPTED)


@pytest.mark.parametrize("module", FILES)
def test_every_error_that_is_raised_has_a_next_step(module: str) -> None:
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
            assert "hint" in {keyword.arg for keyword in node.keywords}, node.lineno
