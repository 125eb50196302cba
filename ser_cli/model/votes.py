"""Probabilities of windows -> the rows of stretches: the windows of each vote alike."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.model import artifacts
from ser_cli.types import Prediction, Turn

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.windows import Stretch
    from ser_cli.types import Floats

UNCERTAIN = "uncertain"  # in place of an emotion
# Flags that are no reason for a warning.
HARMLESS = frozenset({"channels differ", "long", "mono", "narrow-band"})
UNHEARD_FLAGS = frozenset({"silent", "no speech"})  # of a stretch without a vote
NOWHERE = Turn(math.nan, math.nan)  # where a row is that is about no part of a file
UNHEARD = 0.3  # confidence of a stretch in which nothing was heard, at most


def is_unheard(row: Prediction) -> bool:
    """Tell whether nobody was heard in what the row is about."""
    return bool(UNHEARD_FLAGS.intersection(row.flags))


class Votes:
    """Counts the votes of one stretch after the other."""

    def __init__(
        self, classes: Sequence[str], priors: Callable[[], Floats], min_confidence: float = 0.0
    ) -> None:
        """Prepare to count.

        Args:
            classes: Names of the probabilities.
            priors: Returns the probabilities (C,) of a stretch in which nothing is heard; asked
                only for such.
            min_confidence: Below it, the emotion of a row is UNCERTAIN.
        """
        self._classes, self._priors, self._least = tuple(classes), priors, min_confidence
        self.clear()

    def clear(self) -> None:
        """Forget the votes so far."""
        self._sum, self._count = np.zeros(len(self._classes), np.float64), 0

    def add(self, probabilities: Floats) -> None:
        """Count the probabilities (C,) of a window."""
        self._sum += probabilities
        self._count += 1

    def close(self, stretch: Stretch) -> Prediction:
        """Return the row of the stretch whose windows were counted."""
        if stretch.error:
            part = Turn(stretch.start, stretch.end, stretch.speaker)
            return failed(stretch.file, stretch.error, part)
        mean = (self._sum / self._count).astype(np.float32) if self._count else self._priors()
        flags, confidence = stretch.flags, float(mean.max())
        row = Prediction(
            file=stretch.file,
            start=stretch.start,
            end=stretch.end,
            emotion=emotion_of(mean, self._classes, self._least) if self._count else UNCERTAIN,
            confidence=confidence if self._count else min(UNHEARD, confidence),
            probabilities=mean,
            status="warning" if set(flags) - HARMLESS else "ok",
            flags=(*flags, "long") if self._count > 1 else flags,
            speaker=stretch.speaker,
        )
        self.clear()
        return row


def emotion_of(probabilities: Floats, classes: Sequence[str], min_confidence: float) -> str:
    """Return the likeliest of the classes, or UNCERTAIN where it is less likely than that."""
    best = int(probabilities.argmax())
    return classes[best] if probabilities[best] >= min_confidence else UNCERTAIN


def priors(trained: Artifacts, classes: Sequence[str]) -> Floats:
    """Return how often each of these classes (C,) was learned: what is so without hearing.

    Where classes weighed alike in training, however many clips each had, they do so here.
    """
    learned: Counter[str] = Counter()
    if not trained.manifest.get("settings", {}).get("class_weights"):
        rows = artifacts.read_clips(trained.folder)
        learned.update(row["emotion"] for row in rows if row["split"] == "train")
    counts = np.array([learned[name] for name in classes], np.float32)
    if not counts.any():
        counts[:] = 1
    counts /= counts.sum()
    return counts


def failed(file: str, error: str, part: Turn = NOWHERE) -> Prediction:
    """Return the row of a file, or of a part of it, that could not be predicted."""
    end = part.end if math.isfinite(part.end) else math.nan
    shares, speaker = None, part.speaker
    return Prediction(
        file, part.start, end, "", math.nan, shares, "error", error=error, speaker=speaker
    )


def failures(file: str, error: str, parts: Sequence[Turn]) -> list[Prediction]:
    """Return the rows of a file that could not be predicted: one, or one for each of its parts."""
    return [failed(file, error, part) for part in parts] or [failed(file, error)]
