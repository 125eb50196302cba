"""Features of many clips, read from their files when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from ser_cli.errors import DataError

if TYPE_CHECKING:
    from ser_cli.types import Floats

HELD_BYTES = 2**30  # features that are kept in memory once read; more are read again each time


class Features(Sequence["Floats"]):
    """The (t, F) features of clips, read from their files when they are asked for.

    All of a small corpus stay in memory; of a large one, none do.
    """

    def __init__(self, files: Sequence[Path], *, held_bytes: int = HELD_BYTES) -> None:
        """Take the files, one for each clip."""
        self._files = tuple(files)
        self._bytes = sum(file.stat().st_size for file in self._files)
        self._most = held_bytes
        self.held = self._bytes <= held_bytes
        self._read: dict[Path, Floats] = {}

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self._files)

    @overload
    def __getitem__(self, at: int) -> Floats: ...
    @overload
    def __getitem__(self, at: slice) -> Features: ...
    def __getitem__(self, at: int | slice) -> Floats | Features:
        """Return the features of a clip, or those of several, still to be read."""
        if isinstance(at, slice):
            return self.select(range(len(self))[at])
        file = self._files[at]
        if not self.held:
            return _load(file)
        if file not in self._read:
            self._read[file] = _load(file)
        return self._read[file]

    def select(self, places: Sequence[int]) -> Features:
        """Return the features of chosen clips; what was read is shared."""
        chosen = Features.__new__(Features)
        chosen._files = tuple(self._files[place] for place in places)
        chosen._bytes, chosen._most = self._bytes, self._most
        chosen.held, chosen._read = self.held, self._read
        return chosen

    def __add__(self, other: Features) -> Features:
        """Return these and then the others."""
        both = Features.__new__(Features)
        both._files = self._files + other._files
        both._bytes, both._most = self._bytes + other._bytes, min(self._most, other._most)
        both.held = both._bytes <= both._most
        both._read = self._read | other._read if both.held else {}
        return both


def _load(file: Path) -> Floats:
    try:
        features: Floats = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:  # gone or damaged since it was looked for
        raise DataError(
            f"the features in {file} cannot be read: {error}",
            hint="run the same command again: it makes them anew",
        ) from error
    return features
