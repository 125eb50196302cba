"""The `ser` command line: one program of all commands. Only __main__.py imports this file.

A command's file is imported when the command is named or listed, and each imports its stage in
its body, so that no command waits for another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ser_cli import process
from ser_cli.commands import COMMANDS, console, resuming
from ser_cli.commands.parsing import Declared
from ser_cli.errors import UsageError

COMPLETING = "_SER_COMPLETE"  # a variable that is set where a shell asks how a line could go on


class _Commands(TyperGroup):
    """All commands, whose mistakes and interruptions are told as everything else is."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command that is typed.

        Raises:
            UsageError: Its words make no sense; where Typer would draw a box around that.
            SystemExit: It has ended.
        """
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except TyperException as error:
            said = " ".join(error.format_message().split()).removesuffix(".")
            said = said.replace(": Value error, ", ": ")  # which only pydantic needs to know
            command = [word for word in sys.argv[1:2] if word in COMMANDS]
            raise UsageError(said, hint=" ".join(["ser", *command, "--help"])) from None
        raise SystemExit(code)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words up to the name of a command; without any, show the help."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, plainly: in the boxes of rich a flag is called <bool>."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands with their whole first sentence."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, one.get_short_help_str(limit=200)) for name, one in commands.items() if one]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.say(f"ser: interrupted{resuming(ctx.invoked_subcommand)}", error=True)
            raise typer.Exit(130) from None


def build(words: Sequence[str] = ()) -> typer.Typer:
    """Return the program; where the first word is a command, with that command alone."""
    named = [word for word in words[:1] if word in COMMANDS]
    if COMPLETING in os.environ:
        completion_init()
    app = typer.Typer(
        name="ser",
        cls=_Commands,
        callback=_root,
        help="Speech emotion recognition: from RAVDESS to a label on anybody's recording.",
        epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 some inputs failed, 130 interrupted, 143 "
        "terminated. Start with: ser predict recording.wav",
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
        typer.echo("code: MIT; speech encoders: MIT and BSD-2-Clause")
        typer.echo("weights of the shipped models: CC BY-NC-SA 4.0")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Version and licences."
        ),
    ] = False,
) -> None:
    """Do nothing: what every command has in common is done before it is parsed."""
