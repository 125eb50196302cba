"""What a network says of test clips once it has heard some others of the same speaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.model.enrolment import ENROLLED, adapted, measured
from ser_cli.model.pipeline import Pipeline

if TYPE_CHECKING:
    from ser_cli.data.features import Features
    from ser_cli.types import Clip, Floats

DRAWS = 5  # of these clips, over which scores are averaged


def enrolled(
    pipeline: Pipeline,
    clips: Sequence[Clip],
    features: Features,
    *,
    seed: int,
    count: int = ENROLLED,
) -> Floats:
    """Return the probabilities of each clip, its speaker enrolled, for each draw of such clips.

    Args:
        pipeline: A system that was trained for it.
        clips: N test clips; their labels are not looked at.
        features: Of each.
        seed: Of the draws.
        count: Clips of a speaker that are enrolled.

    Returns:
        (DRAWS, N, C); NaN for the clips that were enrolled, which are not tested, and for all
        of a speaker with too few clips.
    """
    rng = np.random.default_rng(seed)
    found = np.full((DRAWS, len(clips), len(pipeline.classes)), np.nan, np.float32)
    speakers = np.array([clip.speaker for clip in clips])
    for draw in range(DRAWS):
        for who in dict.fromkeys(speakers.tolist()):
            own = np.flatnonzero(speakers == who)
            if not who or len(own) <= count:
                continue
            some = rng.choice(own, count, replace=False)
            rest = np.setdiff1d(own, some)
            own_preprocessor = pipeline.preprocessor
            moments = measured(features.select(some.tolist()), own_preprocessor)
            heard = adapted(own_preprocessor, moments)
            found[draw, rest] = pipeline.with_preprocessor(heard).probabilities(
                features.select(rest.tolist())
            )
    return found
