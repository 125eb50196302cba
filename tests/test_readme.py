"""The documents show what the files say; --update-golden writes their tables anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from benchmarks import claims, published, report, tables
from command import succeed

from ser_cli.report import results

ROOT = Path(__file__).parents[1]
DOCS, CARD = ROOT / "docs", ROOT / "artifacts" / "README.md"
ROWS = results.read(ROOT / "artifacts" / "results.csv")


def shipped(recipe: str) -> str:
    """Return what a shipped model reaches, trained without the test speakers."""
    path = ROOT / "artifacts" / "pretrained" / recipe / "manifest.json"
    made = json.loads(path.read_text(encoding="utf-8"))
    of = {row["settings_from"] for row in ROWS if row["recipe"] == recipe}
    # The shipped `voice` leaves out members that no dev part lets it believe; else it is the same.
    settings = made["settings_from"] if made["settings_from"] in of else "defaults"
    own = (recipe, settings)
    return published.table([r for r in ROWS if (r["recipe"], r["settings_from"]) == own])


README = ROOT / "README.md"
TABLES = {
    "what to expect": (README, "expected", published.expected(ROWS)),
    "what to expect, in the docs": (DOCS / "protocols.md", "expected", published.expected(ROWS)),
    "corpora": (DOCS / "corpora.md", "corpora", published.public_corpora()),
    "anchors": (DOCS / "results.md", "anchors", published.anchors(ROWS)),
    "commands": (DOCS / "results.md", "commands", published.commands(ROWS)),
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


def test_the_first_output_shown_is_the_shipped_models(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(ROOT)
    folder = "artifacts/pretrained/voice"  # a checkout may have trained another
    words = ("predict", "tests/clips", "--artifacts", folder)
    said = [json.loads(line) for line in succeed(*words, "--json").out.splitlines()]
    text = README.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        for row in said:
            of_row = rf"^\w+ +\d+%(.*  {re.escape(Path(row['file']).as_posix())})"
            again = rf"{row['emotion']:<17}{100 * row['confidence']:>3.0f}%\1"
            text = re.sub(of_row, again, text, flags=re.MULTILINE)
        README.write_text(text, encoding="utf-8", newline="\n")
    shown = re.findall(r"^(\w+) +(\d+)% .*  (tests/clips/\S+)", text, re.MULTILINE)
    assert [file for _, _, file in shown] == [Path(row["file"]).as_posix() for row in said]
    for (emotion, percent, _), row in zip(shown, said, strict=True):
        assert emotion == row["emotion"]
        assert int(percent) == pytest.approx(100 * row["confidence"], abs=0.6)
