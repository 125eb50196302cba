"""The documentation: commands that exist, links that lead somewhere, lists that are whole."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from command import ser
from jsonschema import Draft202012Validator
from sources import LAYERS, TOP

from ser_cli import cli
from ser_cli.model import votes
from ser_cli.model.rows import columns
from ser_cli.report import results
from ser_cli.sound import mixer
from ser_cli.web.words import FLAGS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (
        *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "artifacts" / "README.md"),
        *sorted(DOCS.rglob("*.md")),
    )
    if "made" not in path.parts and "_build" not in path.parts
}
PROGRAM: Any = typer.main.get_command(cli.build())
FORMATS = (DOCS / "formats.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """Return the command lines of `ser` in blocks of code and in sentences."""
    fenced = False
    blocks: list[str] = []
    sentences: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        else:
            (blocks if fenced else sentences).append(line)
    lines = re.findall(
        r"^.*?\b(ser [a-z].*)$", "\n".join(blocks).replace("\\\n", " "), re.MULTILINE
    )
    lines += re.findall(r"`(?:[^`]+&& )?(ser [a-z][^`]*)`", " ".join(sentences))
    return [re.sub(r"\s+", " ", line.partition(" #")[0].partition(" (")[0]) for line in lines]


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_exist(page: str) -> None:
    for line in commands(PAGES[page].read_text(encoding="utf-8")):
        _, name, *words = shlex.split(line.replace("...", ""))
        assert name in PROGRAM.commands, line
        command = PROGRAM.commands[name]
        known = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)}
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known | {"--help", "-h"}, line


def test_commands_are_found() -> None:
    text = "```sh\npip install x && ser predict a\n```\nor `ser tune\n--trials 3`"
    assert commands(text) == ["ser predict a", "ser tune --trials 3"]


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page: str) -> None:
    path = PAGES[page]
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, heading = link.partition("#")
        if "://" in name or name.startswith(("mailto:", "made/", "../made/")):
            continue
        target = path.parent / name if name else path
        assert target.exists(), link
        if heading:
            text = target.read_text(encoding="utf-8")
            titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE) + re.findall(
                r"^\((.+)\)=$", text, re.M
            )
            assert heading in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


def test_every_flag_and_column_is_explained() -> None:
    told = dict(re.findall(r"^\| `([a-z -]+)` \| .+ \| (yes|no) \|$", FORMATS, re.MULTILINE))
    assert set(told) >= {*mixer.KINDS, *votes.HARMLESS, *votes.UNHEARD_FLAGS}
    assert {flag for flag, warns in told.items() if warns == "no"} == votes.HARMLESS
    assert set(told) >= {flag for flag in FLAGS if flag != "uncertain"}
    rows = FORMATS[: FORMATS.index("### Flags")]
    assert set(re.findall(r"`(\w+)`", rows)) >= set(columns(("angry", "calm")))
    table = FORMATS[FORMATS.index("## results.csv") :]
    assert set(results.COLUMNS) <= set(re.findall(r"`(\w+)`", table))


def test_every_layer_has_its_place_in_the_house() -> None:
    table = (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)(?:\.py|/)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.M)))
    here = [TOP.get(name, name) for name in named if name not in ("encoders", "errors")]
    assert here == [name for name in LAYERS if name != "ser_cli"]


def test_rows_are_as_their_schema_states(tmp_path: Path) -> None:
    schema = json.loads((DOCS / "_static" / "row.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    clip = Path(__file__).parent / "clips" / "espeak-calm.flac"
    done = ser("predict", clip, tmp_path / "gone.wav", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 2 and [row["status"] for row in rows] == ["ok", "error"]
    for row in rows:
        Draft202012Validator(schema).validate(row)
        assert set(schema["required"]) <= set(row)
    assert list(Draft202012Validator(schema).iter_errors({**rows[0], "confidence": 2}))
