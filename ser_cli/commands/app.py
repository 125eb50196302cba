"""`ser app`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

import ser_cli
from ser_cli.commands import console
from ser_cli.commands.options import examples
from ser_cli.errors import SerError

HELP = examples(
    "ser app",
    "ser app --port 8600 --artifacts artifacts/cnn-bilstm",
    "ser app --host 0.0.0.0 (for everybody in the network)",
)


def app(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8501,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--artifacts", help="Folder of a trained model to offer; may be repeated."),
    ] = None,
) -> None:
    """Open the web page: upload or record, listen, see the emotions, take the CSV away."""
    from ser_cli.web.session import FOLDERS

    _check(host, port, folders or [])
    if folders:
        os.environ[FOLDERS] = os.pathsep.join(str(folder.resolve()) for folder in folders)
    console.say(f"page: http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)")
    _serve(host, port)


def _check(host: str, port: int, folders: list[Path]) -> None:
    from importlib.util import find_spec

    from ser_cli.model import artifacts

    if find_spec("streamlit") is None:
        raise SerError(
            "the web page needs Streamlit, which is not installed",
            hint='pip install streamlit (in a checkout of ser: pip install ".[app]")',
        )
    for folder in folders:
        artifacts.load(folder)
    try:
        with socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ):
            pass
    except OSError as error:
        raise SerError(
            f"{host}:{port} cannot be listened at: {error.strerror}",
            hint=f"another port: ser app --port {port % 65535 + 1}; or --host 127.0.0.1",
        ) from error


def _serve(host: str, port: int) -> None:
    """Run the page as `streamlit run` does, in this process, until it is interrupted."""
    from streamlit.web import cli

    from ser_cli.web.session import UPLOAD_MB

    assert ser_cli.__file__
    options = {
        "server.address": host,
        "server.port": port,
        "server.maxUploadSize": UPLOAD_MB,
        "server.fileWatcherType": "none",  # nobody edits an installed package
        "client.toolbarMode": "minimal",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    page = Path(ser_cli.__file__).parent / "web" / "page.py"
    cli.main(["run", str(page), *flags], prog_name="streamlit", standalone_mode=False)
