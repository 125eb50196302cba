"""Features as a table: one row per clip, one column per cell, and the label."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import distribution
from ser_cli.data.store import atomic_write, need_folder
from ser_cli.disarm import cell
from ser_cli.errors import SerError, UsageError
from ser_cli.model.preprocess import length, pad
from ser_cli.sound.frontend import cells

if TYPE_CHECKING:
    from ser_cli.recipes import Recipe
    from ser_cli.types import Clip, Floats

LABEL = "label"


def check(path: Path) -> None:
    """Refuse a path that no table can be written to, before any work is done.

    Raises:
        UsageError: Its suffix is neither .csv nor .parquet.
        SerError: pyarrow is needed and not installed, or there can be no such folder.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(f"{path} is not a table file name", hint="end it in .csv or .parquet")
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise SerError(
            "Parquet needs pyarrow, which is not installed",
            hint=f"{distribution.install('parquet')}, or --table FILE.csv",
        )
    need_folder(path.parent)


def write(
    path: Path, clips: Sequence[Clip], features: Sequence[Floats], recipe: Recipe
) -> tuple[int, int]:
    """Write the features of clips, padded or cut to one length, and their emotions.

    The columns are mfcc_0_0, mfcc_0_1, ... (family, number, frame), then label. Features of one
    frame have no number of a frame.

    Args:
        path: .csv (written clip by clip, nine digits: float32 reads back as it was) or .parquet.
        clips: N clips.
        features: Of each, (t, F).
        recipe: Whose features; where it fixes no length, 95 % of the clips are not cut.

    Returns:
        Rows and columns.

    Raises:
        UsageError: The suffix is another.
        SerError: pyarrow is needed and not installed.
    """
    check(path)
    frames = recipe.frames or length(features)
    made = recipe.frontend.columns
    columns = [column.name for column in (made if recipe.frames == 1 else cells(made, frames))]
    rows = (pad(clip, frames).T.ravel() for clip in features)
    labels = [clip.emotion for clip in clips]
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".csv":
            _write_csv(temporary, columns, rows, labels)
        else:
            _write_parquet(temporary, columns, rows, labels)
    return len(labels), len(columns) + 1


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Floats], labels: Sequence[str]
) -> None:
    # Three times as fast as csv.writer, which would also write the digits of a float64.
    numbers = "%.9g," * len(columns)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow([*columns, LABEL])
        for row, label in zip(rows, labels, strict=True):
            stream.write(numbers % tuple(row.tolist()))
            table.writerow([cell(label)])  # ends the line, in quotes where it must be


def _write_parquet(
    path: Path, columns: Sequence[str], rows: Iterable[Floats], labels: Sequence[str]
) -> None:
    import pandas as pd

    # Column by column in memory, as Parquet is: nothing of it is copied again.
    cells = np.empty((len(labels), len(columns)), np.float32, order="F")
    for number, row in enumerate(rows):
        cells[number] = row
    table = pd.DataFrame(cells, columns=list(columns), copy=False)
    table.insert(len(columns), LABEL, labels)
    table.to_parquet(path, index=False, engine="pyarrow")
