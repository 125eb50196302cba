"""What a file of the package says about itself, read from its text: imports, layers, functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ser_cli

assert ser_cli.__file__
PACKAGE = Path(ser_cli.__file__).parent
FILES = {
    ".".join(("ser_cli", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# A file imports from its own layer or from one further left; stages do not know each other.
LAYERS = (
    "types",
    "distribution",
    "disarm",
    "remarks",
    "first",
    "ending",
    "process",
    "workers",
    "cluster",
    "addresses",
    "remote",
    "onnx_graph",
    "onnx_session",
    "sound",
    "data",
    "recipes",
    "model",
    "ser_cli",
    "health",
    "report",
    "export",
    "training",
    "web",
    "jobs",
    "stages",
    "commands",
    "cli",
    "__main__",
)
TOP = {"errors": "types", "__init__": "ser_cli"}
HEAVY = {
    "PIL",
    "aiohttp",
    "av",
    "distributed",
    "fsspec",
    "jinja2",
    "joblib",
    "keras",
    "librosa",
    "matplotlib",
    "onnxruntime",
    "optuna",
    "pandas",
    "s3fs",
    "scipy",
    "sklearn",
    "soundfile",
    "streamlit",
    "tensorflow",
}
TENSORFLOW = {"keras", "tensorflow"}
LEARNING = ("export", "training")  # layers that load TensorFlow, and what they like
ELSEWHERE = ("multiprocessing", "ProcessPoolExecutor", "Parallel")  # what workers.py alone uses
MAX_LINES = 300
MAX_PARAMETERS = 8


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
        across = here == there == "stages" and found not in (module, "ser_cli.stages")
        if LAYERS.index(there) > LAYERS.index(here) or across:
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


def tensorflow(module: str, source: str) -> list[str]:
    """Return the functions in which a file loads TensorFlow where it may not ("" outside)."""
    if layer(module) in LEARNING:
        return []
    places = [place for place, names in loads(ast.parse(source)) if names & TENSORFLOW]
    return [place for place in places if (layer(module), place) != ("recipes", "build")]


def loads(node: ast.AST, place: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield the outermost function ("" for none) and the top-level names of each import."""
    if isinstance(node, ast.If) and is_type_checking(node.test):
        for other in node.orelse:
            yield from loads(other, place)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = place or node.name
    if isinstance(node, ast.Import):
        yield place, {alias.name.split(".")[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        yield place, {(node.module or "").split(".")[0]}
    for child in ast.iter_child_nodes(node):
        yield from loads(child, place)


def crowded(source: str) -> list[str]:
    """Return the functions that take more than a reader can keep in mind."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            taken = node.args
            every = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg]
            names = [one.arg for one in every if one and one.arg not in ("self", "cls")]
            found += [node.name] if len(names) > MAX_PARAMETERS else []
    return found


def side_by_side(source: str) -> list[str]:
    """Return the names in a file that run things in other processes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name | ast.Attribute):
            found.append(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += (getattr(node, "module", None) or "").split(".")
            found += [part for alias in node.names for part in alias.name.split(".")]
    return [name for name in found if name in ELSEWHERE]


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
