"""What all pictures share: colours, axes, and how a figure is written.

Colours are those that colour-blind readers can tell apart: cividis, and Okabe and Ito's set.
Figures are built by the object API, so no window system and no global state is involved.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

from ser_cli.data.store import atomic_write
from ser_cli.disarm import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
GREY = "#999999"  # readable on white and on the dark page
BLACK = "#000000"  # what matplotlib draws text and axes with; `svg` turns it into the page's ink
LONGEST = 25  # letters of a class name
LETTER = 0.09  # inches of a letter as axes are lettered, rather more than less
_TITLE_POINTS, _TITLE_LETTERS = 11, 11  # of a letter, and to an inch: few of them are wider
SUFFIXES = (".png", ".svg", ".pdf")  # that `save` writes
# Text stays text: smaller, and it can be read aloud and searched.
_SVG_OPTIONS: Any = {"svg.hashsalt": "ser", "svg.fonttype": "none"}


def save(figure: Figure, path: Path, *, title: str = "") -> None:
    """Write a figure; the suffix of the path chooses the format (.png, .svg, .pdf).

    Args:
        figure: What to write.
        path: The file.
        title: What it shows, and below that of what; a file alone has no caption to say it.
    """
    import matplotlib as mpl

    if title:
        _entitle(figure, title)
    with mpl.rc_context(_SVG_OPTIONS), atomic_write(path) as temporary, catch_warnings():
        filterwarnings("ignore", message="Glyph")  # a letter its font lacks is drawn as a box
        figure.savefig(temporary, dpi=150, metadata=_undated(path.suffix))


def svg(figure: Figure, *, name: str = "figure") -> str:
    """Return a figure as an <svg> element to put into a page; the same figure, the same text.

    Text and axes take the page's text colour, so that dark mode works.

    Args:
        figure: What to draw; its background is left out.
        name: Put before every id, which must be unique among the figures of one page.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_SVG_OPTIONS):
        figure.savefig(buffer, format="svg", transparent=True, metadata=_undated(".svg"))
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(BLACK, "currentColor")
    text = text.replace("<svg ", '<svg fill="currentColor" ', 1)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)


def _entitle(figure: Figure, title: str) -> None:
    """Put a title on top, at the left, in lines as long as the figure is wide; it grows by them."""
    longest = int(figure.get_figwidth() * _TITLE_LETTERS)
    given = visible(title, keep="\n").replace("$", r"\$").split("\n")
    lines = [part for line in given for part in textwrap.wrap(line, longest)]
    figure.set_figheight(figure.get_figheight() + len(lines) * _TITLE_POINTS / 60)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=_TITLE_POINTS)


def _undated(suffix: str) -> dict[str, None]:
    keys = {".svg": ("Date", "Creator"), ".pdf": ("CreationDate",)}.get(suffix.lower(), ())
    return dict.fromkeys(keys)


def empty(width: float, height: float) -> Figure:
    """Return a figure of that size in inches, without axes."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panel(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of that size in inches, and its one pair of axes."""
    figure = empty(width, height)
    axes = figure.subplots()
    tidy(axes)
    return figure, axes


def tidy(axes: Axes) -> None:
    """Take away what carries no data, and draw a faint grid to read heights by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GREY, alpha=0.3, linewidth=0.7)


def legend(axes: Axes, *, columns: int) -> None:
    """Put the legend above the axes, where it never covers data."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, fontsize=9,
        handlelength=1.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def whole_numbers(axis: Axis) -> None:
    """Put no ticks between the whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def names(labels: Sequence[str]) -> list[str]:
    """Return names as they are drawn: no formula, visible, and none longer than its picture."""
    shown = map(visible, labels)
    cut = (label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…" for label in shown)
    return [label.replace("$", r"\$") for label in cut]


def class_ticks(axes: Axes, labels: Sequence[str]) -> None:
    """Write class names below the x axis, slanted so that long ones do not meet."""
    axes.set_xticks(
        range(len(labels)), names(labels), rotation=35, ha="right", rotation_mode="anchor"
    )
