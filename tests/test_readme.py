"""The documents say what the files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ser_cli import recipes
from ser_cli.report import results

ROOT = Path(__file__).parents[1]
TABLES = {ROOT / "README.md", ROOT / "artifacts" / "README.md"}


@pytest.mark.parametrize("document", TABLES, ids=lambda path: path.parent.name)
def test_the_results_shown_are_those_of_results_csv(
    document: Path, request: pytest.FixtureRequest
) -> None:
    rows = results.read(ROOT / "artifacts" / "results.csv")
    assert rows
    expected = results.markdown([row for row in rows if row["recipe"] == recipes.DEFAULT])
    pattern = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
    text = document.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = pattern.sub(lambda found: found[1] + expected + found[2], text)
        document.write_text(text, encoding="utf-8", newline="\n")
    found = pattern.search(text)
    assert found
    assert found[0] == f"<!-- results -->\n{expected}<!-- /results -->"
