"""What the command line says: remarks and errors on stderr, results on stdout."""

from __future__ import annotations

import io
import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import disarm, distribution
from ser_cli.disarm import visible
from ser_cli.errors import SerError, UsageError, of_system, without_password
from ser_cli.remarks import LOG

if TYPE_CHECKING:
    from ser_cli.types import Failures


SHOWN_FAILURES = 5


_spoken = {"level": logging.INFO}


def listen(*, quiet: bool, verbose: bool, log_file: Path | None) -> None:
    """Decide how much is said on stderr, and whether a file has all of it.

    Raises:
        UsageError: Both quiet and verbose.
        OSError: The file cannot be written.
    """
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other", hint="give one of them")
    _spoken["level"] = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    for handler in LOG.handlers[:]:
        LOG.removeHandler(handler)
        handler.close()
    LOG.setLevel(logging.DEBUG if log_file else logging.WARNING)
    if quiet or log_file:  # else Python's own handler writes remarks to stderr
        LOG.addHandler(shown := logging.StreamHandler())
        shown.setLevel(logging.ERROR if quiet else logging.WARNING)
    if log_file:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        LOG.addHandler(kept := logging.FileHandler(log_file, encoding="utf-8"))
        kept.setFormatter(logging.Formatter("%(asctime)s %(message)s"))


def is_quiet() -> bool:
    """Tell whether nothing but errors is said."""
    return _spoken["level"] >= logging.ERROR


def is_verbose() -> bool:
    """Tell whether everything is said."""
    return _spoken["level"] <= logging.DEBUG


def say(text: str, *, error: bool = False) -> None:
    """Tell the user something that is not part of the result."""
    LOG.info("%s", visible(text, keep="\n"))
    if error or not is_quiet():
        print(visible(text, keep="\n"), file=sys.stderr)


def written(*paths: Path) -> None:
    """Tell which files were written, a line each: none is broken, and each can be copied."""
    say("\n".join(f"written: {path}" for path in paths))


@contextmanager
def clean_exit() -> Iterator[None]:
    """Turn a user's mistake into one sentence, a hint and an exit code; never a traceback.

    What is printed to stdout keeps the bytes of names, and fails in no encoding.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=disarm.ERRORS)
    try:
        yield
    except SerError as error:
        raise SystemExit(_told(error)) from None
    except KeyboardInterrupt:
        say("ser: interrupted", error=True)
        raise SystemExit(130) from None
    except ModuleNotFoundError as error:
        raise SystemExit(_told(_missing(error))) from None
    except (OSError, MemoryError) as error:  # a full disk, a read-only folder
        raise SystemExit(_told(of_system(error))) from None


@contextmanager
def until_enough() -> Iterator[None]:
    """End well where the reader of stdout (such as head) has seen enough: that is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        to_nobody()
        raise SystemExit(0) from None


def to_nobody() -> None:
    """Let what is printed from now on go nowhere, and what waits in the buffer, too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing(error: ModuleNotFoundError) -> SerError:
    """Return what to say where not all of the package's requirements are installed."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "ser_cli"):
        raise error
    return SerError(
        f"that needs {name}, which is not installed", hint=f"pip install {distribution.NAME}"
    )


def _told(error: SerError) -> int:
    """Say what is wrong and what to do next; return the exit code."""
    say(without_password(f"ser: {error}"), error=True)
    if error.hint:
        say(without_password(f"  try: {error.hint}"), error=True)
    return error.exit_code


def failures(failed: Failures) -> None:
    """Name the first files that failed and how many did."""
    for path, reason in failed[:SHOWN_FAILURES]:
        say(visible(f"{path}: {reason}"))
    if len(failed) > SHOWN_FAILURES:
        say(f"... and {len(failed) - SHOWN_FAILURES} more")


def print_json(value: Any) -> None:
    """Print a value for a program to read."""
    print(json.dumps(value, indent=2))


def follow_up(command: str, *words: str, job: Any, data: bool = False) -> str:
    """Return the next command line for the same recipe and folder, and for the same corpora."""
    options = [word for item in job.data for word in ("--data", item)] if data else []
    if job.recipe != type(job)().recipe:
        options += ["--recipe", job.recipe]
    if job.folder:
        options += ["--artifacts", str(job.folder)]
    return shlex.join(["ser", command, *options, *words])
