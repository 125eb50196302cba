"""A picture of emotions over time: a band for each class, brighter where it is likelier."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.report import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ser_cli.types import Prediction

WIDTH, HEIGHT = 10.0, 0.3  # inches, of the picture and of a class
SHORT_S = 10.0  # of a recording whose ticks need tenths of a second


def picture(rows: Sequence[Prediction], classes: Sequence[str]) -> bytes:
    """Return the rows of one recording as a PNG, with bands for each speaker."""
    buffer = io.BytesIO()
    figure(rows, classes).savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def figure(rows: Sequence[Prediction], classes: Sequence[str]) -> Figure:
    """Draw the rows of one recording; where windows overlap, each holds until the next begins.

    Args:
        rows: Its rows; errors are left out.
        classes: Names of the probabilities.
    """
    heard = [row for row in rows if row.probabilities is not None]
    speakers = list(dict.fromkeys(row.speaker for row in heard)) or [""]
    tall = 1.2 + len(speakers) * (0.4 + HEIGHT * len(classes))
    drawn = plotting.empty(WIDTH, tall)
    panels = drawn.subplots(len(speakers), sharex=True, squeeze=False)[:, 0]
    mesh = None
    for axes, speaker in zip(panels, speakers, strict=True):
        mesh = _bands(axes, [row for row in heard if row.speaker == speaker], classes)
        axes.set_title(plotting.names([speaker])[0], loc="left", fontsize=10)
    panels[-1].set_xlabel("time (min:s)")
    short = max((row.end for row in heard), default=0.0) < SHORT_S
    panels[-1].xaxis.set_major_formatter(lambda seconds, _: _clock(seconds, 1 if short else 0))
    if mesh:
        drawn.colorbar(mesh, ax=list(panels), label="probability", pad=0.01)
    return drawn


def _clock(seconds: float, digits: int) -> str:
    minutes, rest = divmod(round(seconds, digits), 60)
    return f"{minutes:.0f}:{rest:0{digits + 3 if digits else 2}.{digits}f}"


def _bands(axes: Axes, rows: Sequence[Prediction], classes: Sequence[str]) -> Any:
    axes.set_yticks(np.arange(len(classes)) + 0.5, plotting.names(classes))
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if not rows:
        return None
    edges, shares = _mesh(rows)
    heights = np.arange(len(classes) + 1)
    return axes.pcolormesh(edges, heights, shares.T, vmin=0, vmax=1, cmap="cividis")


def _mesh(rows: Sequence[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return borders in time (n + 1,) and what lies between them (n, C): NaN where nothing does."""
    ordered = sorted(rows, key=lambda row: row.start)
    ends = [min(row.end, after.start) for row, after in pairwise(ordered)] + [ordered[-1].end]
    edges, shares = [ordered[0].start], []
    for row, end in zip(ordered, ends, strict=True):
        known = np.asarray(row.probabilities, np.float64)
        if row.start > edges[-1]:
            edges.append(row.start)
            shares.append(np.full(len(known), np.nan))
        edges.append(max(end, edges[-1]))
        shares.append(known)
    return np.array(edges), np.array(shares)
