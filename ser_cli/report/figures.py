"""Pictures of results, as matplotlib Figures: `plotting.save` writes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.report import plotting
from ser_cli.report.metrics import Report
from ser_cli.report.plotting import BLUE, GREEN, GREY, ORANGE, PINK, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ser_cli.report.reliability import Reliability

_DARK_CELL_INK, _LIGHT_CELL_INK = "#111111", "#ffffff"

_Line = tuple[str, str, str, str]
# Unit, height in inches, and lines: key, name, colour, style.
_PANELS: tuple[tuple[str, float, tuple[_Line, ...]], ...] = (
    ("loss", 2.0, (("loss", "training", BLUE, "o-"), ("dev_loss", "dev", ORANGE, "s-"))),
    (
        "rate (0 to 1)",
        2.0,
        (
            ("accuracy", "training accuracy", BLUE, "o-"),
            ("dev_accuracy", "dev accuracy", ORANGE, "s-"),
            ("dev_uar", "dev UAR", GREEN, "^-"),
        ),
    ),
    ("learning rate", 1.2, (("learning_rate", "", PINK, "o-"),)),  # its axis says it
)


def confusion(report: Report) -> Figure:
    """Draw the confusion matrix: colour and percent are shares of the true class, n below."""
    counts = report.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ticks, names = range(len(report.labels)), plotting.names(report.labels)
    # The bar beside them is named, too.
    side, word = max(2.0, 0.52 * len(names)), plotting.LETTER * max(map(len, names))
    figure, axes = plotting.panel(side + word + 1.6, side + 0.65 * word + 0.7)
    # Cells that are square by force move away from the room that was made for their labels.
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(ticks, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="truth")
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    for row, column in np.argwhere(counts > 0):
        _cell(axes, column, row, shares[row, column], counts[row, column])
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label="share of the true class")
    bar.outline.set_visible(False)
    return figure


def per_class(report: Report) -> Figure:
    """Draw precision, recall and F1 of each class as bars."""
    figure, axes = plotting.panel(max(4.0, 1.4 + 0.5 * len(report.labels)), 3.2)
    names = ("precision", "recall", "f1")
    for shift, name, colour in zip((-1, 0, 1), names, (BLUE, ORANGE, GREEN), strict=True):
        heights = [getattr(item, name) for item in report.per_class]
        places = np.arange(len(heights)) + 0.27 * shift
        axes.bar(places, heights, 0.25, color=colour, label="F1" if name == "f1" else name)
    plotting.class_ticks(axes, report.labels)
    axes.set(ylabel="score (0 to 1)", ylim=(0, 1))
    plotting.legend(axes, columns=3)
    return figure


def reliability(bins: Reliability) -> Figure:
    """Draw how often predictions of each confidence are right; on the diagonal they are honest."""
    figure, axes = plotting.panel(4.0, 3.4)
    width = 1 / len(bins.count)
    known = np.flatnonzero(bins.count)
    shares = bins.right[known] / bins.count[known]
    axes.bar((known + 0.5) * width, shares, width * 0.9, color=BLUE)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    for place, share in zip(known, shares, strict=True):
        axes.text(
            (place + 0.5) * width, share + 0.01, f"{bins.count[place]:.0f}",
            ha="center", va="bottom", fontsize=7,
        )  # fmt: skip
    axes.set(xlabel="confidence (0 to 1)", ylabel="share that is right (0 to 1)")
    axes.set(xlim=(0, 1), ylim=(0, 1.08))
    return figure


def curves(history: Sequence[Mapping[str, float]], *, chosen: int | None = None) -> Figure:
    """Draw loss, accuracy and learning rate over the epochs.

    Args:
        history: One row per epoch: epoch, loss, accuracy, and, where known, dev_loss,
            dev_accuracy, dev_uar and learning_rate.
        chosen: The epoch whose weights were saved; marked if given.
    """
    known = [panel for panel in _PANELS if any(_values(history, line[0]) for line in panel[2])]
    heights = [height for _, height, _ in known]
    figure = plotting.empty(5.2, sum(heights) + 0.6)
    grid = figure.subplots(len(known), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (unit, _, lines) in zip(grid, known, strict=True):
        _plot_lines(axes, history, lines)
        axes.set(ylabel=unit)
        if chosen is not None:
            axes.axvline(chosen, color=RED, linestyle="--", linewidth=1)
    if chosen is not None:
        grid[0].plot([], [], color=RED, linestyle="--", linewidth=1, label=f"saved: {chosen}")
    for axes in grid:
        if axes.get_legend_handles_labels()[1]:
            plotting.legend(axes, columns=4)
    grid[-1].set(xlabel="epoch")
    plotting.whole_numbers(grid[-1].xaxis)
    return figure


def trials(
    values: Sequence[tuple[int, float | None, str]], *, objective: str = "dev UAR"
) -> Figure:
    """Draw the progress of a study: every trial, and the best of those finished so far.

    Args:
        values: Number, value (None where there is none) and Optuna's state of each trial.
        objective: What the value is; higher is better.
    """
    figure, axes = plotting.panel(5.6, 3.2)
    done = sorted((n, v) for n, v, state in values if v is not None and state == "COMPLETE")
    cut = sorted((n, v) for n, v, state in values if v is not None and state != "COMPLETE")
    if cut:
        numbers, scores = zip(*cut, strict=True)
        axes.scatter(numbers, scores, s=22, marker="x", color=GREY, label="pruned")
    if done:
        numbers, scores = zip(*done, strict=True)
        axes.scatter(numbers, scores, s=22, color=BLUE, label="finished")
    if len(done) > 1:  # one trial makes no line
        best = np.maximum.accumulate(scores)
        axes.step(numbers, best, where="post", color=ORANGE, label="best so far")
    axes.set(xlabel="trial", ylabel=objective)
    plotting.whole_numbers(axes.xaxis)
    if done or cut:
        plotting.legend(axes, columns=3)
    return figure


def importances(values: Mapping[str, float]) -> Figure:
    """Draw how much each setting mattered (shares that sum to 1), the strongest on top."""
    ranked = sorted(values.items(), key=lambda item: (item[1], item[0]))
    figure, axes = plotting.panel(5.6, 1.0 + 0.28 * max(len(ranked), 1))
    bars = axes.barh([name for name, _ in ranked], [value for _, value in ranked], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=3)
    axes.set(xlabel="importance (share of the explained variance)")
    axes.grid(visible=False)
    axes.margins(x=0.12)
    return figure


def _cell(axes: Axes, x: int, y: int, share: float, count: int) -> None:
    ink = _DARK_CELL_INK if share > 0.5 else _LIGHT_CELL_INK
    style: dict[str, Any] = {"ha": "center", "color": ink}
    axes.text(x, y - 0.02, f"{share:.0%}", va="bottom", fontsize=9, **style)
    axes.text(x, y + 0.06, f"{count}", va="top", fontsize=7, **style)


def _values(history: Sequence[Mapping[str, float]], key: str) -> list[float]:
    """Return a column, with gaps as NaN; empty where no row has it."""
    if not any(key in row for row in history):
        return []
    return [row.get(key, float("nan")) for row in history]


def _plot_lines(
    axes: Axes, history: Sequence[Mapping[str, float]], lines: tuple[_Line, ...]
) -> None:
    epochs = [row["epoch"] for row in history]
    for key, label, colour, style in lines:
        if values := _values(history, key):
            axes.plot(epochs, values, style, color=colour, label=label, markersize=3)
    plotting.tidy(axes)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=4, min_n_ticks=3)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
