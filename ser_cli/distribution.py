"""What `pip` calls this package: `ser`, its command, was somebody else's name there already."""

from __future__ import annotations

NAME = "speech-emotion"


def version() -> str:
    """Return its version; "0+unknown" in sources that were never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(NAME)
    except PackageNotFoundError:
        return "0+unknown"


def install(extra: str, *others: str) -> str:
    """Return the command that installs an extra, and other packages with it."""
    return " ".join(["pip install", f'"{NAME}[{extra}]"', *others])
