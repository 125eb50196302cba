"""What a test showed: scores and all that a reader needs to weigh them, as page, texts and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import corpora, parts
from ser_cli.data.store import write_csv, write_text
from ser_cli.report import figures, html, metrics, plotting, robustness, rows, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.data.parts import Count
    from ser_cli.report.metrics import Report
    from ser_cli.report.robustness import Tried
    from ser_cli.types import Clip, Failures, Floats

PREDICTIONS = "test_predictions.csv"
MATRICES = ("test_confusion_matrix.png", "test_confusion_matrix.svg")
TEXTS = ("test_metrics.txt", "test_confusion_matrix.txt")
_BESIDE = {PREDICTIONS: "what was heard in each clip", **dict.fromkeys(MATRICES, "for a paper")}
_BESIDE |= dict.fromkeys(TEXTS, "plain text")
MOST_GROUPS = 6  # of a fact, for it to divide the clips into groups worth a table


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores, and what they are of.

    Attributes:
        title: What was tested.
        protocol: How the test clips were kept apart.
        reports: Name of a part of the test clips and its scores; the first is the whole.
        clips: N test clips, with truth (N,) and probabilities (N, C).
        leaky: Test speakers are in training.
        audit: What the leak audit found, one line per finding.
        failed: Clips that could not be read.
        history: Epochs of the training, and the epoch that was kept.
        settings: Of the training.
        tried: The same clips under other conditions, where that was asked for.
    """

    title: str
    protocol: str
    reports: tuple[tuple[str, Report], ...]
    clips: tuple[Clip, ...]
    truth: NDArray[np.int64]
    probabilities: Floats
    leaky: bool = False
    audit: tuple[str, ...] = ()
    failed: Failures = ()
    history: Sequence[Mapping[str, float]] = ()
    chosen_epoch: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()

    @property
    def report(self) -> Report:
        """Scores of all test clips."""
        return self.reports[0][1]

    @property
    def counts(self) -> dict[str, Count]:
        """Test clips and their speakers, of each class."""
        return parts.count(self.clips, self.report.labels)


def write_report(
    evaluation: Evaluation, folder: Path, *, command: str, with_audio: bool = False
) -> Path:
    """Write the page, and beside it texts, the predictions and the confusion matrix; return it.

    The matrix is a picture as papers take it (.png, .svg).
    """
    report, truth = evaluation.report, evaluation.truth
    content = html.PageContent(
        evaluation,
        data=corpora.told(evaluation.clips),
        command=command,
        date=datetime.now().astimezone().date().isoformat(),
        beside=_BESIDE,
        subgroups=_subgroups(evaluation),
        worst=html.worst_errors(evaluation.clips, truth, evaluation.probabilities, report.labels),
    )
    write_text(folder / "report.html", html.render(content, folder=folder, with_audio=with_audio))
    write_texts(evaluation, folder)
    write_csv(folder / PREDICTIONS, _predictions(evaluation))
    for file in MATRICES:
        plotting.save(figures.confusion(report), folder / file, title=_title(evaluation))
    return folder / "report.html"


def _title(evaluation: Evaluation) -> str:
    leaky = " (leaky)" if evaluation.leaky else ""
    lines = (
        f"Confusion matrix: {evaluation.title}, {evaluation.protocol}{leaky}",
        corpora.told(evaluation.clips),
        f"UAR {evaluation.report.uar:.1%}, by chance {evaluation.report.chance:.1%}",
    )
    return "\n".join(lines)


def _predictions(evaluation: Evaluation) -> Iterator[tuple[object, ...]]:
    """Yield a head and a row per test clip: what it is, what was heard, and how sure that was."""
    labels = evaluation.report.labels
    yield "file", "start", "end", "speaker", "truth", "emotion", "confidence", *labels
    for clip, label, row in zip(
        evaluation.clips, evaluation.truth, evaluation.probabilities, strict=True
    ):
        heard = int(row.argmax())
        segment = clip.segment
        where = (segment.start, "" if segment.end is None else segment.end)
        rates = (f"{rate:.6f}" for rate in (row[heard], *row))
        yield clip.path, *where, clip.speaker or "", labels[label], labels[heard], *rates


def write_texts(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write test_metrics.txt and test_confusion_matrix.txt; return their paths."""
    scores, confusion = (folder / file for file in TEXTS)
    write_text(scores, text.metrics_text(evaluation.report))
    write_text(confusion, text.confusion_text(evaluation.report))
    return scores, confusion


def as_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return the scores as plain values, for JSON: one result for each part of the test clips."""
    return {
        "title": evaluation.title,
        "results": [_result(evaluation, *scored) for scored in evaluation.reports],
        "audit": list(evaluation.audit),
        "notes": list(evaluation.notes),
        "parts": parts.plain({"test": evaluation.counts}),
        **({"robustness": robustness.as_record(evaluation.tried)} if evaluation.tried else {}),
        "failed": rows.failures(evaluation.failed),
    }


def _result(evaluation: Evaluation, part: str, report: Report) -> dict[str, Any]:
    low, high = report.intervals["uar"]
    rates = ("n", "uar", "war", "macro_f1", "micro_f1", "weighted_f1", "ece", "intervals")
    return {
        "protocol": evaluation.protocol,
        "data": part,
        "leaky": evaluation.leaky,
        "low": low,
        "high": high,
        **{name: getattr(report, name) for name in rates},
        "uar_classes": len(report.uar_labels),
        "uar_labels": list(report.uar_labels),
        "labels": list(report.labels),
        "confusion": report.confusion.tolist(),
        "per_class": {
            row.label: {
                name: getattr(row, name)
                for name in ("precision", "recall", "f1", "accuracy", "support")
            }
            for row in report.per_class
        },
    }


def _subgroups(evaluation: Evaluation) -> dict[str, tuple[metrics.Subgroup, ...]]:
    """Score the groups that the corpus's own facts divide the clips into."""
    predicted = evaluation.probabilities.argmax(axis=1)
    found = {}
    for name in sorted({name for clip in evaluation.clips for name in clip.facts}):
        groups = [clip.facts.get(name, "") for clip in evaluation.clips]
        if len(set(groups)) <= MOST_GROUPS:
            found[name] = metrics.subgroups(evaluation.truth, predicted, groups)
    return found
