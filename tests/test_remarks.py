"""How many there are of something, in words: one helper, and "1 clip" wherever there is one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import fake
import pytest
from command import ser, succeed, tone
from sources import FILES

from ser_cli import remarks

THINGS = "clips|columns|copies|files|folders|recordings|rows|sounds|speakers|trials|windows"
MANY = re.compile(rf" (?:(?!has|lacks)[a-z]+ )?({THINGS})\b")


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("clip",), "0 clips"), (1, ("clip",), "1 clip"), (2_048, ("clip",), "2,048 clips"),
        (1, ("copy is", "copies are"), "1 copy is"), (3, ("copy is", "copies are"), "3 copies are"),
    ],
)  # fmt: skip
def test_a_number_and_its_word_agree(number: int, words: tuple[str, ...], told: str) -> None:
    assert remarks.counted(number, *words) == told
    assert remarks.plural(number, *words) == told.partition(" ")[2]


def uncounted(source: str) -> list[str]:
    """Return the texts in which a number is put before a word for many."""
    return [
        str(after.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.JoinedStr)
        for number, after in zip(node.values, node.values[1:], strict=False)
        if isinstance(number, ast.FormattedValue) and isinstance(after, ast.Constant)
        if MANY.match(str(after.value))
    ]


# The page's greatest number of files is none that could be 1.
@pytest.mark.parametrize("module", FILES.keys() - {"ser_cli.web.guard"})
def test_numbers_go_through_the_helper(module: str) -> None:
    assert not uncounted(FILES[module].read_text(encoding="utf-8"))


def test_the_check_of_numbers_finds() -> None:
    assert uncounted('f"{n} clips"') and uncounted('f"of {len(x)} other files are"')
    assert not uncounted("f\"{counted(n, 'clip')} heard, {name} has clips\"")


def test_one_thing_is_told_as_one(tmp_path: Path) -> None:
    clip, out = tone(tmp_path / "03-01-04-01-01-01-01.wav", 440, seed=0), tmp_path / "out.csv"
    corpus, silent = tmp_path / "clips.csv", tmp_path / "no-sound.txt"
    silent.write_text("no sound", encoding="utf-8")
    corpus.write_text(f"file,emotion\n{clip},sad\n", encoding="utf-8")
    model = ("--artifacts", fake.folder(tmp_path / "artifacts"))
    given = ("--data", corpus, "--recipe", "stats-dense", "--jobs", 1)
    with pytest.MonkeyPatch.context() as patch:
        fake.register(patch)
        told = [
            succeed("predict", clip, *model, "--csv", out),
            succeed("predict", clip, *model, "--csv", out),
            ser("predict", silent, *model, "--csv", tmp_path / "none.csv"),
        ]
    told += [
        succeed("eda", *given, "--out", tmp_path / "eda"),
        succeed("extract", *given, "--table", tmp_path / "table.csv"),
    ]
    text = "\n".join(done.out + done.err for done in told)
    of_rows = ("1 row written", "1 of 1 file was done", "1 of 1 row is an error", "1 row of")
    for words in (*of_rows, "1 clip; level", "1 clip, 1 frame of"):
        assert words in text, words
    assert "1 frames" not in text and not re.search(rf"\b1{MANY.pattern}", text)
