"""What is known of RAVDESS stands in its own file: a second corpus is one more file like it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ser_cli
from ser_cli.data.corpora import ravdess

assert ser_cli.__file__
PACKAGE = Path(ser_cli.__file__).parent
OWN = Path("data/corpora/ravdess.py")
FILES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("*.py", "*.jinja", "*.css", "*.toml")
    for path in sorted(PACKAGE.rglob(pattern))
    if path.relative_to(PACKAGE) != OWN
}
CODE = [name for name in FILES if name.endswith(".py")]
# Beside its own file it is named where somebody must choose it, as the usual corpus, and where
# people are told of it.
ALLOWED = {
    "data/corpora/__init__.py": {"ravdess"},  # corpora.DEFAULT
    "cli.py": {"Speech emotion recognition: from RAVDESS to a label on anybody's recording."},
    "commands/__init__.py": {"download-ravdess"},
    "commands/download.py": {
        "ser download ravdess",
        "ser download ravdess --dest data --subset speech",
        "ser download ravdess --from http://mirror.example/ravdess",
        "ser download-ravdess",
        "ser download-ravdess --dest data --subset speech",
    },
    "commands/evaluate.py": {
        "ser evaluate --matrix --recipe voice --data ravdess --data nemo --data emovo"
    },
    "recipes/voice.py": {"ravdess"},  # its weight
    "commands/train.py": {"ser train --data ravdess --data my.csv (both corpora together)"},
}
# Its speakers, its names' fields, its address, its published folds.
FACTS = re.compile(
    r"\bsong\b|\bActor_|SER_RAVDESS|zenodo|\bemobox|\bluna|actors21-24|\b03-0[12]-|\bHELD_OUT\b",
    re.I,
)
EXAMPLES = {
    "ser evaluate --protocol actors21-24 --workers 2",
    "ser evaluate --protocol emobox6 --recipe voice --also nemo --also emovo",
}


def imported(source: str) -> Iterator[str]:
    """Yield the whole name of everything that is imported anywhere in a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(source: str) -> Iterator[str]:
    """Yield the string constants of a file, docstrings and other bare strings left out."""
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.value


def named(source: str) -> set[str]:
    """Return the texts of a file that name RAVDESS."""
    return {text for text in texts(source) if "ravdess" in text.lower()}


def told(source: str) -> set[str]:
    """Return the texts of a file that hold a fact of RAVDESS."""
    return {text for text in texts(source) if FACTS.search(text)}


@pytest.mark.parametrize("name", CODE)
def test_nobody_imports_it(name: str) -> None:
    found = [module for module in imported(FILES[name]) if "corpora.ravdess" in module]
    assert not found


@pytest.mark.parametrize("name", CODE)
def test_it_is_named_only_where_it_is_chosen_or_told(name: str) -> None:
    assert named(FILES[name]) == ALLOWED.get(name, set())


@pytest.mark.parametrize("name", CODE)
def test_its_facts_are_in_its_own_file(name: str) -> None:
    assert not told(FILES[name]) - EXAMPLES


def test_pages_do_not_name_it() -> None:
    pages = [name for name in FILES if name not in CODE]
    assert pages and not [name for name in pages if "ravdess" in FILES[name].lower()]


def test_the_allowed_places_are_there() -> None:
    assert FILES.keys() >= ALLOWED.keys() and (PACKAGE / OWN).is_file()


def test_the_checks_find() -> None:
    for source in (
        "from ser_cli.data.corpora import ravdess",
        "def f():\n    from ser_cli.data.corpora.ravdess import parse",
        "import ser_cli.data.corpora.ravdess as corpus",
    ):
        assert any("corpora.ravdess" in module for module in imported(source)), source
    assert named("if clip.corpus == 'ravdess': pass") == {"ravdess"}
    assert named("say(f'{n} of RAVDESS {x}')") == {" of RAVDESS "}
    assert not named("'''Of RAVDESS.'''\ndef f():\n    '''RAVDESS'''  # RAVDESS")
    assert told("x = 'Actor_01'") and told("y = ('emobox6',)")
    own = (PACKAGE / OWN).read_text(encoding="utf-8")
    assert {"ravdess", "SER_RAVDESS_DIR"} <= named(own) and "emobox6" in told(own)
    assert ravdess.NAME == "ravdess"
