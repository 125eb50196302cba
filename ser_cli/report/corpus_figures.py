"""Pictures of a corpus: how many clips, how long, and what their features look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.model.preprocess import LENGTH_PERCENTILE
from ser_cli.report import plotting
from ser_cli.report.plotting import BLACK, BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_PANELS_A_ROW = 3
_MOST_BARS = 25
_MOST_SLANTED = 8  # names below the heat map; more would meet
_LEAST_SHARE = 0.05  # of the heat map's side, so that a family of one row has room for its name
_BOX_SAYS = "Box: middle half; whiskers: 5 to 95 %; bar: median; diamond: mean"
_BOX: dict[str, Any] = {
    "patch_artist": True,
    "showmeans": True,
    "showfliers": False,
    "whis": (5, 95),
    "boxprops": {"facecolor": "#9ecae1", "edgecolor": BLUE},
    "medianprops": {"color": BLACK, "linewidth": 1.4},
    "meanprops": {"marker": "D", "markersize": 4, "markerfacecolor": ORANGE,
                  "markeredgecolor": BLACK, "markeredgewidth": 0.5},
    "whiskerprops": {"color": BLUE},
    "capprops": {"color": BLUE},
}  # fmt: skip


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw the number of clips of each emotion, in one or two series of bars.

    Args:
        counts: Name of a series -> emotion -> clips; a single series needs no legend.
    """
    labels = sorted({label for series in counts.values() for label in series})
    width = 0.8 / len(counts)
    figure, axes = plotting.panel(max(4.0, 1.5 + 0.6 * len(labels)), 3.2)
    for number, (name, series) in enumerate(counts.items()):
        places = np.arange(len(labels)) + width * (number - (len(counts) - 1) / 2)
        heights = [series.get(label, 0) for label in labels]
        bars = axes.bar(places, heights, 0.95 * width, color=(BLUE, ORANGE)[number], label=name)
        axes.bar_label(bars, fontsize=9 if len(counts) == 1 else 7, padding=1)
    plotting.class_ticks(axes, labels)
    axes.set(ylabel="clips")
    axes.margins(y=0.08)
    plotting.whole_numbers(axes.yaxis)
    if len(counts) > 1:
        plotting.legend(axes, columns=2)
    return figure


def durations(seconds: Mapping[str, Doubles]) -> Figure:
    """Draw how long the clips are: all of them as a histogram, each emotion's as a box.

    Args:
        seconds: Emotion -> the length of each clip.
    """
    every = np.concatenate(list(seconds.values()))
    figure = plotting.empty(6.0, 3.6 + 0.28 * len(seconds))
    above, below = figure.subplots(
        2, 1, sharex=True, height_ratios=(2.4, 0.6 + 0.28 * len(seconds))
    )
    above.hist(every, bins=min(_MOST_BARS, len(np.unique(every))), color=BLUE)
    mean, deviation = every.mean(), every.std()
    label = f"mean {mean:.2f} s (standard deviation {deviation:.2f} s)"
    above.axvline(mean, color=ORANGE, linewidth=2, label=label)
    above.set(ylabel="clips")
    plotting.whole_numbers(above.yaxis)
    plotting.tidy(above)
    plotting.legend(above, columns=1)
    _boxes(below, seconds)
    below.set(xlabel="duration (s)")
    figure.supxlabel(_BOX_SAYS, fontsize=9)
    return figure


def frame_lengths(lengths: Sequence[int], fixed: int | None = None) -> Figure:
    """Draw how many frames the clips have and their 95th percentile.

    Args:
        lengths: Frames of each clip.
        fixed: Frames that every clip is padded or cut to, where that is no percentile.
    """
    figure, axes = plotting.panel(6.0, 3.2)
    # Every bar stands for as many whole numbers, or the bars would seem to differ.
    step = 1 + (max(lengths) - min(lengths)) // _MOST_BARS
    edges = np.arange(min(lengths) - 0.5, max(lengths) + step, step)
    axes.hist(lengths, bins=edges.tolist(), color=BLUE)
    percentile = float(np.percentile(lengths, LENGTH_PERCENTILE))
    axes.axvline(percentile, color=ORANGE, linewidth=2, label=f"95th percentile: {percentile:g}")
    if fixed is not None:
        axes.axvline(fixed, color=BLACK, linewidth=2, linestyle=":", label=f"cut at: {fixed}")
    axes.set(xlabel="length (frames)", ylabel="clips")
    plotting.whole_numbers(axes.xaxis)
    plotting.whole_numbers(axes.yaxis)
    plotting.legend(axes, columns=2)
    return figure


