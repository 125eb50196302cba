"""A trained model on clips it did not learn from -> scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ser_cli.data import corpora, protocols
from ser_cli.errors import DataError
from ser_cli.model import artifacts
from ser_cli.model.heard import Heard
from ser_cli.model.trained import Model
from ser_cli.remarks import plural
from ser_cli.report import results, robustness
from ser_cli.report.scoring import score
from ser_cli.workers import CORES

if TYPE_CHECKING:
    from ser_cli.jobs.training import EvaluateJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.pipeline import Pipeline
    from ser_cli.report.evaluation import Evaluation
    from ser_cli.types import Clip, Progress


class NothingHeldOutError(DataError):
    """The model has learned from every clip it could be tested on."""

    def __init__(self, model: Artifacts) -> None:
        data = corpora.describe(artifacts.data_of(model))
        usual = corpora.get(corpora.DEFAULT).usual_protocol
        super().__init__(
            f"the model in {model.folder} was trained on all clips of {data}: nothing is held "
            "out to test it on",
            hint=f"ser evaluate --protocol {usual}, or --data with recordings of your own",
        )
        self.recipe = model.recipe
        self.settings_from: str = model.manifest["settings_from"]


def evaluate(job: EvaluateJob, *, progress: Progress | None = None) -> Evaluation:
    """Score a trained model on its held-out part, or on a corpus of one's own.

    Where the data that is named holds the model's held-out clips, these alone are scored.

    Args:
        job: The folder, and the data; by default what the model was trained on.
        progress: Told of fingerprints and features.

    Raises:
        NothingHeldOutError: The model was trained on all clips and no other data is named.
        DataError: No clip of the data can be scored.
    """
    trained = artifacts.load(artifacts.resolve(job.folder, recipe=job.recipe))
    heard = Heard(trained.folder)
    if not job.data and "test" not in heard.roles.values():
        raise NothingHeldOutError(trained)
    data, known = job.data or artifacts.data_of(trained), trained.preprocessor.classes
    clips = corpora.load(*data, as_given=job.labels_as_given, classes=known)
    chosen, audit, leaky = _choose(clips, heard, trained, progress)
    facts, pipeline = trained.manifest, Model(trained).pipeline
    scored = score(chosen, pipeline, progress=progress)
    if job.robustness:
        scored = _under_conditions(scored, pipeline, progress)
    return replace(
        scored,
        title=f"{trained.recipe} ({trained.folder.name})",
        protocol=", ".join([f"split {facts.get('split', 'unknown')}", *facts.get("selection", ())]),
        leaky=leaky,
        audit=audit,
        history=artifacts.read_history(trained.folder),
        chosen_epoch=facts.get("best_epoch"),
        settings=facts.get("settings", {}),
        versions=facts.get("versions", {}),
    )


def _under_conditions(
    scored: Evaluation, pipeline: Pipeline, progress: Progress | None
) -> Evaluation:
    """Add what becomes of the clips under other conditions: of speech, where some of it is song."""
    speech = protocols.part_of(scored.clips, "speech") or scored.clips
    tried = robustness.measure(speech, pipeline, jobs=CORES, progress=progress)
    notes = scored.notes
    if len(speech) < len(scored.clips):
        notes += (f"other conditions: of the {plural(len(speech), 'clip')} of speech alone",)
    return replace(scored, tried=tried, notes=notes)


def published(recipe: str, settings_from: str) -> list[dict[str, Any]]:
    """Return the published protocol results of a recipe.

    Of these settings alone, if any were published with them.
    """
    found = results.read(artifacts.committed_results())
    rows = [results.as_record(row) for row in found if row["recipe"] == recipe]
    return [row for row in rows if row["settings_from"] == settings_from] or rows


def _choose(
    clips: tuple[Clip, ...], heard: Heard, trained: Artifacts, progress: Progress | None
) -> tuple[tuple[Clip, ...], tuple[str, ...], bool]:
    """Return the clips to score, what they share with the training, and whether that leaks."""
    held_out = tuple(
        clip for clip, role in zip(clips, heard.roles_of(clips), strict=True) if role == "test"
    )
    if held_out:
        audit = tuple(trained.manifest.get("audit", ()))
        return held_out, audit, bool(audit) or bool(trained.manifest.get("leaky"))
    found = heard.lines(clips, progress=progress)
    return clips, found, bool(found)
