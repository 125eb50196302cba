"""Files whose names carry labels are scored against them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ser_cli.report import filename_labels
from ser_cli.types import Prediction

CLASSES = ("angry", "calm", "sad")
ANGRY, CALM, SAD = (f"03-01-{code}-01-01-01-{{}}" for code in ("05", "02", "04"))


def row(name: str, emotion: str) -> Prediction:
    shares = np.full(3, 0.1, np.float32)
    shares[CLASSES.index(emotion)] = 0.8
    return Prediction(f"some/where/{name}.wav", 0, 1, emotion, 0.8, shares)


def report(rows: list[Prediction], parts: dict[str, str]) -> str:
    labels = filename_labels.FilenameLabels(CLASSES, lambda: parts)
    for one in rows:
        labels.add(one)
    return labels.report()


def failed(name: str) -> Prediction:
    return Prediction(f"{name}.wav", math.nan, math.nan, "", math.nan, None, "error", error="no")


def cells(text: str, label: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [label])
    return line.split()[1:]


def test_known_answer() -> None:
    rows = [
        row(ANGRY.format("01"), "angry"),
        row(ANGRY.format("02"), "sad"),
        row(CALM.format("01"), "calm"),
        row(SAD.format("01"), "sad"),
        row("holiday", "sad"),  # no label in its name
        failed(SAD.format("02")),
    ]
    text = report(rows, {})
    assert text.splitlines()[0].startswith("4 files have labels in their names")
    assert cells(text, "angry") == ["1.000", "0.500", "0.667", "2"]
    assert cells(text, "sad") == ["0.500", "1.000", "0.667", "1"]
    assert cells(text, "accuracy") == ["0.750", "4"]
    assert "training data" not in text


def test_what_the_model_has_seen_is_said_first() -> None:
    seen, tuned, new = (ANGRY.format(actor) for actor in ("01", "17", "21"))
    rows = [row(name, "angry") for name in (seen, tuned, new)]
    text = report(rows, {seen: "train", tuned: "dev", new: "test"})
    assert text.splitlines()[0] == "2 of 3 clips were training data of this model"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row("holiday", "sad")],
        [failed(SAD.format("01"))],
        [row("03-01-07-01-01-01-01", "sad")],  # disgust, which this model does not know
        [row("01-01-04-01-01-01-01", "sad")],  # a video's name
    ],
)
def test_nothing_to_score(rows: list[Prediction]) -> None:
    assert report(rows, {}) == ""


def test_the_split_is_read_only_for_names_that_carry_labels() -> None:
    def never() -> dict[str, str]:
        raise AssertionError("read")

    labels = filename_labels.FilenameLabels(CLASSES, never)
    labels.add(row("holiday", "sad"))
    assert labels.report() == ""
    with pytest.raises(AssertionError, match="read"):
        labels.add(row(SAD.format("01"), "sad"))


def test_emotions_that_the_model_does_not_know_are_told() -> None:
    happy, fearful = (f"03-01-{code}-01-01-01-01" for code in ("03", "06"))
    rows = [row(name, "sad") for name in (happy, fearful, fearful, SAD.format("01"))]
    assert report(rows, {}).splitlines()[:3] == [
        "2 files of fearful left out: the model does not know that emotion",
        "1 file of happy left out: the model does not know that emotion",
        "1 file has a label in its name (as in ravdess); scored on it:",
    ]
