"""SECURITY.md: every promise names the tests that hold it, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = TESTS.with_name("SECURITY.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "| promise |" not in line]
NAMED = re.compile(r"`(test_\w+\.py)`(?: \(((?:`\w+`(?:, )?)+))?")


@pytest.mark.parametrize("row", ROWS)
def test_each_promise_is_held_by_tests_that_exist(row: str) -> None:
    named = NAMED.findall(row)
    assert named
    for file, parts in named:
        text = (TESTS / file).read_text(encoding="utf-8")
        for part in re.findall(r"`(\w+)`", parts):
            assert re.search(rf"def test_\w*{part}", text), (file, part)


def test_all_promises_are_seen() -> None:
    assert len(ROWS) > 12
    assert all(sum(map(len, NAMED.findall(row))) for row in ROWS)
