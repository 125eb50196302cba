"""How long a training will take, told before it has taken it.

The first steps are timed, without those in which TensorFlow compiles the network. What follows
takes longest if no patience, no pruning and no kept outcome shortens it: "at most".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ser_cli.remarks import lasting

Pace = Callable[[float], None]  # is told seconds
WARM_STEPS = 2  # that are not timed
ENOUGH_STEPS = 5  # that are, and
ENOUGH_S = 2.0  # for how long, unless the epoch ends
WORTH_S = 60.0  # a shorter training says nothing


class Watch:
    """Times the steps of an epoch, and tells once how long all epochs take at that pace."""

    def __init__(self, tell: Pace | None, epochs: int) -> None:
        """Take who is told, and the number of epochs."""
        self._tell, self._epochs = tell, epochs
        self._steps, self._share, self._since = 0, 0.0, time.monotonic()

    def step(self, share: float) -> None:
        """Take note of a finished step, and of the share of the epoch (0..1) that is done."""
        self._steps += 1
        if self._steps == WARM_STEPS and share < 1:
            self._share, self._since = share, time.monotonic()
        seconds, timed = time.monotonic() - self._since, self._steps - WARM_STEPS
        if self._tell and (share >= 1 or (timed >= ENOUGH_STEPS and seconds >= ENOUGH_S)):
            self._tell(seconds / (share - self._share) * self._epochs)
            self._tell = None


def teller(
    say: Callable[[str], None],
    *,
    trainings: int = 1,
    side_by_side: int = 1,
    what: str = "",
    limit: float | None = None,
) -> Pace:
    """Return what is told how long one training takes, and says how long all of them do.

    Args:
        say: Takes the sentence.
        trainings: That are to be done.
        side_by_side: Of them at once.
        what: They are: "5 folds".
        limit: Seconds after which none is begun.
    """

    def tell(seconds: float) -> None:
        whole = min(seconds * math.ceil(trainings / side_by_side), limit or math.inf)
        if whole >= WORTH_S:
            say(f"this takes {lasting(whole)} at most on this machine{what and f' ({what})'}")

    return tell


def once(tell: Pace) -> Pace:
    """Return what tells the first of several trainings only."""
    told: list[float] = []

    def first(seconds: float) -> None:
        if not told:
            tell(seconds)
        told.append(seconds)

    return first


class MeasuredError(Exception):
    """Ends a training that was only begun to time it."""


def ending(tell: Pace) -> Pace:
    """Return what is told the same, and then ends the training."""

    def end(seconds: float) -> None:
        tell(seconds)
        raise MeasuredError

    return end
