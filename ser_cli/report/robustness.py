"""A system's clips under noise, in rooms, over telephones, cut and coded: what of it stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import cache
from ser_cli.model import preprocess
from ser_cli.report import metrics, plotting
from ser_cli.report.plotting import BLUE, GREY
from ser_cli.sound.conditions import CONDITIONS, under

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ser_cli.model.pipeline import Pipeline
    from ser_cli.types import Clip, Progress


@dataclass(frozen=True, slots=True)
class Tried:
    """A condition and what became of the clips under it.

    Attributes:
        name: Of the condition.
        uar: Under it.
        kept: That as a share of the UAR of the clean clips.
        same: Share of the clips whose label is that of the clean clip.
    """

    name: str
    uar: float
    kept: float
    same: float


def measure(
    clips: Sequence[Clip], pipeline: Pipeline, *, jobs: int, progress: Progress | None = None
) -> tuple[Tried, ...]:
    """Score the same clips under each condition; clean ones come first.

    Args:
        clips: Readable ones, of emotions that the system knows.
        pipeline: The system.
        jobs: Processes that extract features, which are cached.
        progress: Told of conditions.
    """
    truth = preprocess.encode([clip.emotion for clip in clips], pipeline.classes)
    tried: list[Tried] = []
    clean = np.zeros(0)
    for done, name in enumerate(CONDITIONS, start=1):
        change = partial(under, name, pipeline.frontend.sample_rate)
        made = cache.extract(clips, pipeline.frontend, augment=change, copy=1, jobs=jobs)
        said = pipeline.probabilities(made.features)
        clean = clean if tried else said.argmax(axis=1)
        uar = metrics.score(truth, said, labels=pipeline.classes, resamples=1).uar
        kept = uar / tried[0].uar if tried else 1.0
        tried.append(Tried(name, uar, kept, float((said.argmax(axis=1) == clean).mean())))
        if progress:
            progress(done, len(CONDITIONS), name, "conditions")
    return tuple(tried)


def as_record(tried: Sequence[Tried]) -> list[dict[str, Any]]:
    """Return the conditions as plain values, for JSON."""
    return [
        {"condition": one.name, "uar": one.uar, "kept": one.kept, "same": one.same} for one in tried
    ]


def table(tried: Sequence[Tried]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows, in percent."""
    rows = [(one.name, *(f"{100 * v:.1f}" for v in (one.uar, one.kept, one.same))) for one in tried]
    return ("condition", "UAR", "kept of clean", "labels that stay"), rows


def figure(tried: Sequence[Tried]) -> Figure:
    """Draw the UAR of each condition as a bar, the first as a line that the others fall below."""
    drawn, axes = plotting.panel(6.4, 0.8 + 0.27 * len(tried))
    places = range(len(tried), 0, -1)
    axes.barh(list(places), [one.uar for one in tried], height=0.7, color=BLUE)
    for place, one in zip(places, tried, strict=True):
        axes.text(one.uar + 0.01, place, f"{100 * one.uar:.1f}", va="center", fontsize=8)
    axes.axvline(tried[0].uar, color=GREY, linewidth=1, linestyle="--")
    axes.set_yticks(list(places), [one.name for one in tried])
    axes.set(xlabel="UAR (0 to 1)", xlim=(0, 1))
    axes.grid(visible=False)
    return drawn
