"""`ser`, and `python -m ser_cli`: where the process starts and where errors become exit codes.

Worker processes import this file again, so it imports little.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    from ser_cli import first
    from ser_cli.commands import resuming

    first.end_at_once(resuming(*sys.argv[1:2]))

    from ser_cli import process
    from ser_cli.commands.console import clean_exit

    process.collect_seldom()
    process.one_thread_per_product()  # before NumPy is loaded
    with clean_exit():
        from ser_cli.cli import COMPLETING, build

        build(_before_completion() if COMPLETING in os.environ else sys.argv[1:])()


def _before_completion() -> list[str]:
    """Return the words before the one that a shell completes: that may be a command's name yet."""
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split(" ")[1:-1]


if __name__ == "__main__":
    main()
