"""Whether two channels have a speaker each, as those of a recorded call often do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ser_cli.types import Floats

LEAD = 10.0  # in energy, 10 dB: by so much a voice is louder in its own channel than where it leaks
HEARD = 1e-5  # mean square, -50 dB of full scale: below it nobody speaks
MOSTLY = 0.5  # of what is heard belongs to one side alone
RARELY = 0.05  # of that, so much at least to either


class Sides:
    """Notes in which cells of time one of two channels is far louder than the other."""

    def __init__(self) -> None:
        """Have heard nothing yet."""
        self._heard: set[int] = set()
        self._leads: tuple[set[int], set[int]] = (set(), set())

    def add(self, blocks: Sequence[Floats], first: int, cell: float) -> None:
        """Take blocks (n, 2) that follow each other.

        Args:
            blocks: The samples.
            first: Number of their first sample.
            cell: Samples of a cell.
        """
        base, total = int(first // cell), sum(map(len, blocks))
        size = int((first + total - 1) // cell) - base + 1
        energy = np.zeros((2, size))
        for block in blocks:
            places = ((first + np.arange(len(block))) // cell).astype(np.int64) - base
            for side in (0, 1):
                energy[side] += np.bincount(places, np.square(block[:, side]), minlength=size)
            first += len(block)
        energy /= cell
        self._heard.update((base + np.flatnonzero(energy.max(axis=0) > HEARD)).tolist())
        for side, leads in enumerate(self._leads):
            own, other = energy[side], energy[1 - side]
            apart = (own > HEARD) & (own > LEAD * other)
            leads.update((base + np.flatnonzero(apart)).tolist())

    def differ(self, first: int, last: int) -> bool:
        """Tell whether, between two cells, either channel has much that the other has not."""
        if not self._heard:
            return False
        left, right = (sum(cell in leads for cell in range(first, last)) for leads in self._leads)
        heard = sum(cell in self._heard for cell in range(first, last))
        apart = left + right
        return apart > MOSTLY * heard and min(left, right) > max(1, RARELY * apart)
