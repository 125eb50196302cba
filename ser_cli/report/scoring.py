"""A system against the labels of clips -> an Evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import workers
from ser_cli.data import cache, corpora
from ser_cli.data.protocols import CHANNEL
from ser_cli.errors import DataError
from ser_cli.model import preprocess
from ser_cli.remarks import counted, listed
from ser_cli.report import metrics
from ser_cli.report.evaluation import Evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.model.pipeline import Pipeline
    from ser_cli.report.metrics import Report
    from ser_cli.types import Clip, Floats, Progress


def score(
    clips: Sequence[Clip],
    pipeline: Pipeline,
    *,
    jobs: int = workers.CORES,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a system against the clips' labels.

    Args:
        clips: Those of other emotions than the system's are left out, and noted.
        pipeline: The system.
        jobs: Processes that extract features.
        progress: Told of features.

    Raises:
        DataError: No clip can be scored.
    """
    known = [clip for clip in clips if clip.emotion in pipeline.classes]
    made = cache.extract(known, pipeline.frontend, jobs=jobs, progress=progress)
    if not made.clips:
        raise _none(clips, known, pipeline.classes)
    probabilities = pipeline.probabilities(made.features)
    truth = preprocess.encode([clip.emotion for clip in made.clips], pipeline.classes)
    left_out = Counter(clip.emotion for clip in clips) - Counter(clip.emotion for clip in known)
    return Evaluation(
        title="",
        protocol="",
        reports=by_channel(made.clips, truth, probabilities, pipeline.classes),
        clips=made.clips,
        truth=truth,
        probabilities=probabilities,
        failed=made.failed,
        notes=_notes(made.clips, left_out),
    )


def _none(clips: Sequence[Clip], known: Sequence[Clip], classes: Sequence[str]) -> DataError:
    """Return why no clip can be scored: the system knows none of the labels, or reads no file."""
    if known:
        said, hint = "none can be read", "see why: ser extract --data DIR"
    else:
        others = sorted({clip.emotion for clip in clips})
        said = f"the model does not know {listed(others)}"
        hint = f"it knows {', '.join(classes)}; train one of your own: ser train --data DIR"
    return DataError(f"none of the clips can be scored: {said}", hint=hint)


def by_channel(
    clips: Sequence[Clip], truth: NDArray[np.int64], probabilities: Floats, labels: Sequence[str]
) -> tuple[tuple[str, Report], ...]:
    """Score everything and, where the corpus has both, speech and song apart."""
    channels = np.array([clip.facts.get(CHANNEL, "") for clip in clips])
    speakers = np.array([clip.speaker for clip in clips])
    found = sorted(set(channels.tolist()), reverse=True)
    groups = [("all", np.ones(len(clips), bool))]
    if len(found) > 1:
        groups += [(name or "other", channels == name) for name in found]
    return tuple(
        (
            name,
            metrics.score(
                truth[inside],
                probabilities[inside],
                labels=labels,
                speakers=speakers[inside].tolist(),
            ),
        )
        for name, inside in groups
    )


def _notes(clips: Sequence[Clip], left_out: Counter[str]) -> tuple[str, ...]:
    notes = [
        f"{counted(n, 'clip')} of {label} left out: the model does not know that emotion"
        for label, n in left_out.items()
    ]
    if not corpora.has_speakers(clips):
        notes.append("the speakers are not known: this may not be speaker-independent")
    return tuple(notes)
