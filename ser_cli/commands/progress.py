"""How far long work is: a bar on a terminal; elsewhere a line per epoch, trial or fold."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ser_cli.commands import console
from ser_cli.disarm import visible

if TYPE_CHECKING:
    from ser_cli.types import Progress

STEPS = {"epochs": "epoch", "folds": "fold", "trainings": "training", "trials": "trial"}
BYTES = "bytes"
SELDOM_S = 10.0  # between two lines about clips or bytes, which --verbose asks for


@contextmanager
def progress(task: str) -> Iterator[Progress]:
    """Yield a callback (done, total, note, unit) that shows how far a task is.

    Args:
        task: Names what is counted in clips, files or bytes; epochs and the like name themselves.
    """
    if console.is_quiet():
        yield lambda done, total, note, unit="clips": None
    elif sys.stderr.isatty() and not console.is_verbose():
        with _bars(task) as shown:
            yield shown
    else:
        yield _Lines(task)


class _Clock:
    """Tells how fast some work is, and how long the rest takes if it goes on as before."""

    def __init__(self, done: int, unit: str) -> None:
        self._from, self._since, self._unit = done, time.monotonic(), unit

    def rate(self, done: int) -> str:
        """Return "12.3 MB/s" or "31.0 clips/s"; "" for what takes its time."""
        seconds = time.monotonic() - self._since
        if self._unit in STEPS or done == self._from or seconds < 1:
            return ""
        per = (done - self._from) / seconds
        return f"{per / 1e6:.1f} MB/s" if self._unit == BYTES else f"{per:.1f} {self._unit}/s"

    def left(self, done: int, total: int) -> str:
        """Return the time left as H:MM:SS; "" where nothing tells."""
        if not total or done <= self._from or done >= total:
            return ""
        each = (time.monotonic() - self._since) / (done - self._from)
        return clock(each * (total - done))


class _Lines:
    """Writes a line per step; of clips and bytes only now and then, where that is asked for."""

    def __init__(self, task: str) -> None:
        self._task, self._unit, self._last = task, "", 0.0
        self._clock = _Clock(0, "")

    def __call__(self, done: int, total: int, note: str, unit: str = "clips") -> None:
        if unit != self._unit:
            self._clock, self._unit, self._last = _Clock(done, unit), unit, time.monotonic()
        if not done:  # only the total is told
            return
        if unit not in STEPS:
            if not console.is_verbose() or time.monotonic() - self._last < SELDOM_S:
                return
            self._last = time.monotonic()
        left = self._clock.left(done, total)
        named = f"{STEPS.get(unit, self._task)} {amount(done, total, unit)}"
        console.say(", ".join(part for part in (named, note, left and f"{left} left") if part))


def amount(done: int, total: int, unit: str) -> str:
    """Return how much is done: "3 of 16", "120 of 1,440 clips", "43.8 of 434.1 MB"."""
    if unit == BYTES:
        of = f" of {total / 1e6:,.1f}" if total else ""
        return f"{done / 1e6:,.1f}{of} MB"
    counted = f"{done:,} of {total:,}" if total else f"{done:,}"
    return counted if unit in STEPS else f"{counted} {unit}"


def clock(seconds: float) -> str:
    """Return a duration as M:SS, or H:MM:SS."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def _bars(task: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    fields = ("amount", "rate", "left", "note")
    texts = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in fields]
    columns = (TextColumn("{task.description}"), BarColumn(20), *texts)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        empty: dict[str, Any] = dict.fromkeys(fields, "")
        row = bar.add_task(task, total=None, **empty)
        clocks: dict[str, _Clock] = {}

        def show(done: int, total: int, note: str, unit: str = "clips") -> None:
            if unit not in clocks:
                clocks[unit] = _Clock(done, unit)
            left = clocks[unit].left(done, total)
            told: dict[str, Any] = {
                "amount": amount(done, total, unit),
                "rate": clocks[unit].rate(done),
                "left": f"{left} left" if left else "",
                "note": visible(note),
            }
            named = unit if unit in STEPS else task
            bar.update(row, description=named, completed=done, total=total or None, **told)

        yield show
