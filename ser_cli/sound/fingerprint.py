"""What a piece of code or a file is, as a short digest: the key of everything that is cached."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

# Packages whose modules shape a feature; what they import is followed.
FOLLOWED = ("ser_cli.sound.", "ser_cli.recipes.")


def of_code(function: Callable[..., Any], followed: tuple[str, ...] = FOLLOWED) -> str:
    """Return a digest of what a function does, in hexadecimal.

    It covers the function's name and bound values, its module, and the modules that this one uses,
    directly or not. Comments, docstrings and layout do not count.

    Args:
        function: Of a module that has been imported.
        followed: How the names of the modules begin that count; others do not.
    """
    digest = hashlib.sha256()
    while isinstance(function, partial):
        digest.update(repr((function.args, function.keywords)).encode())
        function = function.func
    bound = [repr(cell.cell_contents) for cell in getattr(function, "__closure__", None) or ()]
    digest.update(repr((function.__module__, function.__qualname__, bound)).encode())
    for name in sorted(_reachable(function.__module__, followed)):
        digest.update(_meaning(_source(sys.modules[name])))
    return digest.hexdigest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; a file that did not change is read once."""
    found = path.stat()
    return _sha256(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reachable(name: str, followed: tuple[str, ...]) -> set[str]:
    found, todo = {name}, [name]
    while todo:
        for value in vars(sys.modules[todo.pop()]).values():
            other = value.__name__ if isinstance(value, ModuleType) else _home(value)
            if other.startswith(followed) and other not in found and other in sys.modules:
                found.add(other)
                todo.append(other)
    return found


def _home(value: Any) -> str:
    home = getattr(value, "__module__", None)
    return home if isinstance(home, str) else ""


def _source(module: ModuleType) -> str:
    """Return a module's code as it stands now; "" where it has none."""
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""


@lru_cache(maxsize=64)
def _meaning(source: str) -> bytes:
    """Return code without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            del body[0]
    return ast.dump(tree).encode()


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
