"""What `ser doctor` looks at: one file a subject, each of functions that yield checks.

Nothing here is loaded before it is needed, so that a broken library is one line of the report and
no end of it.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Level = Literal["ok", "warning", "error"]
Checker = Callable[[], Iterable["Check"]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        text: How it is.
        level: Whether `ser` works with it ("warning": with something missing or slower).
        hint: The next command, where there is something to do.
    """

    name: str
    text: str
    level: Level = "ok"
    hint: str = ""


def anonymous(check: Check) -> Check:
    """Return a check that anybody may read: without the user's home and name, or control signs."""
    name, text, hint = map(_hidden, (check.name, check.text, check.hint))
    return replace(check, name=name, text=text, hint=hint)


def megabytes(size: float) -> str:
    """Return a number of bytes as people say it."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _hidden(text: str) -> str:
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    for home, shown in _private():
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", shown, text)
    return text


def _private() -> list[tuple[str, str]]:
    """Return what tells who the user is, and what stands for it."""
    found = []
    try:
        found.append((str(Path.home()), "~"))
        user = getpass.getuser()
    except (OSError, RuntimeError, KeyError, ImportError):  # nobody is logged in
        return found
    # As a folder alone: a name such as "ser" is a word as well.
    return [*found, (f"/{user}", "/USER"), (f"\\{user}", r"\\USER")]
