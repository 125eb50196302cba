"""A trained model on clips it did not learn from -> scores, report page and text files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli import recipes
from ser_cli.data import cache, corpora, parts
from ser_cli.data.store import write_text
from ser_cli.errors import DataError
from ser_cli.model import artifacts, preprocess
from ser_cli.model.runtime import Runtime
from ser_cli.report import html, metrics, results, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.data.parts import Count
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.report.metrics import Report
    from ser_cli.types import Clip, Floats, Progress, Recipe


GROUPED_BY = ("sex", "intensity", "channel")


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores and all that a reader needs to weigh them.

    Attributes:
        title: What was tested.
        protocol: How the test clips were kept apart.
        reports: Name of a part of the test clips and its scores; the first is the whole.
        clips: N test clips, with truth (N,) and probabilities (N, C).
        leaky: Test speakers are in training.
        audit: What the leak audit found, a line a finding.
        failed: Clips that could not be read.
        history: Epochs of the training, and the epoch that was kept.
        settings: Of the training.
    """

    title: str
    protocol: str
    reports: tuple[tuple[str, Report], ...]
    clips: tuple[Clip, ...]
    truth: NDArray[np.int64]
    probabilities: Floats
    leaky: bool
    audit: tuple[str, ...]
    failed: tuple[tuple[Path, str], ...] = ()
    history: Sequence[dict[str, float]] = ()
    chosen_epoch: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        """Scores of all test clips."""
        return self.reports[0][1]

    @property
    def counts(self) -> dict[str, Count]:
        """Test clips and their speakers, of each class."""
        return parts.count(self.clips, self.report.labels)


