"""Look at everything that `ser` stands on, and say what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from ser_cli.errors import SerError
from ser_cli.health import Check, Checker, anonymous

# In the order of the report; each file is loaded by itself, since any library may be broken.
SUBJECTS = {
    "versions": ("python", "dependencies", "onnxruntime", "keras", "libraries"),
    "codecs": ("codecs",),
    "machine": ("cpu", "memory", "gpu", "terminal", "silence"),
    "storage": ("cache", "disk"),
    "holdings": ("models", "data"),
}


def doctor() -> Iterator[Check]:
    """Yield all checks, without the user's name or home."""
    for subject, names in SUBJECTS.items():
        for name in names:
            yield from map(anonymous, _safely(f"{subject}: {name}", _checker(subject, name)))


def _checker(subject: str, name: str) -> Checker:
    def look() -> Iterator[Check]:
        checker: Callable[[], Iterator[Check]] = getattr(
            import_module(f"ser_cli.health.{subject}"), name
        )
        return checker()

    return look


def _safely(name: str, checker: Checker) -> Iterator[Check]:
    """Yield what a checker yields; what it raises is one more check, and ends no other."""
    try:
        yield from checker()
    except SerError as error:
        yield Check(name, str(error), "error", error.hint)
    except ImportError as error:
        hint = f"pip install --force-reinstall {(error.name or 'ser').partition('.')[0]}"
        yield Check(name, f"cannot be looked at: {error}", "error", hint)
    except Exception as error:  # whatever is broken, the report is to end
        hint = "report it, with this output"
        yield Check(name, f"cannot be looked at: {type(error).__name__}: {error}", "error", hint)
