from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ser_cli.report import clip_figures, plotting
from ser_cli.report import corpus_figures as figures
from ser_cli.sound.frontend import columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from numpy.typing import NDArray


def families(**counts: int) -> tuple[str, ...]:
    """Return the family of each column."""
    return tuple(column.family for column in columns(**counts))


EMOTIONS = ("sad", "angry", "surprised", "disgust", "fearful", "happy", "neutral", "calm")
NOTEBOOK = families(mfcc=40, mfcc_delta=40, mfcc_delta2=40, chroma=12, contrast=7)
ATTENTION = families(mfcc=13, mfcc_delta=13, mfcc_delta2=13, chroma=12, mel=128, zcr=1, contrast=7)
MANY = families(**{f"family_{chr(97 + k)}": 1 + 40 * (k == 3) for k in range(17)})


def numbers(n: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(-300, 40, n) for name in EMOTIONS}


def heat(families: tuple[str, ...]) -> Figure:
    draws = np.random.default_rng(0).standard_normal((50, len(families)))
    return figures.correlations(np.array(np.corrcoef(draws.T)), families)


def panels_of(values: dict[str, dict[str, NDArray[np.float64]]]) -> Figure:
    return figures.distributions(values, dict.fromkeys(values, "dB"))


def speakers(count: int, name: str = "{:02}") -> Figure:
    clips = {e: 10 + k for k, e in enumerate(EMOTIONS)}
    return clip_figures.speakers({name.format(number): clips for number in range(count)})


def waves(count: int) -> Figure:
    """Draw noise, of one second and then ever longer."""
    rng = np.random.default_rng(0)
    heard = {f"emotion {k}": rng.normal(0, 0.1, 16_000 + 800 * k) for k in range(count)}
    shown = {name: wave.astype(np.float32) for name, wave in heard.items()}
    return clip_figures.spectrograms(shown, sample_rate=16_000)


def places(count: int) -> Figure:
    labels = [f"emotion {k}" for k in range(count) for _ in range(5)]
    draws = np.random.default_rng(0).standard_normal((len(labels), 2))
    return clip_figures.plane(draws, labels, (0.4, 0.2))


EVERY: dict[str, Callable[[], Figure]] = {
    "clips": lambda: figures.class_counts({"clips": dict.fromkeys(EMOTIONS, 12345)}),
    "before and after": lambda: figures.class_counts({"recorded": {"sad": 2}, "all": {"sad": 4}}),
    "durations": lambda: figures.durations(numbers(50)),
    "one duration": lambda: figures.durations({"sad": np.array([2.0])}),
    "frame lengths": lambda: figures.frame_lengths([90, 100, 110, 120], 118),
    "equal lengths": lambda: figures.frame_lengths([1, 1, 1]),
    "one family": lambda: panels_of({"mel": numbers(9)}),
    "five families": lambda: panels_of({f"mfcc_{k}": numbers(9, k) for k in range(5)}),
    "one clip": lambda: panels_of({"mel": {"sad": np.array([1.0])}}),
    "cnn-bilstm": lambda: heat(NOTEBOOK),
    "cnn-lstm-attention": lambda: heat(ATTENTION),
    "many families": lambda: heat(MANY),
    "24 speakers": lambda: speakers(24),
    "90 speakers": lambda: speakers(90, "some corpus/speaker {}"),
    "one speaker": lambda: speakers(1),
    "eight spectrograms": lambda: waves(8),
    "one spectrogram": lambda: waves(1),
    "shortest sound": lambda: clip_figures.spectrograms(
        {"sad": np.ones(1, np.float32)}, sample_rate=16_000
    ),
    "five on a plane": lambda: places(5),
    "twenty on a plane": lambda: places(20),
    "nothing known": lambda: panels_of({"F0": dict.fromkeys(EMOTIONS, np.full(3, np.nan))}),
    "undefined": lambda: figures.correlations(np.full((2, 2), np.nan), ("one", "two")),
}


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


@pytest.mark.parametrize("name", EVERY)
def test_nothing_leaves_the_picture(name: str) -> None:
    figure = EVERY[name]()
    figure.draw_without_rendering()
    frame = figure.bbox.padded(1)
    for axes in panels(figure):
        box = axes.get_tightbbox()
        assert box is not None
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, axes
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1, axes
    for text in figure.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, text


@pytest.mark.parametrize("name", EVERY)
def test_no_label_lies_on_another(name: str) -> None:
    figure = EVERY[name]()
    figure.draw_without_rendering()
    for axes in panels(figure):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            names = [t.label1 for t in ticks if t.label1.get_visible() and t.label1.get_text()]
            for one, two in itertools.pairwise(names):
                assert apart(one, two), (name, one.get_text(), two.get_text())


def apart(one: Text, two: Text) -> bool:
    """Tell whether two labels, slanted alike, leave each other room."""
    boxes = one.get_window_extent(), two.get_window_extent()
    angle = float(one.get_rotation())
    if angle in (0, 90):
        return not boxes[0].overlaps(boxes[1])
    figure = one.get_figure()
    assert figure is not None
    height = float(one.get_fontsize()) * figure.dpi / 72
    return bool(abs(boxes[0].x1 - boxes[1].x1) * np.sin(np.radians(angle)) > height)


