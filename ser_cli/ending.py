"""How a command ends when it is asked to: by Ctrl-C, or by SIGTERM.

Until it has begun its work there is nothing to undo, and it ends at once: an import or a library
that is interrupted half way may swallow that, or say so in its own words. From then on an exception
ends it, so that whatever is begun is undone. Where a library drops that exception, it comes again.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ser_cli.first import SAID, end, listen, tell

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_S = 0.02  # after which what was dropped comes again: its library has returned by then
_asked: list[int] = []  # the signal by which this process was asked to end
_begun: list[bool] = []  # true once there is something to undo


class _Ending(BaseException):
    """Raised by a signal; once nobody holds it any more and the command goes on, it comes again."""

    def __del__(self) -> None:
        if _asked and _begun:
            _come_again()


class _Interrupted(_Ending, KeyboardInterrupt):
    pass


class _Terminated(_Ending, SystemExit):
    pass


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Let them do so while a large library is loaded, which would speak of its broken parts."""
    if _begun:
        listen(end)
    try:
        yield
    finally:
        if _begun:
            listen(_end)


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Let them raise KeyboardInterrupt and SystemExit, whatever libraries make of these."""
    usual, hook = {number: signal.getsignal(number) for number in SAID}, sys.unraisablehook
    _asked.clear()
    _begun[:] = [True]
    sys.unraisablehook = _unheard
    listen(_end)
    try:
        yield
    except Exception:
        end_if_asked()
        raise
    finally:
        _begun.clear()
        sys.unraisablehook = hook
        for number, handler in usual.items():
            with contextlib.suppress(ValueError, TypeError):  # not from here
                signal.signal(number, handler)


def end_if_asked() -> None:
    """Raise what a signal has raised before, and a library has turned into an error of its own."""
    if _asked:
        raise _Interrupted if _asked[0] == signal.SIGINT else _Terminated(128 + _asked[0])


def ignore_interrupts() -> None:
    """Leave Ctrl-C, which goes to all processes of a terminal, to the one that started this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(number: int, _: object) -> None:
    if number == signal.SIGTERM and not _asked:
        tell(number)
    _asked[:] = [number]
    end_if_asked()


def _unheard(told: UnraisableHookArgs) -> None:
    """Be silent where an end came up in what cannot raise it: dropped here, it comes again."""
    if not isinstance(told.exc_value, _Ending):
        sys.__unraisablehook__(told)


def _come_again() -> None:
    def come() -> None:
        if sys.platform == "win32":
            _thread.interrupt_main(_asked[0])
        else:  # which also ends a call that waits
            signal.pthread_kill(main, _asked[0])

    main = threading.main_thread().ident or 0
    with contextlib.suppress(RuntimeError):  # at the very end of the process
        timer = threading.Timer(AGAIN_S, come)
        timer.daemon = True
        timer.start()
