"""The report as one HTML page that needs nothing beside it: no network, no script.

Voices are personal data, so sound is linked; it is put into the page only on request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_cli.report import figures
from ser_cli.report.markup import audio, beside, document, figure, items, quiet, section, table
from ser_cli.report.metrics import Report, Subgroup
from ser_cli.types import Clip


@dataclass(frozen=True, slots=True)
class WorstError:
    """A clip that was labelled wrong, and the confidence in that wrong label (0..1)."""

    path: Path
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page shows.

    Attributes:
        title: Headline, usually the recipe.
        protocol: Name of the evaluation protocol.
        data: What was tested on, in words.
        leaky: Whether test speakers are in training; puts a loud warning above the numbers.
        audit: What the leak audit found, one line each.
        report: All scores.
        subgroups: Scores by the name of what divides the clips (sex, intensity, channel).
        history: Rows of training, as `figures.curves` takes them; may be empty.
        chosen_epoch: The epoch whose weights were kept.
        worst: Wrong clips, the most confident first.
        settings: Settings of the run.
        versions: Versions of the software that made it.
        command: The command line that made it.
        notes: Further remarks.
    """

    title: str
    protocol: str
    data: str
    leaky: bool
    audit: tuple[str, ...]
    report: Report
    command: str
    subgroups: Mapping[str, tuple[Subgroup, ...]] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    chosen_epoch: int | None = None
    worst: tuple[WorstError, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def worst_errors(
    clips: Sequence[Clip],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.floating[Any]],
    labels: Sequence[str],
    *,
    limit: int = 10,
) -> tuple[WorstError, ...]:
    """Return the wrongly labelled clips, the most confident first.

    Args:
        clips: N clips.
        truth: (N,) index into `labels`.
        probabilities: (N, C).
        labels: The C class names.
        limit: At most so many.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    ranked = np.argsort(-confidence, kind="stable")
    wrong = ranked[predicted[ranked] != truth[ranked]][:limit]
    return tuple(
        WorstError(clips[i].path, labels[truth[i]], labels[predicted[i]], float(confidence[i]))
        for i in wrong.tolist()
    )


def render(content: PageContent, *, folder: Path | None = None, with_audio: bool = False) -> str:
    """Return the page as HTML.

    Args:
        content: What it shows.
        folder: Where the page will lie; sound is then linked relative to it, so that page and
            clips can move together and the page does not tell whose machine made it.
        with_audio: Put the sound of the worst errors into the page instead of linking it.
    """
    sections = (
        _headline(content),
        _confusion(content.report),
        _classes(content.report),
        _training(content),
        _subgroups(content.subgroups),
        _worst(content.worst, folder, with_audio),
        _origin(content),
    )
    title = f"{content.title}: {content.protocol}"
    return document(title, "\n".join(filter(None, sections)))


def _headline(content: PageContent) -> str:
    report = content.report
    cards = "".join(_card(title, name, report) for name, title in _HEADLINE.items())
    return (
        f"<header><h1>{escape(content.title)}</h1>"
        f"<p>Protocol <b>{escape(content.protocol)}</b> on {escape(content.data)}: "
        f"{report.n} clips, {len(report.labels)} classes.</p></header>"
        + (_LEAKY if content.leaky else "")
        + f'<dl class="cards">{cards}</dl>'
        + quiet(
            f"In brackets: 95 % bootstrap intervals over {report.resampled}. "
            f"Micro F1 {report.micro_f1:.1%}; calibration error (ECE) {report.ece:.1%}."
        )
        + section("Leak audit", items(content.audit))
    )


_HEADLINE = {
    "uar": "UAR (mean recall)",
    "war": "WAR (accuracy)",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
}
_LEAKY = (
    '<p class="leaky" role="note"><strong>Leaky split.</strong> Speakers and sentences of the '
    "test clips are also in training. These numbers are too high for voices the model has "
    "never heard; compare them only with numbers of the same protocol.</p>"
)


def _card(title: str, name: str, report: Report) -> str:
    low, high = report.intervals[name]
    return (
        f"<div><dt>{title}</dt><dd>{getattr(report, name):.1%} "
        f"<small>[{100 * low:.1f}, {100 * high:.1f}]</small></dd></div>"
    )


def _confusion(report: Report) -> str:
    rows = [
        (label, *counts)
        for label, counts in zip(report.labels, report.confusion.tolist(), strict=True)
    ]
    picture = figure(
        figures.confusion(report),
        "confusion",
        "Confusion matrix: rows are the truth, columns what was predicted; "
        "percent of the true class, and number of clips.",
    )
    counts = table(("truth \\ predicted", *report.labels), rows)
    details = f"<details><summary>As a table</summary>{counts}</details>"
    return section("Which emotions are mistaken for which", picture, details)


def _classes(report: Report) -> str:
    rows = [
        (c.label, f"{c.precision:.1%}", f"{c.recall:.1%}", f"{c.f1:.1%}", c.support)
        for c in report.per_class
    ]
    head = ("class", "precision", "recall", "F1", "clips")
    caption = (
        "Precision, recall and F1 of each class. The recall of a class is also called its "
        "accuracy: the share of its clips labelled right."
    )
    picture = figure(figures.per_class(report), "classes", caption)
    return section("Per class", beside(picture, table(head, rows)))


def _training(content: PageContent) -> str:
    if not content.history:
        return ""
    picture = figures.curves(content.history, chosen=content.chosen_epoch)
    caption = "Loss, accuracy and learning rate over the epochs of training."
    if content.chosen_epoch is not None:
        caption += f" The weights of epoch {content.chosen_epoch} were kept."
    return section("Training", figure(picture, "curves", caption))


def _subgroups(groups: Mapping[str, tuple[Subgroup, ...]]) -> str:
    """Return one table a division; a division with a single group says nothing new."""
    parts = []
    for name, rows in groups.items():
        if len(rows) > 1:
            cells = [(r.group, f"{r.uar:.1%}", f"{r.war:.1%}", r.n, r.classes) for r in rows]
            head = (name, "UAR", "WAR", "clips", "classes")
            parts.append(table(head, cells))
    if not parts:
        return ""
    note = quiet("UAR is over the classes that occur in the group.")
    return section("Subgroups", note, beside(*parts))


def _worst(worst: tuple[WorstError, ...], folder: Path | None, with_audio: bool) -> str:
    if not worst:
        return ""
    rows = "".join(_error(item, folder, with_audio) for item in worst)
    note = quiet("Wrong labels the model was most sure of.")
    return section("Worst errors", note, f'<ol class="worst">{rows}</ol>')


def _error(item: WorstError, folder: Path | None, with_audio: bool) -> str:
    return (
        f"<li><span><b>{escape(item.truth)}</b> taken for <b>{escape(item.predicted)}</b> "
        f"({item.confidence:.0%} sure)<br><code>{escape(item.path.name)}</code></span>"
        f"{audio(item.path, folder=folder, embed=with_audio)}</li>"
    )


def _origin(content: PageContent) -> str:
    command = f'<pre tabindex="0"><code>{escape(content.command)}</code></pre>'
    pairs = (_pairs("setting", content.settings), _pairs("software", content.versions))
    return section("How it was made", command, items(content.notes), beside(*pairs))


def _pairs(name: str, values: Mapping[str, Any]) -> str:
    return table((name, "value"), list(values.items())) if values else ""
