"""Pictures of single clips: who says what, what they look like, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.report import plotting
from ser_cli.report.plotting import BLUE, GREY, LETTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ser_cli.types import Floats

    Doubles = NDArray[np.float64]

MOST_SPEAKERS = 120  # that are drawn
_SPEAKERS_A_PANEL = 30
_A_ROW = 4  # panels
_MOST_PANELS = 12
_LOUDEST, _RANGE_DB = 99.5, 70.0  # percentile that is brightest, and how far colours go below it
_WINDOW, _STEP = 512, 128  # 32 ms every 8 ms at 16 kHz: harmonics and syllables can both be seen


def speakers(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw how many clips there are of each speaker and emotion, as a grid of numbers.

    Args:
        counts: Speaker, as it is drawn -> emotion -> clips; at most MOST_SPEAKERS of them.
    """
    emotions = sorted({emotion for own in counts.values() for emotion in own})
    names, size = [*counts], _panel_size(len(counts))
    panels = [names[at : at + size] for at in range(0, len(names), size)]
    most = max(max(own.values()) for own in counts.values())
    word = LETTER * max(map(len, plotting.names(names)))
    wide = len(panels) * (word + 0.4 + 0.42 * len(emotions)) + 0.9
    tall = 0.9 + 0.65 * LETTER * max(map(len, plotting.names(emotions)))
    figure = plotting.empty(wide, tall + max(2.0, 0.2 * len(panels[0])))
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    image = None
    for axes, own in zip(grid, panels, strict=True):
        cells = np.array([[counts[name].get(emotion, 0) for emotion in emotions] for name in own])
        image = axes.imshow(cells, cmap="cividis", vmin=0, vmax=most, aspect="auto")
        _numbers(axes, cells, most)
        plotting.class_ticks(axes, emotions)
        axes.set_yticks(range(len(own)), plotting.names(own), fontsize=8)
        axes.set_ylim(len(panels[0]) - 0.5, -0.5)  # rows of all panels are of one height
        axes.spines[:].set_visible(False)
    grid[0].set_ylabel("speaker")
    assert image
    bar = figure.colorbar(image, ax=list(grid), pad=0.01, label="clips", aspect=30)
    bar.outline.set_visible(False)
    return figure


def _panel_size(count: int) -> int:
    """Return how many speakers a panel has, so that all have about as many."""
    return -(-count // -(-count // _SPEAKERS_A_PANEL))


def _numbers(axes: Axes, cells: NDArray[np.int64], most: int) -> None:
    for (row, column), count in np.ndenumerate(cells):
        ink = "#111111" if count >= most / 2 else "#ffffff"
        axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color=ink)


def spectrograms(waveforms: Mapping[str, Floats], *, sample_rate: int) -> Figure:
    """Draw spectrograms on one scale of colours.

    Args:
        waveforms: Emotion -> (n,); no more than fit are drawn.
        sample_rate: Hz of all of them.
    """
    shown = dict([*waveforms.items()][:_MOST_PANELS])
    figure, grid = _grid([*shown], height=1.9)
    drawn = {name: _decibels(waveform, sample_rate) for name, waveform in shown.items()}
    # A click is louder than all speech.
    loudest = max(float(np.percentile(spectrum, _LOUDEST)) for spectrum in drawn.values())
    nyquist = sample_rate / 2_000
    for axes, (name, spectrum) in zip(grid, drawn.items(), strict=True):
        seconds = len(shown[name]) / sample_rate
        image = axes.imshow(
            spectrum, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
            extent=(0, seconds, 0, nyquist), vmin=loudest - _RANGE_DB, vmax=loudest,
        )  # fmt: skip
        axes.grid(visible=False)
    longest = max(map(len, shown.values())) / sample_rate
    for axes in grid:
        axes.set(xlim=(0, longest), ylim=(0, nyquist))
    _label(figure, grid, "time (s)", "frequency (kHz)")
    figure.colorbar(image, ax=grid, pad=0.01, aspect=30, label="dB / Hz (0: full scale)")
    return figure


def plane(places: Doubles, labels: Sequence[str], shares: tuple[float, float]) -> Figure:
    """Draw where clips lie on two principal components, a panel per emotion before all others.

    So emotions that lie on each other can be seen, and no colour needs telling from another.

    Args:
        places: (N, 2).
        labels: (N,) the emotion of each.
        shares: Of the variance that each component explains, 0..1.
    """
    counts = {name: labels.count(name) for name in sorted(set(labels))}
    chosen = sorted(sorted(counts, key=lambda name: -counts[name])[:_MOST_PANELS])
    figure, grid = _grid(chosen, height=2.2)
    of = np.array(labels)
    for axes, name in zip(grid, chosen, strict=True):
        own = places[of == name]
        axes.scatter(places[:, 0], places[:, 1], s=3, color=GREY, alpha=0.35, linewidths=0)
        axes.scatter(own[:, 0], own[:, 1], s=5, color=BLUE, alpha=0.8, linewidths=0)
        axes.grid(axis="x", color=GREY, alpha=0.3, linewidth=0.7)
    one, two = (f"component {number} ({share:.0%} of the variance)"
                for number, share in enumerate(shares, start=1))  # fmt: skip
    _label(figure, grid, one, two)
    return figure


def _grid(names: Sequence[str], *, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure and a panel for each name, which have their axes in common."""
    columns = min(_A_ROW, len(names))
    rows = -(-len(names) // columns)
    figure = plotting.empty(max(4.0, 1.3 + 2.4 * columns), 0.5 + height * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, plotting.names(names), strict=False):
        plotting.tidy(axes)
        axes.set_title(name, fontsize=10, loc="left")
        axes.tick_params(labelsize=8)
    for axes in panels[max(0, len(names) - columns) : len(names)]:
        axes.tick_params(labelbottom=True)  # the panel below it may be missing
    return figure, [*panels[: len(names)]]


def _label(figure: Figure, grid: Sequence[Axes], x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=10)
    figure.supylabel(y, fontsize=10)


def _decibels(waveform: Floats, sample_rate: int) -> Doubles:
    from matplotlib import mlab

    padded = np.pad(waveform, (0, max(0, _WINDOW + 1 - len(waveform))))
    power, _, _ = mlab.specgram(padded, NFFT=_WINDOW, Fs=sample_rate, noverlap=_WINDOW - _STEP)
    found: Doubles = 10 * np.log10(np.maximum(power, 1e-15))
    return found
