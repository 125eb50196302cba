"""`ser`, and `python -m ser_cli`: where a process begins and where errors become exit codes.

Workers of `ser predict` import this file again, and most runs of `ser` are `ser predict FILE`:
so it imports little, and a prediction without options does not wait for Typer, which takes
longer to load than a clip takes to be heard.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

TRAINING = ("train", "tune", "evaluate")


def main() -> None:
    """Run the command line."""
    # Files are spread over processes; threads inside a product of small matrices only cost.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ser_cli.commands.console import clean_exit

    words = sys.argv[1:]
    with clean_exit():
        if _is_plain(words):
            from ser_cli.commands.labelling import label

            raise SystemExit(label(words[1:]))
        if words and words[0] in TRAINING:
            from ser_cli.model import memory

            memory.keep()
        from ser_cli.cli import app

        app()


def _is_plain(words: Sequence[str]) -> bool:
    """Whether this is `ser predict` with paths alone: nothing that Typer would have to read."""
    command, *paths = words or [""]
    plain = bool(paths) and not any(word.startswith("-") for word in paths)
    return command == "predict" and plain and "_SER_COMPLETE" not in os.environ


if __name__ == "__main__":
    main()
