"""`ser` as a user types it, without a process of its own: TensorFlow is loaded only once."""

from __future__ import annotations

import io
import signal
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from ser_cli import __main__ as door

if TYPE_CHECKING:
    from ser_cli.recipes import Recipe
    from ser_cli.training.settings import Settings

RATE = 16_000
EMOTIONS = {"angry": 250, "calm": 600, "happy": 1400, "sad": 3200}  # Hz of their tone
SPEAKERS = "abcdef"
# Small enough to learn four tones in seconds.
TINY = {
    "conv1_filters": 8,
    "conv2_filters": 8,
    "conv3_filters": 8,
    "kernel_size": 3,
    "lstm_units": 4,
    "dense_units": 8,
    "conv_dropout": 0.0,
    "dropout": 0.0,
    "batch_size": 4,
    "learning_rate": 0.01,
    "mask_frames": 0,
    "mask_columns": 0,
    "copies": 0,
    "epochs": 20,
}


class Smallest:
    """A trial that suggests the first of what it is offered: the smallest network."""

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        return low

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:
        return low

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        return choices[0]


def small(recipe: Recipe) -> Settings:
    """Return settings of the smallest network that a recipe's search knows, trained shortly."""
    from ser_cli.training.settings import resolve  # not before: it loads TensorFlow

    # Tones are far from speech: at more, the network of an encoder is too sure of them.
    rate = 3e-4 if recipe.with_encoder else 3e-3
    fast = {"epochs": 2, "batch_size": 4, "learning_rate": rate, "copies": 0}
    fast |= {name: min(4, getattr(recipe.train, name)) for name in ("blanks", "synthesised")}
    if recipe.with_encoder:
        fast |= {"strict": 2, "free": 1, "clean": 1, "voices": 2}  # members of each kind
    suggested = recipe.search(Smallest())  # type: ignore[arg-type]
    return resolve(recipe).but({**suggested, **fast})


class Terminal(io.StringIO):
    """A stream that somebody looks at, or types into."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Result:
    """Exit code, what went to stdout, and what went to stderr."""

    code: int
    out: str
    err: str


def ser(*arguments: object) -> Result:
    """Run a command as the entry point does."""
    out, err = io.StringIO(), io.StringIO()
    here = threading.current_thread() is threading.main_thread()
    ends = (signal.SIGINT, signal.SIGTERM) if here else ()
    handlers = {number: signal.getsignal(number) for number in ends}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["ser", *map(str, arguments)])
        patch.setenv("COLUMNS", "200")
        try:
            door.main()
            code: object = 0
        except SystemExit as end:
            code = end.code
    for number, handler in handlers.items():  # those of a command end the process
        signal.signal(number, handler)
    return Result(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> Result:
    """Run a command that must end well."""
    done = ser(*arguments)
    assert done.code == 0, done.err
    return done


def tone(path: Path, hertz: float, *, seed: int, seconds: float = 0.6) -> Path:
    """Write a tone in some noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    at = np.arange(round(seconds * RATE)) / RATE
    hiss = np.random.default_rng(seed).standard_normal(len(at))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * at) + 0.01 * hiss, RATE, "PCM_16")
    return path
