"""How fast a network learns in each epoch.

A schedule remembers nothing: the rate follows from the settings and from the epochs so far, so a
training that resumes from a checkpoint resumes at the very rate it would have had.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ser_cli.errors import UsageError
from ser_cli.types import TrainSettings

SCHEDULES = ("constant", "cosine", "plateau")
LEAST_FALL = 1e-4  # of a loss that counts as lower, as in Keras's ReduceLROnPlateau


def learning_rate(settings: TrainSettings, history: Sequence[dict[str, float]]) -> float:
    """Return the learning rate of the epoch that follows these.

    Args:
        settings: The schedule, and what belongs to it.
        history: Finished epochs.

    Raises:
        UsageError: There is no such schedule.
    """
    start, low = settings.learning_rate, settings.min_learning_rate
    schedule = settings.schedule
    if schedule == "constant":
        return float(start)
    if schedule == "cosine":
        angle = math.pi * len(history) / settings.epochs
        return float(low + (start - low) * 0.5 * (1 + math.cos(angle)))
    if schedule == "plateau":
        return _plateau(settings, [row.get("dev_loss", row["loss"]) for row in history])
    raise UsageError(f"there is no schedule {schedule!r}", hint="known: " + ", ".join(SCHEDULES))


def _plateau(settings: TrainSettings, losses: Sequence[float]) -> float:
    """Lower the rate whenever the loss, dev's if there is one, has not fallen for some epochs."""
    rate, best, waited = settings.learning_rate, math.inf, 0
    for loss in losses:
        if loss < best - LEAST_FALL:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= settings.plateau_patience:
            rate = max(rate * settings.plateau_factor, settings.min_learning_rate)
            waited = 0
    return float(rate)
