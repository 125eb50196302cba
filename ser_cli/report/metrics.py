"""Truth and probabilities -> Report: how good the predictions are, and how certain that is.

Every rate is a fraction in 0..1. N clips, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_cli.errors import DataError
from ser_cli.remarks import counted
from ser_cli.report.reliability import calibration_error

Ints = NDArray[np.int64]
Reals = NDArray[np.floating[Any]]

# The scores a report begins with, each with its interval, and their titles.
HEADLINE = {
    "uar": "UAR (mean recall)",
    "war": "WAR (accuracy)",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
}
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: its scores, and `support`, the number of clips that truly belong to it.

    `accuracy` is the share of the class's clips that were labelled right, which is its recall:
    both names are in use, so both are given.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All scores of one set of predictions.

    Attributes:
        labels: Class names, in the order of the confusion matrix.
        n: Number of clips.
        uar: Unweighted average recall (balanced accuracy), over the classes that occur in truth.
        war: Weighted average recall, which is accuracy.
        macro_f1: Mean F1 over the classes that occur in truth or among the predictions.
        micro_f1: F1 over pooled counts; with one label a clip it equals `war`.
        weighted_f1: Mean F1 weighted by support.
        ece: Expected calibration error of the top probability, 15 equal-width bins.
        per_class: One score a class, in the order of `labels`.
        confusion: (C, C) int64 counts, rows truth, columns predicted.
        intervals: 95 % bootstrap interval (low, high) of uar, war, macro_f1 and weighted_f1.
        resampled: What the bootstrap drew: "speakers" (with all their clips) or "clips".
    """

    labels: tuple[str, ...]
    n: int
    uar: float
    war: float
    macro_f1: float
    micro_f1: float
    weighted_f1: float
    ece: float
    per_class: tuple[ClassScore, ...]
    confusion: Ints
    intervals: dict[str, tuple[float, float]]
    resampled: str

    @property
    def uar_labels(self) -> tuple[str, ...]:
        """Classes that occur in truth: those that UAR is the mean over."""
        return tuple(score.label for score in self.per_class if score.support)

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without a clip, for which no rate is defined."""
        return tuple(score.label for score in self.per_class if not score.support)

    @property
    def chance(self) -> float:
        """UAR of guessing: one over the number of classes that occur."""
        return 1 / len(self.uar_labels)

    @property
    def largest(self) -> float:
        """WAR of naming the largest class every time."""
        return float(self.confusion.sum(axis=1).max() / self.n)

    @property
    def scope(self) -> str:
        """Name what UAR is over where that is not all classes; "" where it is."""
        return scope(len(self.uar_labels), len(self.labels))


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Scores of the clips of one group; `classes` is how many classes occur among them."""

    group: str
    n: int
    classes: int
    uar: float
    war: float


def scope(occurring: int, classes: int) -> str:
    """Name what a mean recall is over; "" where that is all classes.

    >>> scope(3, 8), scope(8, 8)
    ('over the 3 of 8 classes that occur', '')
    """
    return "" if occurring == classes else f"over the {occurring} of {classes} classes that occur"


