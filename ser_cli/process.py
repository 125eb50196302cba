"""The few things done to a process, before anything large is loaded into it."""

from __future__ import annotations

import os

# Read when the library is loaded, or when its server starts: later is too late.
SILENT = {
    # ONNX Runtime from 1.29 on: else it writes a device id into the user's cache folder, and
    # sends what it runs to its maker. Continuous integration is spared, so no log shows it.
    "ORT_DISABLE_TELEMETRY": "1",
    # Streamlit counts visits, asks for an email address, and its greeting asks a stranger's
    # server for this machine's address. `.streamlit/config.toml` is for `streamlit run`.
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "STREAMLIT_SERVER_SHOW_EMAIL_PROMPT": "false",
    "STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE": "true",
}


def no_telemetry() -> None:
    """Let no library of this process, or of one it starts, report to its maker.

    What the environment says to the contrary is overruled: a machine may be set up to report,
    but `ser` promises that it sends nothing.
    """
    os.environ.update(SILENT)
