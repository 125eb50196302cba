"""Where a study is kept: an SQLite file, or a database that many machines share."""

from __future__ import annotations

import logging
import re
import shlex
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, ProgrammingError, SQLAlchemyError

from ser_cli import distribution
from ser_cli.data import locks
from ser_cli.data.store import cache_dir
from ser_cli.errors import DataError, without_password

# A trial whose process has been silent for so long is taken from it, and tried again.
HEARTBEAT_S, SILENT_S = 10, 30
RETRIES = 2  # with the same settings, which may be what kills it
OPENING_S = 60.0  # for another command that opens the same storage
CONNECT_S = 10  # for a server to answer; the system would wait for minutes
MAKING_S = 1.0  # for another machine that makes the tables

_EXAMPLES = "--storage study.db, or sqlite:////data/study.db, or postgresql://user@host/name"
_DRIVER = distribution.install("cluster")
_NOTHING = "nothing is kept there yet: ser tune --storage {url} begins a study"
_FORGETS = "it forgets everything when this process ends"
_AT_SIGN = "an @ in a name or a password must be written %40"
# What a database says, in lower case -> what to do about it.
_HINTS = {
    "no module named 'psycopg'": _DRIVER,
    "no pq wrapper": _DRIVER,
    "no module named": "install the driver of that database, or take postgresql://user@host/name",
    "dialects:postgres": "write postgresql://user@host/name",
    "could not parse": _EXAMPLES,
    "can't load plugin": _EXAMPLES,
    "invalid literal for int": "a port is a number: postgresql://user@host:5432/name",
    "no longer compatible": "bring it up to date: optuna storage upgrade --storage {url}",
    "upgrade": "bring it up to date: optuna storage upgrade --storage {url}",
    "locked": "end what else uses it, or take another file",
    "unable to open": "make its folder, or take another",
    "read-only": "take a server that may be written to, no standby: {psql}",
    "readonly": "make the file writable, or take another",
    "not a database": "take another file: this one is something else",
    _FORGETS: "name a file: --storage study.db",
    _AT_SIGN.lower(): "write it so; or leave the password out, and set PGPASSWORD",
    "malformed": "take another file: this one is damaged",
    "password": "check user and password (PGPASSWORD and ~/.pgpass are read, too): {psql}",
    "pg_hba.conf": "let this machine in, in the server's pg_hba.conf; then: {psql}",
    "role": "check the user: {psql}",
    "ssl": "check sslmode in the URL, and what the server takes: {psql}",
    "closed the connection": "check whether a PostgreSQL answers there: {isready}",
    "refused": "start the server, or check host and port: {isready}",
    "timeout": "check host and port, and what keeps them apart: {isready}",
    "resolve host": "check the name of the host: {isready}",
    "such file or directory": "name the host, or start the server here: {isready}",
    "permission denied": "let this user make and write tables there: {psql}",
    "too many": "let the server have more clients (max_connections), or take fewer --workers",
    "relation": _NOTHING,
    "no such table": _NOTHING,
    "no such file": _NOTHING,
    "does not exist": "create the database: {createdb}",
}


class Storage(RDBStorage):
    """A storage whose heartbeat outlives a server that is away for a moment."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that a trial is at work; if that fails, the next beat may not."""
        with suppress(StorageInternalError, SQLAlchemyError):
            super().record_heartbeat(trial_id)


def url(name: str, asked: str | None = None) -> str:
    """Return the URL of where a study is kept.

    Args:
        name: Of the study.
        asked: A URL, or the path of an SQLite file; None for a file in the cache folder.

    Raises:
        DataError: The folder of the file cannot be made, or it is neither path nor URL.
    """
    if asked is not None and not asked.strip():  # such as of a variable that is not set
        raise DataError("--storage is empty", hint=_EXAMPLES)
    if asked and "://" in asked:
        return re.sub(r"^postgresql://", "postgresql+psycopg://", asked)
    if asked and re.match(r"\w[\w+]+:/", asked):  # not C:/
        raise DataError(f"{asked} is neither a path nor a URL", hint=_EXAMPLES)
    file = Path(asked) if asked else cache_dir() / "studies" / f"{quote(name, safe=' ')}.db"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the study cannot be kept in {file}: {error.strerror}", hint="take another folder"
        ) from error
    return f"sqlite:///{quote(file.absolute().as_posix(), safe='/:')}"