def test_class_counts_are_sorted_and_a_missing_class_is_zero() -> None:
    series = {"before": {"sad": 2, "calm": 3}, "after": {"sad": 4, "calm": 6, "angry": 1}}
    axes = figures.class_counts(series).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["angry", "calm", "sad"]
    assert [bar.get_height() for bar in axes.patches] == [0, 3, 2, 1, 6, 4]  # type: ignore[attr-defined]
    assert axes.get_legend() is not None
    assert figures.class_counts({"clips": {"sad": 2}}).axes[0].get_legend() is None


def test_frame_lengths_marks_the_95th_percentile() -> None:
    axes = figures.frame_lengths(list(range(1, 102)), 90).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == ["95th percentile: 96", "cut at: 90"]
    assert [line.get_xdata()[0] for line in axes.lines] == [96, 90]  # type: ignore[index]
    heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
    assert sum(heights) == 101 and len(set(heights[:-1])) == 1  # as many lengths in every bar


def test_a_panel_names_its_unit() -> None:
    shown = figures.distributions({"mel": numbers(5), "odd": numbers(5)}, {"mel": "dB", "odd": ""})
    assert [axes.get_xlabel() for axes in panels(shown)] == ["dB", "value"]


def test_emotions_stand_in_order_from_the_top() -> None:
    for figure in (figures.durations(numbers(5)), panels_of({"mel": numbers(5)})):
        axes = panels(figure)[-1]
        shown = [t.get_text() for t in axes.get_yticklabels()]
        low, high = axes.get_ylim()
        assert shown == sorted(EMOTIONS) and low > high


def test_correlations_have_a_fixed_scale_and_room_for_small_families() -> None:
    figure = heat(ATTENTION)
    axes = figure.axes[0]
    mesh = axes.collections[0]
    assert mesh.get_clim() == (-1, 1)
    assert [t.get_text() for t in axes.get_yticklabels()][-2:] == ["zcr (1)", "contrast (7)"]
    assert "hatched" not in figure.axes[1].get_ylabel()
    assert "hatched" in EVERY["undefined"]().axes[1].get_ylabel()


def test_counts_have_whole_numbers_for_ticks() -> None:
    for name in ("equal lengths", "frame lengths", "before and after", "one duration"):
        figure = EVERY[name]()
        figure.draw_without_rendering()
        axes = panels(figure)[0]
        places = [*axes.get_yticks(), *(axes.get_xticks() if "lengths" in name else ())]
        assert all(float(place).is_integer() for place in places), (name, places)


def test_class_names_are_no_formulas_and_not_longer_than_the_picture(tmp_path: Path) -> None:
    names = ["$^$", "$x^2$", "sad", "l" * 150, "中文"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, figure in enumerate(
            (
                figures.class_counts({"clips": dict.fromkeys(names, 1)}),
                figures.durations({name: np.ones(3) for name in names}),
            )
        ):
            plotting.save(figure, tmp_path / f"{number}.svg")
            plotting.save(figure, tmp_path / f"{number}.png")
    shown = (tmp_path / "0.svg").read_text(encoding="utf-8")
    assert "$^$" in shown and "$x^2$" in shown and f"{'l' * 24}…" in shown and "l" * 25 not in shown


def test_speakers_are_counted_in_panels_of_one_height() -> None:
    counts = {f"{n:02}": {"sad": n, "calm": 2} for n in range(1, 91)}
    drawn = panels(clip_figures.speakers(counts))[:-1]  # the last is the bar of colours
    assert [len(axes.get_yticks()) for axes in drawn] == [30, 30, 30]
    said = [text.get_text() for text in drawn[1].texts[:4]]
    assert said == ["2", "31", "2", "32"]  # calm and sad of the first two
    assert len({axes.get_ylim() for axes in drawn}) == 1


def test_spectrograms_share_their_axes_and_colours() -> None:
    rate, at = 16_000, np.arange(16_000) / 16_000
    loud = (0.5 * np.sin(2 * np.pi * 2_000 * at)).astype(np.float32)
    quieter = (loud[:8_000] / 10).astype(np.float32)
    figure = clip_figures.spectrograms({"a": loud, "b": quieter}, sample_rate=rate)
    one, two = panels(figure)[:2]
    assert one.get_xlim() == two.get_xlim() == (0, 1) and one.get_ylim() == (0, 8)
    assert one.images[0].get_clim() == two.images[0].get_clim()
    spectrum, quiet = (np.asarray(axes.images[0].get_array()) for axes in (one, two))
    assert np.argmax(spectrum.mean(axis=1)) == 2_000 * 512 // rate  # bins of 31.25 Hz
    assert spectrum.max() - quiet.max() == pytest.approx(20, abs=0.1)


def test_every_clip_lies_on_the_plane_of_its_emotion() -> None:
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    figure = clip_figures.plane(points, ["sad", "calm", "sad"], (0.5, 0.25))
    calm, sad = panels(figure)
    assert [axes.get_title(loc="left") for axes in (calm, sad)] == ["calm", "sad"]
    every, own = (np.asarray(dots.get_offsets()) for dots in sad.collections)
    assert every.tolist() == points.tolist() and own.tolist() == points[[0, 2]].tolist()
    assert "component 1 (50% of the variance)" in [text.get_text() for text in figure.texts]
