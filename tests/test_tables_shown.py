"""Tables on a terminal: as wide as it is, and no word of them broken."""

from __future__ import annotations

import pytest

from ser_cli.commands import tables

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
