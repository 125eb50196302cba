"""What was skipped, guessed or passed over is said: one logger, shown on stderr unless it is asked.

A program that uses the package may do with it what it does with any logger: silence it, or write
it to a file. The command line leaves it as Python has it, which is one line per remark.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ser_cli.disarm import visible

LOG = logging.getLogger("ser_cli")
NAMED = 5  # of many things alike


def remark(text: str) -> None:
    """Tell what a user should know about the result, and would not see in it."""
    LOG.warning("%s", visible(text, keep="\n"))


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number and what there is of it: "1 clip is", "2 clips are", "2,048 clips are".

    Args:
        number: How many.
        one: What follows 1.
        many: What follows all else; by default `one` with an s.
    """
    return f"{number:,} {plural(number, one, many)}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return the word, or words, that fit a number, as `counted` does, without the number."""
    return one if number == 1 else many or f"{one}s"


def lasting(seconds: float) -> str:
    """Return a duration as one would say it: "about 40 min", "about 2.5 h"."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"about {round(minutes)} min"
    return f"about {minutes / 60:.1f} h" if minutes < 600 else f"about {round(minutes / 60)} h"


def near(name: str, known: Sequence[str]) -> str:
    """Return what to try in place of a name that is not known: "did you mean voice?", or all."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"


def listed(items: Sequence[object], *, most: int = NAMED) -> str:
    """Return the first of some items as a list in words: "a, b, ... and 3 more"."""
    shown = ", ".join(map(str, items[:most]))
    return shown if len(items) <= most else f"{shown}, ... and {len(items) - most} more"
