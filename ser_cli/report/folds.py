"""What the folds of a protocol left in their files, pooled and scored together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import protocols
from ser_cli.model.calibration import calibrate, fit_temperature
from ser_cli.report import metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.report.metrics import Report
    from ser_cli.types import Clip, Floats


@dataclass(frozen=True, slots=True, eq=False)
class FoldResults:
    """Pooled test clips of all folds.

    Attributes:
        clips: N clips.
        truth: (N,) index into labels.
        probabilities: (N, C), calibrated by each fold's dev part.
        labels: C class names.
        histories: One entry per epoch, of each fold.
        epochs: Kept epoch of each fold.
        seconds: Training time of all folds.
        temperature: That calibrates the dev clips of all folds together, each heard by a network
            that has not learned from it; for a model that learns from all clips.
        audit: What test clips share with train and dev, one line per finding.
        enrolled: (draws, N, C) with each speaker enrolled, NaN for clips that were enrolled; None
            where the system cannot.
    """

    clips: tuple[Clip, ...]
    truth: NDArray[np.int64]
    probabilities: Floats
    labels: tuple[str, ...]
    histories: tuple[tuple[dict[str, float], ...], ...]
    epochs: tuple[int, ...]
    seconds: float
    temperature: float
    audit: tuple[str, ...]
    enrolled: Floats | None = None

    def report(self, part: str) -> Report:
        """Score the clips of "speech", "song" or "speech+song"."""
        return self._scored(self.probabilities, self._inside(part))

    def enrolled_reports(self, part: str) -> list[Report]:
        """Score, for each draw of enrolled clips, the others of that part.

        None where the system cannot enrol, or no speaker has clips enough.
        """
        inside = self._inside(part)
        left = [
            (one, inside & np.isfinite(one).all(axis=1))
            for one in (() if self.enrolled is None else self.enrolled)
        ]
        return [self._scored(one, tested) for one, tested in left if tested.any()]

    def _inside(self, part: str) -> NDArray[np.bool_]:
        chosen = {clip.segment for clip in protocols.part_of(self.clips, part)}
        return np.array([clip.segment in chosen for clip in self.clips])

    def _scored(self, probabilities: Floats, inside: NDArray[np.bool_]) -> Report:
        speakers = [clip.speaker for clip, taken in zip(self.clips, inside, strict=True) if taken]
        return metrics.score(
            self.truth[inside], probabilities[inside], labels=self.labels, speakers=speakers
        )


def pooled(files: Sequence[Path], clips: Mapping[str, Clip]) -> FoldResults:
    """Return what the folds left, pooled.

    Args:
        files: Of each fold, in order.
        clips: All that were tested, by the names of their segments.
    """
    folds = [dict(np.load(file, allow_pickle=False)) for file in files]
    return FoldResults(
        clips=tuple(clips[str(name)] for fold in folds for name in fold["names"]),
        truth=np.concatenate([fold["truth"] for fold in folds]),
        probabilities=np.concatenate([fold["probabilities"] for fold in folds]),
        labels=tuple(str(label) for label in folds[0]["labels"]),
        histories=tuple(tuple(json.loads(str(fold["history"]))) for fold in folds),
        epochs=tuple(int(fold["best_epoch"]) for fold in folds),
        seconds=sum(float(fold["seconds"]) for fold in folds),
        temperature=_temperature(folds),
        audit=tuple(
            f"fold {number}: {line}"
            for number, fold in enumerate(folds, start=1)
            for line in fold["audit"]
        ),
        enrolled=(
            np.concatenate([fold["enrolled"] for fold in folds], axis=1)
            if all("enrolled" in fold for fold in folds)
            else None
        ),
    )


def _temperature(folds: Sequence[Mapping[str, Any]]) -> float:
    outputs = [calibrate(fold["dev"], 1 / float(fold["temperature"])) for fold in folds]
    truth = np.concatenate([fold["dev_truth"] for fold in folds])
    return fit_temperature(np.concatenate(outputs), truth)
