"""Two trained folders on the same clips -> which is better, and whether that is chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data import cache, corpora
from ser_cli.errors import DataError, UsageError
from ser_cli.model import artifacts
from ser_cli.model.heard import Heard
from ser_cli.model.trained import Model
from ser_cli.remarks import counted, plural
from ser_cli.report import paired

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.jobs.training import EvaluateJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.report.paired import Paired
    from ser_cli.types import Clip, Progress, Segment


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison, and what it is of.

    Attributes:
        folders: A and B.
        paired: What it shows.
        notes: Clips left out, and why; one line each.
    """

    folders: tuple[Path, Path]
    paired: Paired
    notes: tuple[str, ...]


def compare(job: EvaluateJob, *, progress: Progress | None = None) -> Comparison:
    """Ask two trained systems about the same clips, which neither has learned from.

    Args:
        job: The two folders, and the data; by default what both have held out.
        progress: Told of fingerprints and features.

    Raises:
        UsageError: It does not name two folders.
        DataError: No clip is left.
    """
    if job.compare is None:
        raise UsageError("two trained folders are compared", hint="--compare A B")
    both = [artifacts.load(folder) for folder in job.compare]
    data = job.data or tuple(dict.fromkeys(d for one in both for d in artifacts.data_of(one)))
    names = {name for one in both for name in one.preprocessor.classes}
    clips = corpora.load(*data, as_given=job.labels_as_given, classes=names)
    chosen, notes = _unseen(clips, both, progress)
    labels = set(both[0].preprocessor.classes).intersection(both[1].preprocessor.classes)
    known = [clip for clip in chosen if clip.emotion in labels]
    if len(known) < len(chosen):
        notes = (
            *notes,
            f"{counted(len(chosen) - len(known), 'clip')} of emotions that not both know",
        )
    said = [_said(known, one, progress) for one in both]
    asked = [clip for clip in known if all(clip.segment in found for found in said)]
    order = sorted(labels)
    truth, a, b = (
        np.array([order.index(name) if name in order else -1 for name in column], np.int64)
        for column in (
            [clip.emotion for clip in asked],
            *([found[clip.segment] for clip in asked] for found in said),
        )
    )
    found = paired.compare(truth, a, b, speakers=[clip.speaker for clip in asked])
    return Comparison((job.compare[0], job.compare[1]), found, notes)


def _unseen(
    clips: tuple[Clip, ...], both: list[Artifacts], progress: Progress | None
) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """Return the clips that neither system has learned from or was chosen on."""
    heard = [Heard(one.folder).learned(clips, progress=progress) for one in both]
    learned = {segment for found in heard for segment in found}
    left = tuple(clip for clip in clips if clip.segment not in learned)
    if not left:
        raise DataError(
            "one of the two has learned from every clip", hint="--data with other recordings"
        )
    seen = len(clips) - len(left)
    told = f"{counted(seen, 'clip')} left out: one of the two has learned from "
    return left, (told + plural(seen, "it", "them"),) if seen else ()


def _said(clips: list[Clip], trained: Artifacts, progress: Progress | None) -> dict[Segment, str]:
    """Return the label that a system gives each readable clip."""
    pipeline = Model(trained).pipeline
    made = cache.extract(clips, pipeline.frontend, progress=progress)
    best: NDArray[np.int64] = pipeline.probabilities(made.features).argmax(axis=1)
    return {
        clip.segment: pipeline.classes[place]
        for clip, place in zip(made.clips, best.tolist(), strict=True)
    }
