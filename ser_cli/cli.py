"""The `ser` command line: one program of all commands. Only __main__.py imports this file.

A command's file is imported when the command is named or listed, and each imports its stage in
its body, so that no command waits for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ser_cli import process
from ser_cli.commands import console
from ser_cli.commands.parsing import Declared

# Name of a command -> its file in commands/.
COMMANDS = {
    "download": "download",
    "download-ravdess": "download",
    "eda": "eda",
    "extract": "extract",
    "tune": "tune",
    "train": "train",
    "evaluate": "evaluate",
    "predict": "predict",
    "export": "export",
    "recipes": "recipes",
    "app": "app",
    "doctor": "doctor",
}


class _Commands(TyperGroup):
    """All commands; each reports that it was interrupted, where Typer would end silently."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.say("ser: interrupted")
            raise typer.Exit(130) from None


def build(words: Sequence[str] = ()) -> typer.Typer:
    """Return the program; where the first word is a command, with that command alone."""
    named = [word for word in words[:1] if word in COMMANDS]
    app = typer.Typer(
        name="ser",
        cls=_Commands,
        callback=_root,
        help="Speech emotion recognition: from RAVDESS to a label on anybody's recording.",
        epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 some inputs failed, 130 interrupted. "
        "Start with: ser predict recording.wav",
        no_args_is_help=True,
        # These options would load pydantic, and cannot stand behind the name of a command.
        add_completion=not named,
        add_help_option=not named,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in named or COMMANDS:
        module = import_module(f"ser_cli.commands.{COMMANDS[name]}")
        declared: Declared = getattr(module, name.replace("-", "_"))
        declared.register(app)
        if named and declared.trains:
            process.prepare()
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from ser_cli import __version__

        typer.echo(f"ser {__version__}")
        typer.echo("code and speech encoder: MIT; weights of the shipped models: CC BY-NC-SA 4.0")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version and licences."),
    ] = False,
) -> None:
    """Do nothing: what every command has in common is done before it is parsed."""
