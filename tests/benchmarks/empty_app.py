"""A Typer + rich program with one command that does nothing: the least that `--help` can cost."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


def main() -> None:
    app()
