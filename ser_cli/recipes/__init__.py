"""Complete systems, one a file: adding a recipe is adding a module that defines RECIPE."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from ser_cli.errors import UsageError

if TYPE_CHECKING:
    from ser_cli.types import Recipe

DEFAULT = "cnn-bilstm"


def names() -> tuple[str, ...]:
    """Return what `--recipe` takes, sorted: file names with "-" for "_"."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def get(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in names():
        raise UsageError(f"there is no recipe {name!r}", hint="known: " + ", ".join(names()))
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    recipe: Recipe = module.RECIPE
    return recipe
