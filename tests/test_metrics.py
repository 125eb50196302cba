from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ser_cli.errors import DataError
from ser_cli.report.metrics import Report, averages, score, subgroups

LABELS = ("angry", "calm", "happy", "sad")


def one_hot(predicted: list[int] | NDArray[np.int64], classes: int = 4) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[np.asarray(predicted)]
    return rows


def scored(truth: list[int], predicted: list[int], **options: Any) -> Report:
    options = {"resamples": 20} | options
    return score(np.array(truth), one_hot(predicted), labels=LABELS, **options)


def test_known_answer() -> None:
    report = scored([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0])
    assert report.confusion[:2, :2].tolist() == [[3, 1], [1, 1]]
    assert report.war == pytest.approx(4 / 6)
    assert report.uar == pytest.approx((3 / 4 + 1 / 2) / 2)
    first = report.per_class[0]
    assert (first.label, first.precision, first.recall, first.support) == ("angry", 0.75, 0.75, 4)
    assert report.per_class[2].f1 == 0 and report.per_class[2].support == 0


def test_what_a_mean_recall_is_over() -> None:
    whole = scored([0, 1, 2, 3], [0, 1, 2, 2])
    assert (whole.uar_labels, whole.absent, whole.scope) == (LABELS, (), "")
    partial = scored([0, 0, 2], [0, 1, 3])
    assert partial.uar_labels == ("angry", "happy") and partial.absent == ("calm", "sad")
    assert whole.chance == 0.25 and partial.chance == 0.5
    assert whole.largest == 0.25 and partial.largest == pytest.approx(2 / 3)
    assert partial.scope == "over the 2 of 4 classes that occur"
    assert partial.uar == pytest.approx((1 / 2 + 0) / 2)


