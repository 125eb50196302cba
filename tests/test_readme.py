"""The documents say what the files say."""

from __future__ import annotations

import json
import re
from operator import itemgetter
from pathlib import Path

import pytest

from ser_cli import recipes
from ser_cli.report import claims, results

ROOT = Path(__file__).parents[1]
ROWS = results.read(ROOT / "artifacts" / "results.csv")
# What the shipped model is, trained without the test speakers.
MANIFEST = ROOT / "artifacts" / "pretrained" / "manifest.json"
SHIPPED = itemgetter("recipe", "settings_from")(json.loads(MANIFEST.read_text(encoding="utf-8")))
RESULTS = results.markdown([r for r in ROWS if (r["recipe"], r["settings_from"]) == SHIPPED])
CLAIMED = [recipe for recipe in map(recipes.get, recipes.names()) if recipe.claims]
TABLES = {
    "README, results": (ROOT / "README.md", "results", RESULTS),
    "model card, results": (ROOT / "artifacts" / "README.md", "results", RESULTS),
    "README, seeds": (ROOT / "README.md", "seeds", claims.markdown(claims.lines(ROWS, CLAIMED))),
}


@pytest.mark.parametrize(("document", "name", "table"), TABLES.values(), ids=TABLES)
def test_the_tables_shown_are_those_of_results_csv(
    document: Path, name: str, table: str, request: pytest.FixtureRequest
) -> None:
    assert ROWS
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text = document.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = pattern.sub(lambda found: found[1] + table + found[2], text)
        document.write_text(text, encoding="utf-8", newline="\n")
    found = pattern.search(text)
    assert found
    assert found[0] == f"<!-- {name} -->\n{table}<!-- /{name} -->"
