"""The `ser` command line: one program of all commands. Only __main__.py imports this file.

Each command imports its stage in its body, so that `--help` waits for none of them.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ser_cli.commands import app as page
from ser_cli.commands import (
    console,
    download,
    eda,
    evaluate,
    export,
    extract,
    predict,
    recipes,
    train,
    tune,
)


class _Commands(TyperGroup):
    """All commands, each of which tells that it was interrupted; Typer ends without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.say("ser: interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="ser",
    cls=_Commands,
    help="Speech emotion recognition: from RAVDESS to a label on anybody's recording.",
    epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 some inputs failed, 130 interrupted. "
    "Start with: ser predict recording.wav",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=download.HELP)(download.download_ravdess)
app.command(epilog=eda.HELP)(eda.eda)
app.command(epilog=extract.HELP)(extract.extract)
app.command(epilog=tune.HELP)(tune.tune)
app.command(epilog=train.HELP)(train.train)
app.command(epilog=evaluate.HELP)(evaluate.evaluate)
app.command(epilog=predict.HELP)(predict.predict)
app.command(epilog=export.HELP)(export.export)
app.command(epilog=recipes.HELP)(recipes.recipes)
app.command(epilog=page.HELP)(page.app)


def _version(wanted: bool) -> None:
    if wanted:
        from ser_cli import __version__

        typer.echo(f"ser {__version__}")
        typer.echo("code: MIT; weights of the shipped model: CC BY-NC-SA 4.0 (trained on RAVDESS)")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version and licences."),
    ] = False,
) -> None:
    # Before Typer converts a command's first option: it does so with pydantic, which patches
    # `typing` and so makes NumPy's import three times as slow.
    if not {"-h", "--help"} & set(sys.argv):
        import numpy  # noqa: F401
