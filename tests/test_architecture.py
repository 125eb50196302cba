"""The house as its plan says: which file may import which, and how large it may be."""

from __future__ import annotations

import ast

import pytest
from sources import (
    FILES,
    HEAVY,
    LAYERS,
    LEARNING,
    MAX_LINES,
    climbs,
    crowded,
    eager_imports,
    imports,
    layer,
    shows,
    side_by_side,
    tensorflow,
)


def test_all_files_are_seen() -> None:
    assert {"ser_cli.cli", "ser_cli.stages.tune", "ser_cli.recipes.cnn_bilstm"} <= FILES.keys()
    assert {layer(module) for module in FILES} == set(LAYERS)


@pytest.mark.parametrize("module", FILES)
def test_imports_point_one_way(module: str) -> None:
    assert not climbs(module, FILES[module].read_text(encoding="utf-8"))


def test_nobody_imports_the_command_line() -> None:
    for module, path in FILES.items():
        found = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
        assert "ser_cli.web.page" not in found, module
        assert "ser_cli.cli" not in found or module == "ser_cli.__main__", module
        assert "ser_cli.__main__" not in found, module


@pytest.mark.parametrize("module", [name for name in FILES if layer(name) not in LEARNING])
def test_heavy_imports_wait(module: str) -> None:
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    # Streamlit runs the page, and Dask is there when something is sent: both are loaded already.
    pages = {f"ser_cli.web.{name}": {"streamlit"} for name in ("page", "options", "results")}
    allowed = {**pages, "ser_cli.cluster.sent_files": {"distributed"}}
    assert not (HEAVY - allowed.get(module, set())) & set(eager_imports(tree))


@pytest.mark.parametrize("module", FILES)
def test_tensorflow_is_loaded_to_learn_or_to_export(module: str) -> None:
    assert not tensorflow(module, FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", FILES.keys() - {"ser_cli.workers"})
def test_only_workers_start_processes(module: str) -> None:
    assert not side_by_side(FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "module", [name for name in FILES if layer(name) not in ("commands", "cli", "__main__")]
)
def test_only_the_command_line_shows_anything(module: str) -> None:
    assert not shows(FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", FILES)
def test_files_stay_short(module: str) -> None:
    lines = len(FILES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split the file by what it does"


@pytest.mark.parametrize("module", FILES)
def test_functions_take_few_things(module: str) -> None:
    assert not crowded(FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ser_cli.sound.audio", "from ser_cli.data import cache"),
        ("ser_cli.data.cache", "def f():\n    from ser_cli.model import artifacts"),
        ("ser_cli.export.onnx", "import ser_cli.training.dataset"),
        ("ser_cli.types", "from ser_cli.sound.audio import load"),
        ("ser_cli.stages.train", "from ser_cli.stages import tune"),
        ("ser_cli.stages.tune", "def f():\n    from ser_cli.stages.train import train"),
        ("ser_cli.model.network", "from ser_cli.export import keras_network"),
        ("ser_cli.workers", "from ser_cli.sound import audio"),
        ("ser_cli.training.session", "from ser_cli.jobs.training import TrainJob"),
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
        ("ser_cli.stages.tune", "from ser_cli.training import session"),
        ("ser_cli.data.cache", "from ser_cli import workers"),
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


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ser_cli.stages.train", "def f():\n    import keras"),
        ("ser_cli.model.network", "def f():\n    from keras import layers"),
        ("ser_cli.recipes.x", "def augment():\n    import tensorflow as tf"),
        ("ser_cli.recipes.x", "from keras import layers"),
        ("ser_cli.stages.train", "if TYPE_CHECKING:\n    pass\nelse:\n    import keras"),
    ],
)
def test_the_check_of_tensorflow_finds(module: str, source: str) -> None:
    assert tensorflow(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ser_cli.recipes.x", "def build():\n    def block():\n        import keras"),
        ("ser_cli.training.x", "import keras"),
        ("ser_cli.stages.x", "if TYPE_CHECKING:\n    import keras"),
    ],
)
def test_the_check_of_tensorflow_lets_pass(module: str, source: str) -> None:
    assert not tensorflow(module, source)


def test_the_checks_of_functions_and_processes_find() -> None:
    eight = "self, a, b, *c, d, e, f, g, **h"
    assert not crowded(f"def f({eight}): ...")
    assert crowded(f"def f(x, {eight}): ...") and crowded(f"async def f({eight[:-3]}i, **h): ...")
    for source in (
        "import multiprocessing.pool",
        "from multiprocessing import get_context",
        "import concurrent.futures as f\nf.ProcessPoolExecutor(2)",
        "import joblib\njoblib.Parallel(2)",
    ):
        assert side_by_side(source), source
    assert not side_by_side("from concurrent.futures import ThreadPoolExecutor\nimport joblib")
