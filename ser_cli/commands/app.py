"""`ser app`."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import ser_cli
from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.errors import SerError
from ser_cli.jobs.trained import AppJob


@command(
    AppJob,
    "ser app",
    "ser app --port 8600 --artifacts artifacts/cnn-bilstm",
    "ser app --host 0.0.0.0 (for everybody on the network)",
)
def app(job: AppJob) -> None:
    """Open the web page: upload or record, listen, see the emotions, download the CSV."""
    from ser_cli.web.session import FOLDERS

    _check(job.host, job.port, job.folders)
    if job.folders:
        os.environ[FOLDERS] = os.pathsep.join(str(folder.resolve()) for folder in job.folders)
    named = f"[{job.host}]" if ":" in job.host else job.host
    console.say(f"page: http://{named}:{job.port} (Ctrl-C stops it)")
    _serve(job.host, job.port)


def _check(host: str, port: int, folders: Sequence[Path]) -> None:
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
            f"cannot listen on {host}:{port}: {error.strerror}",
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
