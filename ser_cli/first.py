"""What is done first, whatever is begun. It imports what is loaded already, or built in.

Until Ctrl-C is heard by a command, Python answers it with a traceback.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself takes longer to load than this
import os

SAID = {_signal.SIGINT: "ser: interrupted", _signal.SIGTERM: "ser: terminated"}
_note: list[str] = []  # said by a process that ends at once
_stderr: list[int] = []  # where that is said, though a library may just be kept from it

# Read when the library is loaded, or when its server starts: later is too late.
SILENT = {
    # ONNX Runtime from 1.29 on: else it writes a device id into the user's cache folder, and
    # sends what it runs to its maker. Continuous integration is spared, so no log shows it.
    "ORT_DISABLE_TELEMETRY": "1",
    # Streamlit counts visits, asks for an email address, and its greeting asks a stranger's
    # server for this machine's address. `web/.streamlit/config.toml` is for `streamlit run`.
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "STREAMLIT_SERVER_SHOW_EMAIL_PROMPT": "false",
    "STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE": "true",
}


def no_telemetry() -> None:
    """Let no library of this process, or of one it starts, report to its maker.

    What the environment sets to the contrary is overruled: a machine may be set up to report,
    but `ser` promises that it sends nothing.
    """
    os.environ.update(SILENT)


def end_at_once(note: str = "") -> None:
    """Let Ctrl-C and SIGTERM end this process without further ado.

    Args:
        note: Said then as well.
    """
    _note[:] = [note]
    if not _stderr:
        _stderr.append(os.dup(2))
    listen(end)


def listen(handler: object) -> None:
    """Let both be heard by a function of the signal and the frame."""
    for number in SAID:
        if _signal.getsignal(number) != _signal.SIG_IGN:  # as of a command in the background
            try:
                _signal.signal(number, handler)
            except ValueError:  # only the main thread may
                return


def end(number: int, _: object) -> None:
    """End this process, and say so."""
    tell(number)
    os._exit(128 + number)


def tell(number: int) -> None:
    """Say that this process ends, whatever it was just printing."""
    os.write((*_stderr, 2)[0], f"{SAID[number]}{''.join(_note)}\n".encode())
