"""How far what is learned from some corpora carries to another: a matrix of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import labels
from ser_cli.report import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ser_cli.report.metrics import Report
    from ser_cli.types import Floats

ALL_OTHERS = "all others"


def row(trained_on: Sequence[str]) -> str:
    """Name what was learned from."""
    return ALL_OTHERS if len(trained_on) > 1 else trained_on[0]


def by_group(
    probabilities: Floats, classes: Sequence[str], groups: Sequence[str], *, alike: bool
) -> Floats:
    """Return the probabilities (N, groups) of the groups alone, which sum to 1.

    Args:
        probabilities: (N, C).
        classes: The C emotions.
        groups: Asked for.
        alike: Whether all emotions were equally likely in training (class weights). Then a group of
            two was twice as likely as a group of one, which says nothing of the clips here: a group
            is its emotions' mean, and else their sum.
    """
    members = np.array([[labels.GROUPS.get(name) == group for group in groups] for name in classes])
    together = probabilities @ members.astype(np.float32)
    if alike:
        together /= members.sum(axis=0)
    together /= np.maximum(together.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return together


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A training, and one corpus that it is tested on.

    Attributes:
        trained_on: Names of the corpora learned from.
        home: Name of the corpus tested on.
        groups: The groups of emotions that both have: what is asked.
        raw: Scores of its clips as they come.
        own: Scores against its own unlabelled statistics; None where the recipe cannot.
        seconds: That the training took.
    """

    trained_on: tuple[str, ...]
    home: str
    groups: tuple[str, ...]
    raw: Report
    own: Report | None
    seconds: float = 0.0

    @property
    def row(self) -> str:
        """Name what was learned from, as it stands in the matrix."""
        return row(self.trained_on)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """All cells that were trained and tested.

    Attributes:
        cells: All of them.
        temperature: That calibrates the answers to all corpora that were left out; None without.
    """

    cells: tuple[Cell, ...]
    temperature: float | None = None

    @property
    def rows(self) -> tuple[str, ...]:
        """What was learned from, each corpus and then all others."""
        return tuple(dict.fromkeys(cell.row for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        """What was tested on."""
        return tuple(sorted({cell.home for cell in self.cells}))

    def cell(self, row: str, column: str) -> Cell | None:
        """Return a cell; None on the diagonal."""
        found = [cell for cell in self.cells if (cell.row, cell.home) == (row, column)]
        return found[0] if found else None

    def of_all_others(self) -> tuple[Cell, ...]:
        """Return the cells whose training had all corpora but the one tested on."""
        return tuple(cell for cell in self.cells if cell.row == ALL_OTHERS)

    def means(self) -> tuple[float, float | None] | None:
        """Return the mean UAR over the corpora left out, raw and own; None without any."""
        cells = self.of_all_others()
        if not cells:
            return None
        own = [cell.own.uar for cell in cells if cell.own]
        return fmean(cell.raw.uar for cell in cells), fmean(own) if own else None


def as_record(matrix: Matrix) -> dict[str, Any]:
    """Return the cells as plain values, for JSON."""
    means = matrix.means()
    return {
        "cells": [
            {
                "trained_on": list(cell.trained_on),
                "tested_on": cell.home,
                "groups": list(cell.groups),
                "clips": cell.raw.n,
                "uar": cell.raw.uar,
                "uar_own_statistics": cell.own.uar if cell.own else None,
            }
            for cell in matrix.cells
        ],
        "temperature": matrix.temperature,
        "mean_uar": means[0] if means else None,
        "mean_uar_own_statistics": means[1] if means else None,
    }


def figure(matrix: Matrix) -> Figure:
    """Draw the matrix: UAR in percent as it comes and, below, against own statistics."""
    rows, columns = matrix.rows, matrix.columns
    shares = np.full((len(rows), len(columns)), np.nan)
    size = 1.9 + 0.85 * len(columns)
    drawn, axes = plotting.panel(size, 1.4 + 0.6 * len(rows))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if cell := matrix.cell(row, column):
                shares[y, x] = cell.raw.uar
                _write(axes, x, y, cell)
    image = axes.imshow(shares, cmap="cividis", vmin=0.25, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="tested on", ylabel="learned from")
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    bar = drawn.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label="UAR")
    bar.outline.set_visible(False)
    return drawn


def table(matrix: Matrix) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return head and rows of the matrix in percent: "raw / own statistics"."""
    rows = [
        (row, *(_text(matrix.cell(row, column)) for column in matrix.columns))
        for row in matrix.rows
    ]
    return ("learned from", *matrix.columns), rows


def _text(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    own = f" / {100 * cell.own.uar:.1f}" if cell.own else ""
    return f"{100 * cell.raw.uar:.1f}{own}"


def _write(axes: Any, x: int, y: int, cell: Cell) -> None:
    ink = "#111111" if cell.raw.uar > 0.65 else "#ffffff"
    text = _text(cell).replace(" / ", "\n")
    axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=9)
