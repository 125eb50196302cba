"""An Optuna study: where it is kept, how it samples, and when it gives a trial up."""

from __future__ import annotations

import logging
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ser_cli.data import locks
from ser_cli.data.store import cache_dir
from ser_cli.errors import DataError, without_password

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 10  # drawn at random, before the sampler has something to learn from
# After 3, 9 and 27 epochs over all folds, only the best third so far continues. Simulated on twice
# 20 unpruned trials over 240 clips of RAVDESS, this found the best of them for 38 % of the
# epochs. Earlier rungs (2, 6, 18) lost 2.4 points of dev UAR. A quarter at 3 and 12 lost up to
# 1 there, and 2.9 in a real study of that size.
FIRST_RUNG, KEPT = 3, 3
HEARTBEAT_S = 30
OPENING_S = 60.0  # for another command that opens the same storage

_EXAMPLES = "--storage study.db, or sqlite:////data/study.db, or postgresql+psycopg://host/name"
# What a database says, in lower case -> what to do about it.
_HINTS = {
    "no module named": "install the driver of that database: pip install psycopg[binary]",
    "could not parse": _EXAMPLES,
    "can't load plugin": _EXAMPLES,
    "no longer compatible": "bring it up to date: optuna storage upgrade --storage URL",
    "upgrade": "bring it up to date: optuna storage upgrade --storage URL",
    "locked": "end what else uses it, or take another file",
    "unable to open": "make its folder, or take another",
    "readonly": "make the file writable, or take another",
    "not a database": "take another file: this one is something else",
    "malformed": "take another file: this one is damaged",
    "password": "check user and password",
    "refused": "start the server, or check host and port",
    "does not exist": "create the database: createdb NAME",
}


def storage(name: str, asked: str | None = None) -> str:
    """Return the URL of where a study is kept.

    Args:
        name: Of the study.
        asked: A URL, or the path of an SQLite file; None for a file in the cache folder.

    Raises:
        DataError: The folder of the file cannot be made, or it is neither path nor URL.
    """
    if asked and "://" in asked:
        return asked
    if asked and re.match(r"\w[\w+]+:/", asked):  # not C:/
        raise DataError(f"{asked} is neither a path nor a URL", hint=_EXAMPLES)
    file = Path(asked) if asked else cache_dir() / "studies" / f"{name}.db"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the study cannot be kept in {file}: {error.strerror}", hint="take another folder"
        ) from error
    return f"sqlite:///{quote(file.absolute().as_posix(), safe='/:')}"


def create(name: str, url: str, *, seed: int) -> optuna.Study:
    """Create or continue a study: TPE, pruned by successive halving (ASHA, Li et al. 2018).

    Raises:
        DataError: Its storage cannot be used.
        BusyError: Another command takes long to open it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # It logs the traceback of an interrupt, which is no mistake.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    # The heartbeat tells trials that a dead process left running from those at work.
    with _alone(url), warnings.catch_warnings(), usable(url, opening=True):
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(url, heartbeat_interval=HEARTBEAT_S)
        return optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
            ),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=FIRST_RUNG, reduction_factor=KEPT
            ),
        )


def _alone(url: str) -> AbstractContextManager[None]:
    """Let one command of this machine after the other make the tables of a storage."""
    name = f".{zlib.crc32(url.encode()):08x}.lock"
    hint = "the same command goes on with the study"
    return locks.held(cache_dir() / "studies", name=name, wait_s=OPENING_S, hint=hint)


@contextmanager
def usable(url: str, *, opening: bool = False) -> Iterator[None]:
    """Turn what a database and its driver raise into one sentence and the next step.

    Args:
        url: Of the storage.
        opening: Whether it is opened, so that its driver may be missing and its tables be old.

    Raises:
        DataError: The storage cannot be used.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    kinds: tuple[type[Exception], ...] = (SQLAlchemyError, StorageInternalError)
    if opening:
        kinds += (ImportError, RuntimeError)
    try:
        yield
    except kinds as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        why = str(cause).strip().partition("\n")[0] or type(cause).__name__
        whole = f"{error} {cause}".lower()
        hint = next((step for words, step in _HINTS.items() if words in whole), _EXAMPLES)
        shown = without_password(url)
        raise DataError(
            f"the study cannot be kept in {shown}: {without_password(why)}",
            hint=hint.replace("URL", shown),
        ) from error
