"""A recipe under a published protocol: train every fold, score the pooled test clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data import corpora, parts, protocols, select
from ser_cli.data.splits import Split
from ser_cli.errors import DataError
from ser_cli.model.enrolment import ENROLLED
from ser_cli.report import results
from ser_cli.report.evaluation import Evaluation
from ser_cli.report.folds import FoldResults, pooled

if TYPE_CHECKING:
    from ser_cli.jobs.training import EvaluateJob
    from ser_cli.report.metrics import Report
    from ser_cli.training.folds import Run
    from ser_cli.types import Clip, Progress


def evaluate(
    job: EvaluateJob,
    *,
    command: str = "",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Train and test every fold that is not kept yet, and score them all.

    Args:
        job: The protocol, the recipe and its settings.
        command: What the user typed, for the table of results.
        progress: Told of epochs (one worker) or folds.
        say: Told how long it will take.

    Raises:
        DataError: The clips are not the protocol's corpus, or a fold that should not leak does.
    """
    run = plan(job)

    from ser_cli.training import folds

    folds.train_folds(run, side_by_side=job.workers, progress=progress, say=say)
    return score(run, command=command)


def plan(job: EvaluateJob) -> Run:
    """Return a run that has yet to be trained; the clips are read here, once.

    Raises:
        SerError: There is no such protocol, recipe or data, or the settings do not fit.
    """
    protocol = protocols.get(str(job.protocol))
    clips = job.clips()
    also = _also(job, clips)
    folds = tuple(replace(fold, train=fold.train + also) for fold in _folds(job, protocol, clips))

    from ser_cli.training import settings
    from ser_cli.training.folds import Run
    from ser_cli.training.session import Work

    chosen = settings.resolve(job.system, job.params, job.overrides)
    source = protocols.corpus_of(protocol.name).source
    names = {clip.segment.name: clip for clip in clips}
    return Run(
        protocol=protocol.name,
        work=Work(job.recipe, chosen, job.seed, job.selection.oversample, job.encoder),
        selection=job.selection,
        folds=folds,
        clips=names,
        also=tuple(sorted({clip.corpus for clip in also})),
        missing=len(source.digests().keys() - names.keys()) if source else 0,
    )


def score(run: Run, *, command: str = "", table: Path = results.TABLE) -> Evaluation:
    """Score a run whose folds are trained, and write its rows of results.

    Args:
        run: The run.
        command: What the user typed, for the table.
        table: results.csv; the epochs of all folds go next to it.

    Returns:
        Scores of the pooled test clips, for each part that the protocol reports.
    """
    protocol, work = protocols.get(run.protocol), run.work
    tested = pooled(run.files(), run.clips)
    reports = tuple((part, tested.report(part)) for part in protocol.parts)
    rows = [_row(run, part, [report], tested, command) for part, report in reports]
    enrolled = ((part, tested.enrolled_reports(part)) for part in protocol.parts)
    rows += [_row(run, part, found, tested, command) for part, found in enrolled if found]
    results.add(table, rows)
    origin = work.origin
    beside = ("with " + " ".join(run.also),) if run.also else ()
    named = (work.recipe, run.protocol, *run.describe(), *beside, origin, f"seed{work.seed}")
    results.write_histories(table, named, tested.histories)
    return Evaluation(
        title=work.recipe,
        protocol=", ".join([f"{protocol.name}: {protocol.about}", *run.describe(), *beside]),
        reports=reports,
        clips=tested.clips,
        truth=tested.truth,
        probabilities=tested.probabilities,
        leaky=protocol.leaky,
        audit=tested.audit,
        history=tested.histories[0],
        chosen_epoch=tested.epochs[0],
        settings={
            **work.settings.flat(), "settings_from": origin, "temperature": tested.temperature
        },
        notes=(
            f"calibration over the dev clips of all folds: temperature {tested.temperature:.3g}",
        ),
    )  # fmt: skip


def _folds(
    job: EvaluateJob, protocol: protocols.Protocol, clips: Sequence[Clip]
) -> tuple[Split, ...]:
    corpus, data = protocols.corpus_of(protocol.name), corpora.describe(job.corpora)
    if {clip.corpus for clip in clips} != {corpus.name}:
        raise DataError(
            f"the protocol {protocol.name} splits the corpus {corpus.name}, not {data}",
            hint=f"--data {corpus.name}; or: ser train, then ser evaluate",
        )
    chosen = select.choose(clips, job.selection, seed=job.seed)
    folds = protocol.folds(chosen, job.seed)
    tested = tuple(clip for fold in folds for clip in fold.test)
    choice = ", after that choice of clips," if job.selection.describe() else ""
    hint = "choose other clips" if choice else f"fetch all of it: ser download {corpus.name}"
    whole = all(fold.train and fold.dev and fold.test for fold in folds)
    if not whole or not all(protocols.part_of(tested, part) for part in protocol.parts):
        raise DataError(
            f"{data}{choice} lacks clips of {corpus.name} that {protocol.name} trains or tests on "
            f"({' and '.join(protocol.parts)})",
            hint=hint,
        )
    for fold in folds:  # of test all folds are scored together, and the score states of what
        parts.checked(Split(fold.train, fold.dev, (), leaky=fold.leaky), hint)
    return folds


def _also(job: EvaluateJob, clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Return the clips to learn from as well: of emotions that the protocol's corpus has."""
    if not job.also:
        return ()
    known = {clip.emotion for clip in clips}
    also = corpora.load(*job.also, as_given=job.labels_as_given)
    return tuple(clip for clip in also if clip.emotion in known)


def _row(
    run: Run, part: str, reports: Sequence[Report], tested: FoldResults, command: str
) -> results.Row:
    """Return the row of a part: of one report, or the mean over draws of enrolled clips."""
    return results.Row(
        recipe=run.work.recipe,
        protocol=run.protocol,
        data=", ".join([part, *run.describe()]),
        corpora="+".join([protocols.corpus_of(run.protocol).name, *run.also]),
        seed=run.work.seed,
        enrol_clips=ENROLLED if len(reports) > 1 else 0,
        settings_from=run.work.origin,
        **results.rates(reports),
        epochs=";".join(map(str, tested.epochs)),
        seconds=round(tested.seconds),
        command=command,
    )