classes = st.integers(0, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(classes, classes), min_size=1, max_size=40))
def test_sklearn_agrees(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import classification_report, f1_score, recall_score

    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    report = scored(truth, predicted)
    for average, ours in (
        ("macro", report.macro_f1),
        ("micro", report.micro_f1),
        ("weighted", report.weighted_f1),
    ):
        assert ours == pytest.approx(f1_score(truth, predicted, average=average, zero_division=0))
    occurring = sorted(set(truth))
    assert report.uar == pytest.approx(
        recall_score(truth, predicted, labels=occurring, average="macro", zero_division=0)
    )
    oracle = classification_report(truth, predicted, output_dict=True, zero_division=0)
    for name, means in averages(report).items():
        theirs = oracle[name]
        assert means == pytest.approx((theirs["precision"], theirs["recall"], theirs["f1-score"]))
    for index, item in enumerate(report.per_class):
        if str(index) in oracle:
            assert item.precision == pytest.approx(oracle[str(index)]["precision"])
            assert item.recall == item.accuracy == pytest.approx(oracle[str(index)]["recall"])


def test_calibration_error_of_known_confidences() -> None:
    # Ten clips said with 0.8, eight of them right: calibrated. Said with 0.9: off by 0.1.
    truth = np.array([0] * 8 + [1] * 2)
    for confidence, expected in ((0.8, 0.0), (0.9, 0.1)):
        probabilities = np.tile([confidence, 1 - confidence], (10, 1))
        report = score(truth, probabilities, labels=("a", "b"), resamples=2)
        assert report.ece == pytest.approx(expected, abs=1e-6)


def test_calibration_error_does_not_cancel_between_bins() -> None:
    truth = np.array([1, 1, 0, 0])
    probabilities = np.array([[0.9, 0.1]] * 2 + [[0.6, 0.4]] * 2)
    assert score(truth, probabilities, labels=("a", "b"), resamples=2).ece == pytest.approx(0.65)


def test_calibration_error_has_15_bins() -> None:
    # Edges at 8/15, 9/15, 10/15 and 11/15: three clips in a bin, two in the next, one in the last.
    # No other number of bins up to 100 parts them so.
    right_at = {0.55: True, 0.56: True, 0.59: False, 0.62: True, 0.66: False, 0.68: True}
    gaps = (0.45 + 0.44 - 0.59, 0.38 - 0.66, 0.32)  # right minus confidence, a bin
    probabilities = np.array([[top, 1 - top] for top in right_at])
    truth = np.array([0 if right else 1 for right in right_at.values()])
    report = score(truth, probabilities, labels=("a", "b"), resamples=2)
    assert report.ece == pytest.approx(sum(map(abs, gaps)) / 6, abs=1e-6)


def test_identical_speakers_leave_no_doubt() -> None:
    truth, predicted, who = (
        [0, 0, 1, 1] * 6,
        [0, 1, 1, 1] * 6,
        [s for s in "abcdef" for _ in "1234"],
    )
    report = scored(truth, predicted, speakers=who)
    assert report.resampled == "speakers"
    low, high = report.intervals["war"]
    assert low == pytest.approx(0.75) and high == pytest.approx(0.75)


def test_interval_over_speakers_is_wider_when_speakers_differ() -> None:
    truth = [0, 1] * 50
    predicted = [0, 1] * 25 + [1, 0] * 25  # the first speaker always right, the second never
    clips = scored(truth, predicted, resamples=500)
    speakers = scored(truth, predicted, resamples=500, speakers=["a"] * 50 + ["b"] * 50)
    assert clips.resampled == "clips"
    assert speakers.intervals["war"] == (0.0, 1.0)
    low, high = clips.intervals["war"]
    assert 0.35 < low < 0.45 < 0.55 < high < 0.65  # binomial: 0.5 +- 0.098


def test_interval_over_24_speakers_is_as_wide_as_the_formula_says() -> None:
    hits = np.arange(24) % 11  # of each speaker's 10 clips
    predicted = [int(clip >= right) for right in hits for clip in range(10)]
    who = [str(speaker) for speaker in range(24) for _ in range(10)]
    report = scored([0] * 240, predicted, speakers=who, resamples=2000)
    low, high = report.intervals["war"]
    # A mean of 24 draws: its standard error is that of the speakers, by the root of 24.
    error = (hits / 10).std() / np.sqrt(24)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert (low + high) / 2 == pytest.approx(report.war, abs=0.1 * error)


@pytest.mark.parametrize("who", [["a", "a", "a"], ["a", "b", ""], None])
def test_clips_are_drawn_where_speakers_cannot_be(who: list[str] | None) -> None:
    assert scored([0, 1, 1], [0, 1, 0], speakers=who).resampled == "clips"


def test_same_seed_same_interval_and_the_seed_matters() -> None:
    truth, predicted = [0, 1, 2, 3] * 10, [0, 1, 2, 0] * 9 + [3, 2, 1, 0]
    one, two, other = (scored(truth, predicted, seed=s).intervals for s in (1, 1, 2))
    assert one == two != other


def test_no_clips() -> None:
    with pytest.raises(DataError, match="no clip"):
        score(np.zeros(0, np.int64), np.zeros((0, 4)), labels=LABELS)


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        ([0], [[np.nan, 0.5]], "NaN"),
        ([0], [[0.2, 0.3, 0.5]], "expected"),
        ([2], [[0.5, 0.5]], "truth"),
        ([-1], [[0.5, 0.5]], "truth"),
    ],
)
def test_nonsense_is_refused(truth: list[int], probabilities: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(np.array(truth), np.array(probabilities), labels=("a", "b"))


def test_speakers_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 speakers for 3 clips"):
        scored([0, 1, 1], [0, 1, 0], speakers=["a", "b"])


def test_subgroups() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    rows = subgroups(truth, predicted, ["m", "f", "m", "m", ""])
    assert [(r.group, r.n, r.classes) for r in rows] == [
        ("f", 1, 1),
        ("m", 3, 2),
        ("unknown", 1, 1),
    ]
    assert [r.war for r in rows] == [0, 1, 0]


def test_subgroup_uar_counts_its_own_classes() -> None:
    rows = subgroups(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]), ["x"] * 4)
    assert (rows[0].uar, rows[0].war) == (0.5, 0.75)
