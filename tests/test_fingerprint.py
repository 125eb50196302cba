"""A digest of code follows its meaning, and of a file what it holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from modules import imported

from ser_cli.sound import fingerprint

Importer = Callable[..., ModuleType]
CODE = """
STEP = 2

def extract(waveform):
    return waveform[::STEP]
"""
SAME = '''
"""A module that says what it does."""
STEP = 2  # samples


def extract(waveform):
    """Take every other sample."""
    # The rest is noise.
    return (
        waveform[::STEP]
    )
'''
USER = """
from ser_cli.sound.toy_part import extract as part

def extract(waveform):
    return part(waveform)
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importer:
    def make(text: str, name: str = "toy_sound") -> ModuleType:
        return imported(text, name, tmp_path, monkeypatch)

    return make


def test_comments_docstrings_and_layout_do_not_count(load: Importer) -> None:
    first = fingerprint.of_code(load(CODE).extract)
    assert fingerprint.of_code(load(CODE).extract) == first
    assert fingerprint.of_code(load(SAME).extract) == first


@pytest.mark.parametrize(
    "changed",
    [
        CODE.replace("[::STEP]", "[1::STEP]"),
        CODE.replace("STEP = 2", "STEP = 3"),
        CODE + "OTHER = 1\n",
    ],
)
def test_code_and_constants_count(load: Importer, changed: str) -> None:
    first = fingerprint.of_code(load(CODE).extract)
    assert fingerprint.of_code(load(changed).extract) != first


def test_what_is_used_of_the_sounds_is_followed(load: Importer) -> None:
    def digest(part: str) -> str:
        load(part, "ser_cli.sound.toy_part")
        return fingerprint.of_code(load(USER).extract)

    first = digest(CODE)
    assert digest(SAME) == first
    assert digest(CODE.replace("STEP = 2", "STEP = 3")) != first


def test_functions_of_one_module_differ_and_so_do_bound_values(load: Importer) -> None:
    module = load(CODE + "def other(waveform):\n    return waveform\n")
    digests = [
        fingerprint.of_code(function)
        for function in (
            module.extract,
            module.other,
            partial(module.extract, step=2),
            partial(module.extract, step=3),
        )
    ]
    assert len(set(digests)) == 4


def test_a_file_is_what_it_holds(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"abc")
    second.write_bytes(b"abc")
    before = fingerprint.of_file(first)
    assert before == fingerprint.of_file(second)
    assert before == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    first.write_bytes(b"abcd")
    assert fingerprint.of_file(first) != before