def opened(url: str, *, make: bool = True) -> Storage:
    """Open a storage.

    Args:
        url: Its URL.
        make: Whether it is made where there is none.

    Raises:
        DataError: It cannot be used.
        BusyError: Another command takes long to open it.
    """
    # It logs the traceback of an interrupt, which is no mistake.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with _alone(url), usable(url, opening=True):
        _check(url, make=make)
        try:
            return _opened(url, make=make)
        except (ProgrammingError, IntegrityError) as error:
            if not re.search("already exists|duplicate key", str(error)):
                raise
            time.sleep(MAKING_S)
            return _opened(url, make=make)


@contextmanager
def usable(url: str, *, opening: bool = False) -> Iterator[None]:
    """Turn what a database and its driver raise into one sentence and the next step.

    Args:
        url: Of the storage.
        opening: Whether it is opened, so that its driver may be missing and its tables be old.

    Raises:
        DataError: The storage cannot be used.
    """
    kinds: tuple[type[Exception], ...] = (SQLAlchemyError, StorageInternalError)
    if opening:
        kinds += (ImportError, RuntimeError, ValueError)
    try:
        yield
    except kinds as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        cause = getattr(cause, "orig", None) or cause
        why = str(cause).strip().partition("\n")[0] or type(cause).__name__
        whole = f"{error} {cause}".partition("\n[SQL: ")[0].lower()
        hint = next((step for words, step in _HINTS.items() if words in whole), _EXAMPLES)
        raise DataError(
            f"the study cannot be kept in {without_password(url)}: {without_password(why)}",
            hint=_filled(hint, url),
        ) from error


def _opened(url: str, *, make: bool) -> Storage:
    waits = {"connect_timeout": CONNECT_S} if url.startswith("postgresql") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return Storage(
            url.replace("{", "{{").replace("}", "}}"),  # it is taken for a template
            # What a firewall or a restarted server has cut in an hour of training is made anew.
            engine_kwargs={"pool_pre_ping": True, "connect_args": waits},
            heartbeat_interval=HEARTBEAT_S,
            grace_period=SILENT_S,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            skip_table_creation=not make,
        )


def _check(url: str, *, make: bool) -> None:
    """Refuse what would be opened, and would not be what is meant.

    A sign @ too many makes the end of a password the name of a host, which errors would show.
    """
    made = make_url(url)
    if made.get_backend_name() != "sqlite":
        if url.partition("?")[0].count("@") > 1:
            raise ArgumentError(_AT_SIGN)
    elif made.database in (None, "", ":memory:"):
        raise ArgumentError(_FORGETS)
    elif not (make or Path(made.database).is_file()):  # it would be made
        raise ArgumentError("no such file")


def _alone(url: str) -> AbstractContextManager[None]:
    """Let one command of this machine after the other make the tables of a storage."""
    name = f".{zlib.crc32(url.encode()):08x}.lock"
    hint = "the same command resumes the study"
    return locks.held(cache_dir() / "studies", name=name, wait_s=OPENING_S, hint=hint)


def _filled(hint: str, url: str) -> str:
    """Return a hint with the commands that it names for this storage."""
    if "{" not in hint:
        return hint
    made = make_url(url)
    there = [*_option("-h", made.host), *_option("-p", made.port), *_option("-U", made.username)]
    psql = ["psql", *there, *_option("-d", made.database)]
    return hint.format(
        url=shlex.quote(without_password(url)),
        psql=shlex.join(psql),
        isready=shlex.join(["pg_isready", *there[: 2 * bool(made.host) + 2 * bool(made.port)]]),
        createdb=shlex.join(["createdb", *there, made.database or "NAME"]),
    )


def _option(flag: str, value: object) -> list[str]:
    return [flag, str(value)] if value else []
