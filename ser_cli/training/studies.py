"""An Optuna study: how it samples, when it gives a trial up, and what it is about."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from ser_cli.errors import DataError, without_password
from ser_cli.remarks import listed
from ser_cli.training import storages
from ser_cli.training.storages import Storage

STARTUP_TRIALS = 10  # drawn at random, before the sampler has something to learn from
# After 3, 9 and 27 epochs over all folds, only the best third so far continues. Simulated on twice
# 20 unpruned trials over 240 clips of RAVDESS, this found the best of them for 38 % of the
# epochs. Earlier rungs (2, 6, 18) lost 2.4 points of dev UAR. A quarter at 3 and 12 lost up to
# 1 there, and 2.9 in a real study of that size.
FIRST_RUNG, KEPT = 3, 3
ABOUT = "about"  # the study's attribute that says what its trials have in common

Facts = dict[str, Any]  # as JSON has them


class Sampler(optuna.samplers.TPESampler):
    """TPE that draws a trial by its number, so that no two processes draw alike."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._draw_by(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begin a trial."""
        self._draw_by(self.seed + trial.number)
        super().before_trial(study, trial)

    def _draw_by(self, seed: int) -> None:
        super().__init__(
            seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
        )


def create(name: str, storage: Storage, *, seed: int) -> optuna.Study:
    """Create or continue a study: TPE, pruned by successive halving (ASHA, Li et al. 2018).

    Raises:
        DataError: Its storage cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with storages.usable(storage.url):
        return optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize",
            load_if_exists=True,
            sampler=Sampler(seed),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=FIRST_RUNG, reduction_factor=KEPT
            ),
        )


def found(name: str, storage: Storage) -> optuna.Study:
    """Return a study that is there.

    Raises:
        DataError: Its storage cannot be used, or holds others.
    """
    with storages.usable(storage.url):
        others = optuna.get_all_study_names(storage)
        if name in others:
            return optuna.load_study(study_name=name, storage=storage)
    where = without_password(storage.url)
    hint = f"--study with one of: {listed(others)}" if others else f"ser tune --storage {where}"
    raise DataError(f"there is no study {name} in {where}", hint=hint)


def check(study: optuna.Study, facts: Facts, *, named: bool) -> None:
    """Make sure that a study is about what its trials would be about here.

    Args:
        study: The study.
        facts: What all its trials have in common, as far as it is known yet.
        named: Whether the user has named the study; else its name says what it is about.

    Raises:
        DataError: It is about something else.
    """
    known: Facts | None = study.user_attrs.get(ABOUT)
    if known is None:
        strange = named and study.get_trials(deepcopy=False)
        other = ["ser tune has not begun it"] if strange else []
    else:
        both = [key for key in facts if known.get(key, facts[key]) != facts[key]]
        other = [f"{key} {known[key]} there, {facts[key]} here" for key in both]
    if other:
        raise DataError(
            f"the study {study.study_name} is about something else: {'; '.join(other)}",
            hint="give the data and options that it was begun with (and the same versions of ser "
            "and Python), or another --study",
        )


def bind(study: optuna.Study, facts: Facts, *, named: bool) -> None:
    """Let a study be about these facts for ever, if it is not about anything yet.

    Raises:
        DataError: It is about something else.
    """
    check(study, facts, named=named)
    if ABOUT not in study.user_attrs:
        study.set_user_attr(ABOUT, facts)
        check(study, facts, named=named)  # another process may have been faster
