"""The report as one HTML page that needs no other file: no network, no script.

Its wording and its looks are in report.html.jinja and report.css; here is what they show.
Voices are personal data, so sound is linked; it is put into the page only on request.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ser_cli.disarm import visible
from ser_cli.remarks import counted
from ser_cli.report import figures, plotting, robustness
from ser_cli.report.metrics import HEADLINE, Subgroup
from ser_cli.report.reliability import reliability
from ser_cli.sound import segments
from ser_cli.sound.audio import MEDIA_TYPES
from ser_cli.types import Clip, Segment

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

    from ser_cli.report.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class WorstError:
    """A clip that was labelled wrong, and the confidence in that wrong label (0..1)."""

    segment: Segment
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page shows.

    Attributes:
        evaluation: Scores, and what they are of.
        data: What was tested on, in words: corpus, clips, speakers.
        command: The command line that made it.
        date: When, as YYYY-MM-DD.
        beside: Names of files in the page's folder, and what they hold.
        subgroups: Scores by the name of what divides the clips (sex, intensity, channel).
        worst: Wrong clips, the most confident first.
    """

    evaluation: Evaluation
    data: str
    command: str
    date: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    subgroups: Mapping[str, tuple[Subgroup, ...]] = field(default_factory=dict)
    worst: tuple[WorstError, ...] = ()


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
        WorstError(clips[i].segment, labels[truth[i]], labels[predicted[i]], float(confidence[i]))
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
    source = _embedded if with_audio else partial(_link, folder=folder)
    return _template().render(
        content=content,
        evaluation=content.evaluation,
        report=content.evaluation.report,
        headline=HEADLINE,
        counted=counted,
        pictures=_pictures(content.evaluation),
        # A division with a single group adds nothing new.
        subgroups={name: rows for name, rows in content.subgroups.items() if len(rows) > 1},
        worst=[(error, source(error.segment)) for error in content.worst],
    )


def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ser_cli.report", ""),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = "{:.1%}".format
    return environment.get_template("report.html.jinja")


def _shown(value: Any) -> Any:
    """Return text with escapes for what turns the direction of a line, or is no character."""
    return visible(value, keep="\n") if type(value) is str else value  # not Markup


def _pictures(evaluation: Evaluation) -> dict[str, Markup]:
    """Return <svg> elements, the only text that the template does not escape."""
    from markupsafe import Markup

    drawn = {
        "confusion": figures.confusion(evaluation.report),
        "classes": figures.per_class(evaluation.report),
        "reliability": figures.reliability(reliability(evaluation.truth, evaluation.probabilities)),
    }
    if evaluation.tried:
        drawn["robustness"] = robustness.figure(evaluation.tried)
    if evaluation.history:
        drawn["curves"] = figures.curves(evaluation.history, chosen=evaluation.chosen_epoch)
    return {name: Markup(plotting.svg(figure, name=name)) for name, figure in drawn.items()}


def _link(segment: Segment, folder: Path | None) -> str:
    """Return the address of a clip's file, and which part of it a browser is to play."""
    if folder is not None:
        try:
            relative = Path(os.path.relpath(segment.path, folder)).as_posix()
            return quote(os.fsencode(relative)) + segment.fragment
        except ValueError:
            pass  # Windows: on another drive than the page
    return segment.path.resolve().as_uri() + segment.fragment


def _embedded(segment: Segment) -> str:
    path = segment.path
    if segment.fragment:
        return f"data:audio/wav;base64,{base64.b64encode(segments.as_wav(segment)).decode()}"
    kind = MEDIA_TYPES.get(path.suffix.lower(), "audio/*")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