def evaluate(
    folder: Path | None = None,
    *,
    recipe: str = recipes.DEFAULT,
    data: str | None = None,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a trained model on its held-out part, or on a corpus of one's own.

    Args:
        folder: Artifacts folder; see `artifacts.resolve`.
        recipe: Whose artifacts, where no folder is given.
        data: What `corpora.load` takes; None is what the model was trained on. Where it holds
            the model's held-out clips, these alone are scored.
        jobs: Processes that extract features.
        progress: Told of features.

    Raises:
        NothingHeldOutError: The model was trained on all clips and no other data is named.
        DataError: No clip of the data can be scored.
    """
    model = artifacts.load(artifacts.resolve(folder, recipe=recipe))
    roles = artifacts.read_split(model.folder)
    if data is None and "test" not in roles.values():
        raise NothingHeldOutError(model)
    clips, audit, leaky = _choose(corpora.load(data or model.manifest["data"]), roles, model)
    scored = score(
        clips,
        recipes.get(model.recipe),
        model.preprocessor.classes,
        Runtime(model).predict,
        jobs=jobs,
        progress=progress,
    )
    selected = model.manifest.get("selection", ())
    return replace(
        scored,
        title=f"{model.recipe} ({model.folder.name})",
        protocol=", ".join([f"split {model.manifest.get('split', 'unknown')}", *selected]),
        leaky=leaky,
        audit=audit,
        history=artifacts.read_history(model.folder),
        chosen_epoch=model.manifest.get("best_epoch"),
        settings=model.manifest.get("settings", {}),
        versions=model.manifest.get("versions", {}),
    )


def score(
    clips: Sequence[Clip],
    recipe: Recipe,
    classes: Sequence[str],
    predict: Callable[[Sequence[Floats]], Floats],
    *,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Evaluation:
    """Score what predicts a recipe's features against the clips' labels.

    Args:
        clips: Those of other emotions than the classes are left out, and noted.
        recipe: Makes the features.
        classes: C names of the probabilities.
        predict: Features (t, F) of N clips -> probabilities (N, C).
        jobs: Processes that extract features.
        progress: Told of features.

    Raises:
        DataError: No clip can be scored.
    """
    known = [clip for clip in clips if clip.emotion in classes]
    made = cache.extract(known, recipe, jobs=jobs, progress=progress)
    if not made.clips:
        raise DataError("none of the clips can be scored", hint="look with: ser extract --data DIR")
    probabilities = predict(made.features)
    truth = preprocess.encode([clip.emotion for clip in made.clips], classes)
    left_out = Counter(clip.emotion for clip in clips) - Counter(clip.emotion for clip in known)
    return Evaluation(
        title=recipe.name,
        protocol="",
        reports=_reports(made.clips, truth, probabilities, classes),
        clips=made.clips,
        truth=truth,
        probabilities=probabilities,
        leaky=False,
        audit=(),
        failed=made.failed,
        notes=_notes(made.clips, left_out),
    )


class NothingHeldOutError(DataError):
    """The model has learned from every clip it could be tested on."""

    def __init__(self, model: Artifacts) -> None:
        super().__init__(
            f"the model in {model.folder} was trained on all clips of {model.manifest['data']}: "
            "nothing is held out to test it on",
            hint="ser evaluate --protocol actors21-24, or --data with recordings of your own",
        )
        self.recipe = model.recipe
        self.settings_from: str = model.manifest["settings_from"]


def committed_results(recipe: str, settings_from: str) -> list[dict[str, str]]:
    """Return the published protocol results of a recipe, as rows of results.csv.

    Of these settings alone, if any were published with them.
    """
    found = results.read(artifacts.committed_results())
    rows = [row for row in found if row["recipe"] == recipe]
    return [row for row in rows if row["settings_from"] == settings_from] or rows


def write_report(
    evaluation: Evaluation, folder: Path, *, command: str, with_audio: bool = False
) -> Path:
    """Write report.html, test_metrics.txt and test_confusion_matrix.txt; return the page."""
    report, truth = evaluation.report, evaluation.truth
    predicted = evaluation.probabilities.argmax(axis=1)
    groups = {
        name: metrics.subgroups(truth, predicted, [getattr(c, name) for c in evaluation.clips])
        for name in GROUPED_BY
    }
    content = html.PageContent(
        title=evaluation.title,
        protocol=evaluation.protocol,
        data=f"{report.n} clips",
        leaky=evaluation.leaky,
        audit=evaluation.audit,
        report=report,
        command=command,
        subgroups=groups,
        history=evaluation.history,
        chosen_epoch=evaluation.chosen_epoch,
        worst=html.worst_errors(evaluation.clips, truth, evaluation.probabilities, report.labels),
        settings=evaluation.settings,
        versions=evaluation.versions,
        notes=evaluation.notes,
    )
    write_text(folder / "report.html", html.render(content, folder=folder, with_audio=with_audio))
    write_texts(evaluation, folder)
    return folder / "report.html"


def write_texts(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write test_metrics.txt and test_confusion_matrix.txt; return their paths."""
    scores, confusion = folder / "test_metrics.txt", folder / "test_confusion_matrix.txt"
    write_text(scores, text.metrics_text(evaluation.report))
    write_text(confusion, text.confusion_text(evaluation.report))
    return scores, confusion


def as_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return the scores as plain values, for JSON."""
    return {
        "title": evaluation.title,
        "protocol": evaluation.protocol,
        "leaky": evaluation.leaky,
        "audit": list(evaluation.audit),
        "parts": parts.plain({"test": evaluation.counts}),
        "reports": {part: _record(report) for part, report in evaluation.reports},
    }


def _record(report: Report) -> dict[str, Any]:
    rates = ("n", "uar", "war", "macro_f1", "micro_f1", "weighted_f1", "ece", "intervals")
    return {
        **{name: getattr(report, name) for name in rates},
        "uar_classes": len(report.uar_labels),
        "uar_labels": list(report.uar_labels),
        "labels": list(report.labels),
        "confusion": report.confusion.tolist(),
        "per_class": {
            row.label: {
                name: getattr(row, name)
                for name in ("precision", "recall", "f1", "accuracy", "support")
            }
            for row in report.per_class
        },
    }


def _notes(clips: Sequence[Clip], left_out: Counter[str]) -> tuple[str, ...]:
    notes = [
        f"{n} clips of {label} left out: the model does not know it"
        for label, n in left_out.items()
    ]
    if not corpora.has_speakers(clips):
        notes.append("the speakers are not known: this may not be speaker-independent")
    return tuple(notes)


def _choose(
    clips: tuple[Clip, ...], parts: dict[str, str], model: Artifacts
) -> tuple[tuple[Clip, ...], tuple[str, ...], bool]:
    """Return the clips to score, what they share with the training, and whether that leaks."""
    roles = [parts.get(cache.identity(clip.path)) for clip in clips]
    held_out = tuple(c for c, role in zip(clips, roles, strict=True) if role == "test")
    if held_out:
        audit = tuple(model.manifest.get("audit", ()))
        return held_out, audit, bool(audit) or bool(model.manifest.get("leaky"))
    found = learned_from(clips, parts)
    return clips, found, bool(found)


def learned_from(clips: Sequence[Clip], parts: Mapping[str, str]) -> tuple[str, ...]:
    """Say how many clips were training data; nothing where none was.

    Args:
        clips: To be tested on.
        parts: Of the split that was trained on, by `data.cache.identity`.
    """
    learned = sum(parts.get(cache.identity(clip.path)) in ("train", "dev") for clip in clips)
    note = f"{learned} of {len(clips)} clips were training data of this model"
    return (note,) if learned else ()


def _reports(
    clips: Sequence[Clip], truth: NDArray[np.int64], probabilities: Floats, labels: Sequence[str]
) -> tuple[tuple[str, Report], ...]:
    """Score everything and, where the corpus has both, speech and song apart."""
    channels = np.array([clip.channel for clip in clips])
    speakers = [clip.speaker for clip in clips]
    whole = ("all", metrics.score(truth, probabilities, labels=labels, speakers=speakers))
    if len(set(channels.tolist())) < 2:
        return (whole,)
    parts = []
    for channel in sorted(set(channels.tolist()), reverse=True):
        at = np.flatnonzero(channels == channel)
        report = metrics.score(
            truth[at], probabilities[at], labels=labels, speakers=[speakers[i] for i in at]
        )
        parts.append((channel, report))
    return (whole, *parts)
