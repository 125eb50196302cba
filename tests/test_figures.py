from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest

from ser_cli.report import figures, plotting
from ser_cli.report.metrics import Report, score
from ser_cli.report.reliability import reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = ("angry", "calm", "sad")
HISTORY = [
    {"epoch": e, "loss": 2 / e, "accuracy": 1 - 1 / e, "dev_loss": 3 / e, "learning_rate": 1e-3}
    for e in range(1, 6)
]
TRIALS = [(0, 0.4, "COMPLETE"), (1, 0.9, "PRUNED"), (2, 0.3, "COMPLETE"), (3, None, "FAIL"),
          (4, 0.6, "COMPLETE")]  # fmt: skip

# Four clips: sure and right, sure and wrong, and two in doubt of whom one is right.
SAID = (np.array([0, 0, 1, 1]), np.array([[0.95, 0.05], [0.05, 0.95], [0.45, 0.55], [0.55, 0.45]]))


def report() -> Report:
    truth = np.array([0, 0, 0, 0, 1, 1])
    return score(truth, np.eye(3)[[0, 0, 0, 1, 1, 0]], labels=LABELS, resamples=5)


def diagonal(labels: tuple[str, ...]) -> Report:
    truth = np.arange(len(labels))
    return score(truth, np.eye(len(labels)), labels=labels, resamples=2)


EVERY: dict[str, Callable[[], Figure]] = {
    "confusion": lambda: figures.confusion(report()),
    "per_class": lambda: figures.per_class(report()),
    "curves": lambda: figures.curves(HISTORY, chosen=3),
    "trials": lambda: figures.trials(TRIALS),
    "reliability": lambda: figures.reliability(reliability(*SAID)),
    "importances": lambda: figures.importances({"a": 0.2, "b": 0.8}),
    "no trials": lambda: figures.trials([]),
    "one epoch": lambda: figures.curves(HISTORY[:1]),
    "one trial": lambda: figures.trials(TRIALS[:1]),
    "four classes": lambda: figures.confusion(diagonal(("angry", "happy", "neutral", "sad"))),
    "long names": lambda: figures.confusion(diagonal(("a" * 40, "b" * 40))),
}


def test_reliability_counts_clips_and_hits_by_confidence() -> None:
    bins = reliability(*SAID)
    known = np.flatnonzero(bins.count)
    assert known.tolist() == [8, 14]  # (8/15, 9/15] and (14/15, 1]
    assert bins.count[known].tolist() == [2, 2] and bins.right[known].tolist() == [1, 1]
    np.testing.assert_allclose(bins.confidence[known], [1.1, 1.9])
    gap = np.abs(bins.right - bins.confidence).sum() / 4
    assert score(*SAID, labels=("a", "b"), resamples=5).ece == pytest.approx(gap)


@pytest.mark.parametrize("name", EVERY)
def test_every_axis_is_named(name: str) -> None:
    panels = [axes for axes in EVERY[name]().axes if axes.get_label() != "<colorbar>"]
    assert panels[-1].get_xlabel() or name == "per_class"  # classes say it
    assert all(axes.get_ylabel() for axes in panels) or name == "importances"


@pytest.mark.parametrize("name", EVERY)
def test_nothing_leaves_the_picture(name: str) -> None:
    figure = EVERY[name]()
    figure.draw_without_rendering()
    frame = figure.bbox.padded(1)
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, axes
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1, axes


def test_confusion_says_percent_of_truth_and_counts() -> None:
    axes = figures.confusion(report()).axes[0]
    written = {(round(t.get_position()[0]), t.get_text()) for t in axes.texts}
    assert written == {
        *((0, "75%"), (0, "3"), (1, "25%"), (1, "1")),
        *((0, "50%"), (0, "1"), (1, "50%"), (1, "1")),
    }
    shares = axes.images[0].get_array()
    assert shares is not None and shares[0].tolist() == [0.75, 0.25, 0]


def test_per_class_draws_the_scores() -> None:
    axes = figures.per_class(report()).axes[0]
    heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    scores = report().per_class
    expected = [getattr(c, name) for name in ("precision", "recall", "f1") for c in scores]
    assert heights == expected


