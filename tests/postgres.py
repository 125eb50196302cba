"""A PostgreSQL server of the test's own, in a temporary folder (apt-get install postgresql)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "tuner", "se/c{r}et"  # signs that mean something elsewhere
SYSTEM_USER = "postgres"  # the server refuses to run as root


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens on loopback, and asks for a password."""

    port: int

    def url(
        self, database: str, user: str = USER, password: str = PASSWORD, *, driver: str = ""
    ) -> str:
        return f"postgresql{driver}://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        login = f"host=127.0.0.1 port={self.port} dbname={database} user={USER}"
        with psycopg.connect(login, password=PASSWORD, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def server() -> Iterator[Server]:
    """Start one, and stop it in the end; the test is skipped where none is installed."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="ser-pg-"))
    try:
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        if _is_root():
            for path in (folder, folder / "password"):
                shutil.chown(path, SYSTEM_USER)
        data, port = folder / "data", free_port()
        _run(programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "-N", "-E", "UTF8",
             f"--pwfile={folder / 'password'}", "--locale=C", folder=folder)  # fmt: skip
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off"
        settings += f" -c unix_socket_directories={folder}"
        control = (programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
        _run(*control, "-o", settings, "start", folder=folder)
        try:
            yield Server(port)
        finally:
            _run(*control, "-m", "immediate", "stop", folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the server's programs, which Debian keeps off the PATH."""
    if sys.platform == "win32":
        pytest.skip("the server is tested elsewhere")
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _run(*words: object, folder: Path) -> None:
    other = ["runuser", "-u", SYSTEM_USER, "--"] if _is_root() else []
    done = subprocess.run(
        [*other, *map(str, words)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the server would keep a pipe open
        stderr=subprocess.DEVNULL,
        check=False,
    )
    log = folder / "log"
    assert done.returncode == 0, log.read_text() if log.exists() else words


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
