"""The house as its plan says: which file may import which, and how large it may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ser_cli

assert ser_cli.__file__
PACKAGE = Path(ser_cli.__file__).parent
FILES = {
    ".".join(("ser_cli", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# A file imports from its own layer or from one further left.
LAYERS = (
    "types",
    "process",
    "sound",
    "data",
    "recipes",
    "model",
    "ser_cli",
    "report",
    "export",
    "training",
    "web",
    "stages",
    "commands",
    "cli",
    "__main__",
)
TOP = {"errors": "types", "__init__": "ser_cli"}
ARROWS = {
    "tune": {"train"},
    "evaluate": {"train", "predict"},
    "evaluate_files": {"evaluate"},
    "protocol": {"train", "evaluate"},
}
HEAVY = {
    "PIL",
    "av",
    "jinja2",
    "joblib",
    "keras",
    "librosa",
    "matplotlib",
    "onnxruntime",
    "optuna",
    "pandas",
    "scipy",
    "sklearn",
    "soundfile",
    "streamlit",
    "tensorflow",
}
TENSORFLOW = {"training", "export"}  # where it may be imported as soon as a file is
MAX_LINES = 325
# They still run Keras through the trainer, which is to change next.
UPWARDS = {"ser_cli.export.litert", "ser_cli.model.network"}


def layer(module: str) -> str:
    parts = module.split(".")
    if len(parts) == 1:
        return "ser_cli"
    return TOP.get(parts[1], parts[1])


def is_module(name: str) -> bool:
    return name in FILES or f"{name}.__init__" in FILES


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module of the package that is imported anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "ser_cli")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide where they lead"
            if (node.module or "").split(".")[0] != "ser_cli":
                continue
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if is_module(whole) else str(node.module)


def climbs(module: str, source: str) -> list[str]:
    """Return the imports that lead to a later layer, or across the stages."""
    here = layer(module)
    bad = []
    for found in imports(ast.parse(source)):
        there = layer(found)
        stage, other = module.split(".")[-1], found.split(".")[-1]
        across = here == there == "stages" and other not in (stage, "stages")
        if LAYERS.index(there) > LAYERS.index(here) or (
            across and other not in ARROWS.get(stage, set())
        ):
            bad.append(found)
    return bad


def is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def eager_imports(node: ast.AST) -> Iterator[str]:
    """Yield the top-level names of what is imported as soon as a file is."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    if isinstance(node, ast.If) and is_type_checking(node.test):
        for other in node.orelse:
            yield from eager_imports(other)
        return
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield (node.module or "").split(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from eager_imports(child)


def shows(source: str) -> list[str]:
    """Return what a file says to the terminal itself."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found += ["print"] if node.func.id == "print" else []
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            found += [text] if text in ("sys.stdout", "sys.stderr", "typer.echo") else []
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [name for name in names if name.split(".")[0] in ("typer", "rich")]
    return found


def test_all_files_are_seen() -> None:
    assert {"ser_cli.cli", "ser_cli.stages.tune", "ser_cli.recipes.cnn_bilstm"} <= FILES.keys()
    assert {layer(module) for module in FILES} == set(LAYERS)


@pytest.mark.parametrize("module", FILES.keys() - UPWARDS)
def test_imports_point_one_way(module: str) -> None:
    assert not climbs(module, FILES[module].read_text(encoding="utf-8"))


def test_nobody_imports_the_command_line() -> None:
    for module, path in FILES.items():
        found = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
        assert "ser_cli.web.page" not in found, module
        assert "ser_cli.cli" not in found or module == "ser_cli.__main__", module
        assert "ser_cli.__main__" not in found, module


@pytest.mark.parametrize("module", FILES)
def test_heavy_imports_wait(module: str) -> None:
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    # Streamlit runs the page itself: there it is loaded already.
    allowed = {"streamlit"} if module == "ser_cli.web.page" else set()
    if layer(module) in TENSORFLOW:
        allowed = {"keras", "tensorflow"}
    assert not (HEAVY - allowed) & set(eager_imports(tree))


@pytest.mark.parametrize(
    "module", [name for name in FILES if layer(name) not in ("commands", "cli", "__main__")]
)
def test_only_the_command_line_shows_anything(module: str) -> None:
    assert not shows(FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", FILES)
def test_files_stay_short(module: str) -> None:
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split the file by what it does"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ser_cli.sound.audio", "from ser_cli.data import cache"),
        ("ser_cli.data.cache", "def f():\n    from ser_cli.model import artifacts"),
        ("ser_cli.export.onnx", "import ser_cli.training.dataset"),
        ("ser_cli.types", "from ser_cli.sound.audio import load"),
        ("ser_cli.stages.train", "from ser_cli.stages import tune"),
        ("ser_cli.stages.predict", "from ser_cli.stages.evaluate import evaluate"),
        ("ser_cli.report.html", "from ser_cli.commands import console"),
        ("ser_cli.report.rows", "from ser_cli.training import trainer"),
    ],
)
def test_the_check_of_layers_finds(module: str, source: str) -> None:
    assert climbs(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ser_cli.stages.tune", "from ser_cli.stages import train"),
        ("ser_cli.commands.output", "from ser_cli.report.rows import columns"),
        ("ser_cli.recipes.x", "from ser_cli.sound import features\nimport numpy"),
    ],
)
def test_the_check_of_layers_lets_pass(module: str, source: str) -> None:
    assert not climbs(module, source)


def test_the_other_checks_find() -> None:
    eager = "try:\n    import keras\nexcept ImportError:\n    from scipy.fft import rfft"
    late = "if TYPE_CHECKING:\n    import keras\ndef f():\n    import optuna"
    assert {"keras", "scipy"} <= set(eager_imports(ast.parse(eager)))
    assert not set(eager_imports(ast.parse(late)))
    for source in ("print(1)", "import sys\nsys.stdout.write('')", "from rich import print as p"):
        assert shows(source), source