def names(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_curves_show_what_is_known_and_mark_the_kept_epoch() -> None:
    loss, rate, step = figures.curves(HISTORY, chosen=3).axes
    assert names(loss) == ["training", "dev", "saved: 3"]
    assert names(rate) == ["training accuracy"]
    assert names(step) == [] and step.get_ylabel() == "learning rate"
    assert [3, 3] in [list(line.get_xdata()) for line in rate.lines]  # type: ignore[arg-type]
    plain = [{k: row[k] for k in ("epoch", "loss", "accuracy")} for row in HISTORY]
    assert [names(axes) for axes in figures.curves(plain).axes] == [
        ["training"],
        ["training accuracy"],
    ]


def test_best_so_far_ignores_pruned_trials() -> None:
    axes = figures.trials(TRIALS).axes[0]
    (best,) = axes.lines
    assert list(best.get_ydata()) == [0.4, 0.4, 0.6]  # type: ignore[arg-type]
    assert axes.get_ylabel() == "dev UAR"


def test_one_trial_promises_no_line() -> None:
    assert names(EVERY["one trial"]().axes[0]) == ["finished"]


@pytest.mark.parametrize("name", EVERY)
def test_a_height_can_be_read_off(name: str) -> None:
    figure = EVERY[name]()
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = sorted(axes.get_ylim())
        shown = [place for place in axes.get_yticks() if low <= place <= high]
        assert len(shown) >= 2 or name == "no trials", axes.get_ylabel()


@pytest.mark.parametrize("name", EVERY)
def test_a_title_is_whole_and_above_everything(name: str, tmp_path: Path) -> None:
    figure = EVERY[name]()
    title = f"{'a recipe and what it was tested on, ' * 3}\nof {'l' * 40}, $x$ of \x1b[31m"
    plotting.save(figure, tmp_path / "a.svg", title=title)
    figure.draw_without_rendering()
    (said,) = figure.texts
    box, frame = said.get_window_extent(), figure.bbox.padded(1)
    assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and box.y1 <= frame.y1
    for axes in figure.axes:
        inside = axes.get_tightbbox()
        assert inside is not None and inside.y1 <= box.y0 + 1, axes
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(drawn) is not None and "\\x1b[31m" in drawn


def test_the_most_important_setting_is_on_top() -> None:
    axes = figures.importances({"small": 0.1, "big": 0.7, "middle": 0.2}).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["small", "middle", "big"]


def test_svg_is_the_same_every_time_and_takes_the_pages_ink() -> None:
    one, two = (plotting.svg(EVERY["confusion"](), name="x") for _ in range(2))
    assert one == two
    assert one.startswith("<svg") and "currentColor" in one and "#000000" not in one
    assert "<metadata" not in one and "matplotlib.org" not in one


def test_svg_refers_only_to_its_own_ids() -> None:
    tree = ElementTree.fromstring(plotting.svg(EVERY["curves"](), name="x"))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(str(name).startswith("x-") for name in ids)
    link = "{http://www.w3.org/1999/xlink}href"
    used = [element.get(link, "")[1:] for element in tree.iter() if element.get(link)]
    clips = [element.get("clip-path", "")[5:-1] for element in tree.iter() if "clip-path" in
             element.attrib]  # fmt: skip
    assert used and clips and set(used) | set(clips) <= set(ids)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_save_writes_the_same_bytes_twice(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{n}{suffix}" for n in "ab"]
    for path in paths:
        plotting.save(EVERY["trials"](), path)
    one, two = (path.read_bytes() for path in paths)
    assert one == two
    assert one.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    assert sorted(tmp_path.iterdir()) == paths


def test_importing_draws_nothing_in() -> None:
    heavy = {"matplotlib", "jinja2"}
    code = f"import sys, ser_cli.report.html; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pyplot_is_never_used() -> None:
    code = (
        "import sys; from ser_cli.report import plotting, figures as f;"
        "plotting.svg(f.importances({'a': 1.0}));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