def distributions(
    values: Mapping[str, Mapping[str, Doubles]], units: Mapping[str, str], *, note: str = ""
) -> Figure:
    """Draw a panel for each of some facts about clips, and in it a box for each emotion.

    Args:
        values: Title of a panel -> emotion -> one value per clip, NaN where it is not known.
        units: Of each panel, "" where it has none.
        note: What is said below all of them.
    """
    emotions = len(next(iter(values.values())))
    columns = min(_PANELS_A_ROW, len(values))
    rows = -(-len(values) // columns)
    figure = plotting.empty(max(6.0, 1.0 + 2.8 * columns), rows * (1.3 + 0.24 * emotions) + 0.5)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (title, groups) in zip(grid, values.items(), strict=False):
        _boxes(axes, groups)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel(units[title] or "value", fontsize=9)
        axes.tick_params(axis="x", labelsize=8)
        axes.locator_params(axis="x", nbins=5)
    for axes in grid[len(values) :]:
        axes.set_visible(False)
    figure.supxlabel("\n".join(filter(None, (note, _BOX_SAYS))), fontsize=9)
    return figure


def correlations(matrix: Doubles, families: Sequence[str]) -> Figure:
    """Draw correlations (R, R), -1 to 1, family by family; hatched where none is defined.

    Args:
        matrix: NaN where a feature is constant.
        families: (R,) family of each row; one is named once, and a small one is drawn larger.
    """
    counts = [(name, len(list(same))) for name, same in groupby(families)]
    edges, bounds = _spread([count for _, count in counts])
    side = max(6.2, 2.4 + 0.3 * len(counts))
    figure, axes = plotting.panel(side + 0.9, side)
    axes.patch.set(hatch="///", edgecolor=GREY)  # shows through where there is no number
    # Of matplotlib's maps from blue to red the one with steps that look alike (Moreland 2009).
    image = axes.pcolormesh(
        edges, edges, np.ma.masked_invalid(matrix), cmap="coolwarm", vmin=-1, vmax=1
    )
    for place in bounds[1:-1]:
        axes.axhline(place, color=BLACK, linewidth=0.6)
        axes.axvline(place, color=BLACK, linewidth=0.6)
    names = [f"{name} ({count})" for name, count in counts]
    middles = (bounds[:-1] + bounds[1:]) / 2
    if len(counts) > _MOST_SLANTED:
        axes.set_xticks(middles, names, rotation=90)
    else:
        axes.set_xticks(middles, names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, names)
    axes.set(xlabel="family of features (number of features)")
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, label=_correlation_label(matrix))
    return figure


def _correlation_label(matrix: Doubles) -> str:
    hatched = "; hatched: constant feature" if np.isnan(matrix).any() else ""
    return f"correlation of the clips' means (-1 to 1{hatched})"


def _spread(counts: Sequence[int]) -> tuple[Doubles, Doubles]:
    """Return the edges of all rows and of the families, in 0..1: none is too small to name."""
    shares = np.maximum(np.array(counts) / sum(counts), _LEAST_SHARE)
    bounds = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
    parts = [
        np.linspace(low, high, count, endpoint=False)
        for low, high, count in zip(bounds[:-1], bounds[1:], counts, strict=True)
    ]
    return np.concatenate([*parts, bounds[-1:]]), bounds


def _boxes(axes: Axes, groups: Mapping[str, Doubles]) -> None:
    """Draw a lying box for each emotion, the first by name on top."""
    labels = sorted(groups)
    axes.boxplot(
        [groups[label][~np.isnan(groups[label])] for label in labels],
        orientation="horizontal",
        widths=0.6,
        manage_ticks=False,  # it would write them once more for each panel that shares the axis
        **_BOX,
    )
    axes.set_yticks(range(1, len(labels) + 1), plotting.names(labels))
    axes.set_ylim(len(labels) + 0.5, 0.5)
    plotting.tidy(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=GREY, alpha=0.3, linewidth=0.7)
