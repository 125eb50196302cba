"""Options that name a file or a folder: as paths, or as addresses where they may be elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from ser_cli.addresses import checked, is_url
from ser_cli.errors import UsageError
from ser_cli.jobs import Option


def flag(name: str, option: Option) -> str:
    """Return how an option is written."""
    return option.flag or "--" + name.replace("_", "-")


def is_place(kind: Any) -> bool:
    """Tell whether a type is that of a file or folder, or of several."""
    return kind is Path or any(map(is_place, get_args(kind)))


def placed_all(given: dict[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of options with what names a place as a path; see `_placed`."""
    kinds = {name: get_args(hints[name]) for name in given}
    return {
        name: _placed(value, kinds[name][1], flag(name, kinds[name][1]))
        if is_place(kinds[name][0])
        else value
        for name, value in given.items()
    }


def _placed(value: Any, option: Option, written: str) -> Any:
    """Return what is named as a path; an address only where the option takes one.

    Raises:
        UsageError: It does not.
        SerError: What is there cannot be had.
    """
    if isinstance(value, tuple):
        return tuple(_placed(item, option, written) for item in value)
    if not isinstance(value, str):  # by default
        return value
    if option.elsewhere and is_url(value):
        return option.elsewhere(value)
    if is_url(named := checked(value)):
        raise UsageError(
            f"{written} names a place on this machine, and {named} is none",
            hint="give a path, and copy what is written there afterwards",
        )
    return Path(named)
