"""Epochs as TensorBoard shows them, while they are made (extra `tensorboard`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_cli import distribution
from ser_cli.data.store import need_folder
from ser_cli.errors import SerError

EXTRA = "tensorboard"


def check(folder: Path | None) -> None:
    """Make sure that epochs can be logged, before any work is done; nothing is asked of None.

    Raises:
        SerError: TensorBoard is not installed, or there can be no such folder.
    """
    if folder is not None:
        _writer_class()
        need_folder(folder)


def curves(folder: Path | None, *run: str) -> Callable[[dict[str, float]], None]:
    """Return what draws each finished epoch: a curve per score, at the epoch's number.

    A training that resumes adds to the curves it began.

    Args:
        folder: That TensorBoard is pointed at; None draws nothing.
        run: Names of the folders in it, one in another, that hold this training.
    """
    if folder is None:
        return lambda row: None
    writer = _writer_class()(str(folder.joinpath(*run)))

    def draw(row: dict[str, float]) -> None:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, step=int(row["epoch"]))
        writer.flush()

    return draw


def _writer_class() -> Any:
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise SerError("TensorBoard is not installed", hint=distribution.install(EXTRA)) from error
    return Writer
