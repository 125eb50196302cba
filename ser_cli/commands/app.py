"""`ser app`."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from ser_cli import distribution
from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.errors import SerError, UsageError
from ser_cli.jobs.trained import AppJob


@command(
    AppJob,
    "ser app",
    "ser app --port 8600 --artifacts artifacts/cnn-bilstm",
    "ser app --max-upload 500 (MB per file)",
    "ser app --host 0.0.0.0 (for everybody on the network)",
    "ser app --allow-host ser.example.org (behind a reverse proxy of that name)",
)
def app(job: AppJob) -> None:
    """Open the web page: upload or record, listen, see the emotions, download the CSV."""
    from ser_cli.web import limits
    from ser_cli.web.server import serve
    from ser_cli.web.session import FOLDERS

    _check_names(job)
    _check(job.host, job.port, job.folders)
    if job.folders:
        os.environ[FOLDERS] = os.pathsep.join(str(folder.resolve()) for folder in job.folders)
    limits.allow(job.max_upload)
    named = f"[{job.host}]" if ":" in job.host else job.host
    address = f"http://{named}:{job.port}"
    console.say(f"page: {address} (Ctrl-C stops it)")
    serve(job.host, job.port, address, allowed=job.allow_host, frames=job.allow_frame)


def _check(host: str, port: int, folders: Sequence[Path]) -> None:
    from importlib.util import find_spec

    from ser_cli.model import artifacts
    from ser_cli.model.frontends import frontend_of

    if find_spec("streamlit") is None:
        raise SerError(
            "the web page needs Streamlit, which is not installed", hint=distribution.install("app")
        )
    for folder in folders:
        frontend_of(artifacts.load(folder))
    if not host.strip():
        raise UsageError("--host names no address", hint="ser app --host 127.0.0.1")
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


def _check_names(job: AppJob) -> None:
    for flag, given, pattern in (
        ("--allow-host ser.example.org", job.allow_host, r"[\w.-]+|[0-9a-fA-F:]+"),
        ("--allow-frame https://example.org", job.allow_frame, r"https?://[\w.-]+(:\d+)?"),
    ):
        if wrong := [name for name in given if not re.fullmatch(pattern, name)]:
            raise UsageError(f"{wrong[0]!r} is not of the form that it needs", hint=flag)