def score(
    truth: Ints,
    probabilities: Reals,
    *,
    labels: Sequence[str],
    speakers: Sequence[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Report:
    """Score predictions against the truth.

    Args:
        truth: (N,) index into `labels` of each clip.
        probabilities: (N, C); the prediction is the highest.
        labels: The C class names.
        speakers: (N,) who speaks; with two or more known speakers the intervals come from
            drawing speakers, since clips of one voice are no independent evidence.
        resamples: Draws of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        DataError: There is no clip.
        ValueError: Shapes disagree, a probability is not finite, or a label is out of range.
    """
    _check(truth, probabilities, len(labels))
    predicted = probabilities.argmax(axis=1)
    confusion = _confusion(truth, predicted, len(labels))
    rates = {name: float(value) for name, value in _rates(confusion).items()}
    units = _by_speaker(truth, predicted, len(labels), speakers)
    draws = _draw(confusion, units, resamples, np.random.default_rng(seed))
    return Report(
        labels=tuple(labels),
        n=len(truth),
        **rates,
        micro_f1=rates["war"],
        ece=calibration_error(truth, probabilities),
        per_class=_per_class(confusion, labels),
        confusion=confusion,
        intervals=_intervals(draws),
        resampled="clips" if units is None else "speakers",
    )


def subgroups(truth: Ints, predicted: Ints, groups: Sequence[str]) -> tuple[Subgroup, ...]:
    """Score each group of clips by itself, sorted by name; clips of no known group are "unknown".

    Args:
        truth: (N,) class index of each clip.
        predicted: (N,) class index that the model chose.
        groups: (N,) name of each clip's group.
    """
    names = np.array([group or "unknown" for group in groups], dtype=str)
    classes = int(max(truth.max(initial=0), predicted.max(initial=0))) + 1
    rows = []
    for name in sorted(set(names.tolist())):
        members = names == name
        confusion = _confusion(truth[members], predicted[members], classes)
        rates = _rates(confusion)
        occurring = int((confusion.sum(axis=1) > 0).sum())
        n = int(members.sum())
        rows.append(Subgroup(name, n, occurring, float(rates["uar"]), float(rates["war"])))
    return tuple(rows)


def averages(report: Report) -> dict[str, tuple[float, float, float]]:
    """Return precision, recall and F1 as "macro avg" and "weighted avg".

    Macro means run over the classes that occur in truth or among the predictions, as
    sklearn's `classification_report` does when it is given no `labels`; so a class that was
    predicted but never true pulls macro recall below UAR.
    """
    rows = np.array([(c.precision, c.recall, c.f1) for c in report.per_class])
    support = report.confusion.sum(axis=1)
    occurs = support + report.confusion.sum(axis=0) > 0
    macro = rows[occurs].mean(axis=0).tolist()
    weighted = np.average(rows, axis=0, weights=support).tolist()
    return {"macro avg": tuple(macro), "weighted avg": tuple(weighted)}


def _check(truth: Ints, probabilities: Reals, classes: int) -> None:
    if len(truth) == 0:
        raise DataError(
            "There is no clip to score: the test part is empty.",
            hint="choose another split or corpus, or check the folder with `ser extract`",
        )
    if truth.ndim != 1 or probabilities.shape != (len(truth), classes):
        raise ValueError(
            f"probabilities are {probabilities.shape}, expected ({len(truth)}, {classes})"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity")
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(f"truth must lie in 0..{classes - 1}")


def _confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def _ratio(part: NDArray[np.float64], whole: Ints) -> NDArray[np.float64]:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _rates(confusion: Ints) -> dict[str, NDArray[np.float64]]:
    """Reduce confusion matrices (..., C, C) to rates (...)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = _ratio(2 * hits, support + predicted)
    n = support.sum(axis=-1)
    return {
        "uar": _ratio(hits, support).sum(axis=-1) / (support > 0).sum(axis=-1),
        "war": hits.sum(axis=-1) / n,
        "macro_f1": f1.sum(axis=-1) / (support + predicted > 0).sum(axis=-1),
        "weighted_f1": (f1 * support).sum(axis=-1) / n,
    }


def _per_class(confusion: Ints, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    hits = np.diagonal(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    columns = (precision.tolist(), recall.tolist(), f1.tolist(), support.tolist())
    return tuple(
        ClassScore(label, p, r, f, n, accuracy=r)
        for label, p, r, f, n in zip(labels, *columns, strict=True)
    )


def _by_speaker(
    truth: Ints, predicted: Ints, classes: int, speakers: Sequence[str] | None
) -> Ints | None:
    """Return one confusion matrix a speaker (S, C, C), or None where speakers cannot be drawn."""
    if speakers is None:
        return None
    if len(speakers) != len(truth):
        raise ValueError(f"{counted(len(speakers), 'speaker')} for {counted(len(truth), 'clip')}")
    if not all(speakers) or len(set(speakers)) < 2:
        return None
    who = np.array(speakers, dtype=str)
    members = [who == name for name in sorted(set(speakers))]
    return np.stack([_confusion(truth[m], predicted[m], classes) for m in members])


def _draw(confusion: Ints, units: Ints | None, resamples: int, rng: np.random.Generator) -> Ints:
    """Return bootstrapped confusion matrices (resamples, C, C).

    Only counts matter, so nothing is drawn clip by clip: N clips drawn with replacement fall
    into the cells as a multinomial; S speakers drawn with replacement are weights of their sums.
    """
    classes = len(confusion)
    if units is None:
        shares = confusion.ravel() / confusion.sum()
        cells = rng.multinomial(int(confusion.sum()), shares, size=resamples)
    else:
        weights = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=resamples)
        cells = weights @ units.reshape(len(units), -1)
    return cells.reshape(resamples, classes, classes)


def _intervals(draws: Ints) -> dict[str, tuple[float, float]]:
    edges = {name: np.percentile(values, _PERCENTILES) for name, values in _rates(draws).items()}
    return {name: (float(low), float(high)) for name, (low, high) in edges.items()}
