"""What each training clip is evidence of, and how much it weighs.

A corpus has its own emotions. That none of its clips is "calm" is no evidence against calm, so a
clip is judged among the emotions of its corpus alone. A sound without speech is evidence of no
emotion more than of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.types import Clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

NO_SPEECH = "no-speech"  # in place of a corpus, for sounds that have been made up
BLANK = Clip(Path(), corpus=NO_SPEECH)


def known(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return which of the classes each clip's corpus has, (N, C); a lone corpus has them all."""
    own: dict[str, set[str]] = {}
    for clip in clips:
        own.setdefault(clip.corpus, set()).add(clip.emotion)
    own.pop(NO_SPEECH, None)
    alone = len(own) == 1
    rows = {home: [alone or name in labels for name in classes] for home, labels in own.items()}
    rows[NO_SPEECH] = [True] * len(classes)
    return np.array([rows[clip.corpus] for clip in clips], bool).reshape(len(clips), len(classes))


def weights(clips: Sequence[Clip], shares: Mapping[str, float], *, by_class: bool) -> Floats:
    """Return how much each clip weighs, (N,), so that they average 1.

    Args:
        clips: To learn from.
        shares: Corpus -> its weight as a whole, against the others'; 1 where it is not named.
            Where none is named, every clip weighs the same.
        by_class: Whether the emotions of a corpus weigh the same, however many clips they have.
    """
    homes = np.array([clip.corpus for clip in clips])
    emotions = np.array([clip.emotion for clip in clips])
    found = np.ones(len(clips), np.float64)
    for home in dict.fromkeys(homes.tolist()):
        inside = homes == home
        if by_class:
            _, which, counts = np.unique(emotions[inside], return_inverse=True, return_counts=True)
            found[inside] = inside.sum() / (len(counts) * counts[which])
        if shares:
            found[inside] *= shares.get(home, 1.0) / inside.sum()
    return (found / found.mean()).astype(np.float32) if shares else found.astype(np.float32)
