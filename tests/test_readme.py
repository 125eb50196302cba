"""The documents show what the files say; --update-golden writes their tables anew."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path

import pytest
from benchmarks import claims, published, report, tables

from ser_cli.report import results

ROOT = Path(__file__).parents[1]
DOCS, CARD = ROOT / "docs", ROOT / "artifacts" / "README.md"
ROWS = results.read(ROOT / "artifacts" / "results.csv")


def shipped(recipe: str) -> str:
    """Return what a shipped model reaches, trained without the test speakers."""
    path = ROOT / "artifacts" / "pretrained" / recipe / "manifest.json"
    model = itemgetter("recipe", "settings_from")(json.loads(path.read_text(encoding="utf-8")))
    return published.table([r for r in ROWS if (r["recipe"], r["settings_from"]) == model])


README = ROOT / "README.md"
TABLES = {
    "what to expect": (README, "expected", published.expected(ROWS)),
    "what to expect, in the docs": (DOCS / "protocols.md", "expected", published.expected(ROWS)),
    "leakage": (DOCS / "protocols.md", "leakage", published.leakage(ROWS)),
    "results": (DOCS / "results.md", "results", shipped("voice")),
    "model card, results": (CARD, "results", shipped("voice")),
    "model card, cnn-bilstm": (CARD, "cnn-bilstm", shipped("cnn-bilstm")),
    "reference systems": (DOCS / "systems.md", "reference", claims.table(ROWS)),
    "speed": (DOCS / "speed.md", "speed", report.markdown(report.read(report.JSON))),
}


@pytest.mark.parametrize(("document", "name", "table"), TABLES.values(), ids=TABLES)
def test_the_tables_shown_are_those_of_the_files(
    document: Path, name: str, table: str, request: pytest.FixtureRequest
) -> None:
    text = document.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = tables.with_table(text, name, table)
        document.write_text(text, encoding="utf-8", newline="\n")
    assert len(table.splitlines()) > 2
    assert tables.shown(text, name) == table
