"""Which clips of a corpus are used, and which of them are learned from more than once.

Emotions are left out and capped before any split, so test clips are chosen as training clips
are; a class is oversampled in the training part alone.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

from ser_cli.errors import UsageError

if TYPE_CHECKING:
    from ser_cli.types import Clip


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice among the clips of a corpus; by itself it takes all, each once.

    Attributes:
        exclude: Emotions left out.
        per_class: Clips of an emotion at most; None for all.
        oversample: Emotions whose training clips are repeated up to the largest class.
    """

    exclude: tuple[str, ...] = ()
    per_class: int | None = None
    oversample: tuple[str, ...] = ()

    def describe(self) -> tuple[str, ...]:
        """Describe what differs from taking all clips; nothing where nothing does."""
        capped = (f"at most {self.per_class} a class",) if self.per_class else ()
        return (
            *(f"no {label}" for label in self.exclude),
            *capped,
            *(f"{label} oversampled" for label in self.oversample),
        )

    def of(self, part: str) -> str:
        """Name the clips of a part (speech, song, speech+song) as results.csv does."""
        return ", ".join([part, *self.describe()])


ALL = Selection()


def choose(clips: Sequence[Clip], selection: Selection, *, seed: int) -> tuple[Clip, ...]:
    """Return the chosen ones among clips, in their order.

    Args:
        clips: Of one corpus or several.
        selection: The choice.
        seed: Of the draw, where a class has more clips than it may.

    Raises:
        UsageError: An emotion is named that is not there, or fewer than two are left.
    """
    _refuse_absent(selection.exclude, clips)
    kept = tuple(clip for clip in clips if clip.emotion not in selection.exclude)
    _refuse_absent(selection.oversample, kept)
    labels = {clip.emotion for clip in kept}
    if selection.exclude and len(labels) < 2:
        raise UsageError("fewer than two emotions are left", hint="exclude fewer")
    if selection.per_class is None:
        return kept
    drawn = {
        id(clip) for label in labels for clip in _shuffled(kept, label, seed)[: selection.per_class]
    }
    return tuple(clip for clip in kept if id(clip) in drawn)


def repeats(train: Sequence[Clip], labels: Sequence[str], *, seed: int) -> tuple[Clip, ...]:
    """Return the clips to take once more, so that these classes grow as large as the largest.

    Args:
        train: Training clips.
        labels: Classes to repeat; one without clips stays without.
        seed: Of which clips come first, where not all are repeated equally often.
    """
    largest = max(Counter(clip.emotion for clip in train).values(), default=0)
    again: list[Clip] = []
    for label in labels:
        own = _shuffled(train, label, seed)
        again += islice(cycle(own), largest - len(own))
    return tuple(again)


def _shuffled(clips: Sequence[Clip], label: str, seed: int) -> list[Clip]:
    """Return the clips of an emotion in an order that does not depend on any other emotion."""
    import numpy as np

    own = [clip for clip in clips if clip.emotion == label]
    rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
    return [own[i] for i in rng.permutation(len(own))]


def _refuse_absent(labels: Sequence[str], clips: Sequence[Clip]) -> None:
    known = sorted({clip.emotion for clip in clips})
    for label in labels:
        if label not in known:
            raise UsageError(f"no clip is {label!r}", hint="there are: " + ", ".join(known))
