from __future__ import annotations

import numpy as np
import pytest

from ser_cli.report.metrics import Report, score
from ser_cli.report.text import confusion_text, metrics_text, table

LABELS = ("angry", "calm", "sad")
TRUTH = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2]
PREDICTED = [0, 0, 0, 1, 1, 0, 2, 2, 2, 2, 1, 1]


def report(truth: list[int], predicted: list[int], labels: tuple[str, ...] = LABELS) -> Report:
    return score(np.array(truth), np.eye(len(labels))[predicted], labels=labels, resamples=50)


def test_table_is_sklearns_to_the_letter() -> None:
    from sklearn.metrics import classification_report

    expected = classification_report(TRUTH, PREDICTED, target_names=LABELS, digits=3)
    assert table(report(TRUTH, PREDICTED)) == expected


def test_a_class_that_never_occurs_is_listed_but_not_averaged() -> None:
    text = table(report([0, 1], [0, 1]))
    assert "sad" in text
    assert text.splitlines()[-2].split() == ["macro", "avg", "1.000", "1.000", "1.000", "2"]


def test_metrics_text_says_every_number() -> None:
    scores = report(TRUTH, PREDICTED)
    lines = metrics_text(scores).splitlines()
    assert lines[0] == "Clips: 12"
    low, high = scores.intervals["war"]
    assert f"Overall accuracy: 0.6667 (95 % {low:.4f} to {high:.4f})" in lines
    assert any(line.startswith(f"Weighted F1: {scores.weighted_f1:.4f}") for line in lines)
    assert f"Micro F1: {scores.micro_f1:.4f}" in lines
    f1 = lines[lines.index("F1 per class:") + 1 :][:3]
    assert f1 == [f"  {c.label}: {c.f1:.4f}" for c in scores.per_class]
    accuracy = lines[lines.index("Accuracy per class (share of clips labelled correctly):") + 1 :]
    assert accuracy == ["  angry: 0.7500", "  calm: 0.5000", "  sad: 0.6667"]


def test_metrics_text_says_what_uar_leaves_out() -> None:
    lines = metrics_text(report([0, 2], [0, 2])).splitlines()
    assert lines[1] == "Classes without a clip: calm"
    assert lines[2].startswith("UAR (mean recall) over the 2 of 3 classes that occur: 1.0000 (")
    assert "without a clip" not in metrics_text(report(TRUTH, PREDICTED))


@pytest.mark.parametrize("labels", [LABELS, ("a", "b", "c")])
def test_confusion_text_reads_back(labels: tuple[str, ...]) -> None:
    scores = report(TRUTH, PREDICTED, labels)
    note, header, *rows = confusion_text(scores).splitlines()
    assert "Rows: truth" in note
    assert header.split() == list(labels)
    assert [row.split() for row in rows] == [
        [label, *map(str, counts)]
        for label, counts in zip(labels, scores.confusion.tolist(), strict=True)
    ]
    assert len({len(row) for row in (header, *rows)}) == 1
