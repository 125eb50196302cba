"""Tables on a terminal: as wide as it is, and no word of them broken."""

from __future__ import annotations

import numpy as np
import pytest

from ser_cli.commands import tables
from ser_cli.data.parts import Count
from ser_cli.report.metrics import score

HEAD = ("protocol", "data", "learned from", "enrolled", "UAR (95 %)", "WAR", "F1")
ROWS = [
    ("random70-speech (leaky)", "speech+song", "ravdess", "-", "68.5 (62.3-73.4)", "67.8", "68.7"),
    ("emobox6", "speech", "ravdess", "10", "80.0 (76.0-83.6)", "79.9", "79.3"),
]
WORDS = {word for row in (HEAD, *ROWS) for cell in row for word in cell.split()}


@pytest.mark.parametrize("width", [80, 81, 90, 100, 120, 160])
def test_no_word_is_broken_and_no_line_too_long(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    tables.table("title", HEAD, ROWS)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    found = {word for line in shown.splitlines() for word in line.replace("│", " ").split()}
    assert found >= WORDS - {"protocol"} and "protocol" in shown


def test_where_nothing_fits_it_is_still_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    tables.table("title", HEAD, ROWS)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


LABELS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def confusion(labels: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    truth = np.arange(len(labels))
    tables.confusion(score(truth, np.eye(len(labels)), labels=labels, resamples=2))


@pytest.mark.parametrize(("width", "count"), [(160, 8), (80, 8), (60, 4)])
def test_a_confusion_matrix_has_whole_words_above_its_columns(
    width: int, count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    confusion(LABELS[:count], width, monkeypatch)
    head = capsys.readouterr().out.splitlines()[1:3]
    assert {*LABELS[:count]} <= {word.strip("┃") for line in head for word in line.split()}


def test_columns_without_room_for_words_have_the_numbers_of_their_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    confusion(LABELS, 60, monkeypatch)
    shown = capsys.readouterr().out
    assert "numbered as the" in shown
    for number, label in enumerate(LABELS, start=1):
        assert f"{number} {label}" in shown


def test_a_number_of_a_class_has_one_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    report = score(np.array([0, 1]), np.eye(2), labels=LABELS[:2], resamples=2)
    tables.scores("title", [("all", report)])
    tables.per_class(report, dict.fromkeys(LABELS[:2], Count(1, 1)))
    shown = capsys.readouterr().out
    assert "weighted F1" in shown and "wtd" not in shown
    head = next(line for line in shown.splitlines() if "precision" in line)
    assert head.replace("┃", " ").split()[:4] == ["emotion", "precision", "recall", "F1"]
    assert "accuracy" not in head  # which is the recall of a class, digit for digit
