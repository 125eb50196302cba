"""What each training clip is evidence of, and how much it weighs.

A corpus has its own emotions. That none of its clips is "calm" is no evidence against calm, so a
clip is judged among the emotions of its corpus alone. A sound without speech is evidence of no
emotion more than of another, and a machine's voice of none but those that are no feeling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.types import Clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

# In place of a corpus, for sounds that have been made up.
NO_SPEECH, SYNTHESISED = "no-speech", "synthesised"
MADE_UP = NO_SPEECH, SYNTHESISED
UNMOVED = "neutral", "calm"


def known(clips: Sequence[Clip], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return which of the classes each clip's corpus has, (N, C); a lone corpus has them all."""
    own: dict[str, set[str]] = {}
    for clip in clips:
        own.setdefault(clip.corpus, set()).add(clip.emotion)
    for kind in MADE_UP:
        own.pop(kind, None)
    alone = len(own) == 1
    rows = {home: [alone or name in labels for name in classes] for home, labels in own.items()}
    rows |= {kind: [True] * len(classes) for kind in MADE_UP}
    return np.array([rows[clip.corpus] for clip in clips], bool).reshape(len(clips), len(classes))


def unmoved(
    known: NDArray[np.bool_], clips: Sequence[Clip], classes: Sequence[str]
) -> NDArray[np.bool_]:
    """Return what each clip may be evidence of where it is of no one emotion, (N, C).

    That is anything its corpus knows (N, C), but for a machine's voice, where there is a class for
    it.
    """
    found, flat = known.copy(), np.isin(classes, UNMOVED)
    if flat.any():
        found[[clip.corpus == SYNTHESISED for clip in clips]] = flat
    return found


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
