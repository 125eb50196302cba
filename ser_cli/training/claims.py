"""Who runs which trial of a study, so that exactly as many are finished as are wanted.

Any number of processes, on any machines, share a study. Its places are its first so many trials, by
number, that have not failed. Numbers are given in the order in which trials are begun: who begins
one sees all that come before it, and they only become fewer. Of two that are begun at once where
one place is left, the second sees the first and gives up. A trial that fails, or whose process
falls silent, frees its place, usually for its own repetition; a process that was only silent finds
its trial failed, and that cannot be undone.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ser_cli.report import trials as trials_report
from ser_cli.training.storages import Storage

POLL_S = 1.0  # from one look at trials that run elsewhere to the next

# A process may be killed between the beginning of its trial and the first heartbeat. It gets one
# from others, so that it falls silent like any other: Optuna would wait for it for ever.
_FIRST_HEARTBEATS = text(
    "INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT trial_id, CURRENT_TIMESTAMP "
    "FROM trials WHERE state = 'RUNNING' "
    "AND study_id = (SELECT study_id FROM studies WHERE study_name = :study) "
    "AND trial_id NOT IN (SELECT trial_id FROM trial_heartbeats)"
)


class _NoPlaceError(Exception):
    """Others have begun as many trials as are wanted before this one."""


def run_next(
    study: optuna.Study,
    storage: Storage,
    objective: Callable[[optuna.Trial], float],
    *,
    trials: int,
    seconds: float,
) -> None:
    """Run one trial as soon as there is a place for it; return without once all are finished.

    Args:
        study: The study.
        storage: Where it is kept.
        objective: Returns what a trial is worth.
        trials: To be finished in all, complete or pruned, whoever runs them.
        seconds: After which none is begun.
    """
    until = time.monotonic() + seconds
    while not has_place(study, trials):
        if len(trials_report.finished(study)) >= trials or time.monotonic() >= until:
            return
        time.sleep(POLL_S)
        _take_from_silent(study, storage)
    _attempt(study, objective, trials)


def has_place(study: optuna.Study, trials: int) -> bool:
    """Whether a place is empty, or that of a trial which waits for a process."""
    places = _places(study, trials)
    return len(places) < trials or any(trial.state == TrialState.WAITING for trial in places)


def _places(study: optuna.Study, trials: int) -> list[FrozenTrial]:
    alive = [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]
    return alive[:trials]


def _take_from_silent(study: optuna.Study, storage: Storage) -> None:
    """Let trials whose process is silent fail, and be tried again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    with suppress(IntegrityError), storage.engine.begin() as connection:  # one beats just now
        connection.execute(_FIRST_HEARTBEATS, {"study": study.study_name})


def _attempt(study: optuna.Study, objective: Callable[[optuna.Trial], float], trials: int) -> None:
    """Run the next trial; it fails at once where others were faster."""
    begun: list[int] = []
    raised: list[Exception] = []

    def in_its_place(trial: optuna.Trial) -> float:
        begun.append(trial.number)
        if trial.number not in [one.number for one in _places(study, trials)]:
            raise _NoPlaceError
        try:
            return objective(trial)
        except Exception as error:
            raised.append(error)
            raise

    try:
        study.optimize(in_its_place, n_trials=1, catch=(_NoPlaceError,))
    except (ValueError, UpdateFinishedTrialError, AssertionError) as error:
        # The trial was taken from this process, which had been silent for too long; Optuna finds
        # it failed, and holds that for impossible.
        if error in raised or not begun:
            raise
