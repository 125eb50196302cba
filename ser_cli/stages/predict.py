"""Audio files -> one row per file, or per window: `ser predict`.

A file that fails becomes a row that states why, and the others continue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.cluster import Cluster
from ser_cli.data.inputs import Inputs, inputs
from ser_cli.data.labels import labels_of
from ser_cli.errors import UsageError
from ser_cli.jobs import limits
from ser_cli.jobs.work import Work
from ser_cli.model.order import Rows, in_order, left
from ser_cli.model.parallel import Crew, chunk_of
from ser_cli.model.readings import EACH, named
from ser_cli.model.sources import read_ahead
from ser_cli.model.trained import Hearing, Model
from ser_cli.model.windows import CUT_IT, STEP_S, WHOLE_ONLY, WINDOW_S, Plan, hear
from ser_cli.remarks import remark
from ser_cli.sound.files import STDIN, Passed, tell
from ser_cli.types import Joining

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.jobs.trained import PredictJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.report.partitions import Labelling
    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction, Progress


MANY = 128  # files, from which on starting more processes pays on two cores


def predict(
    job: PredictJob,
    trained: Artifacts,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Predict the emotion of every file that is named.

    A file longer than what the network takes at once is cut into overlapping windows,
    whose probabilities are averaged (flag "long"). Any other flag, from reading the file,
    makes the status "warning".

    Args:
        job: Files, folders, patterns and tables (see `data.inputs`), and what a row is.
        trained: The trained system, read.
        executor: Does the work instead of processes of its own.
        progress: Told files done, files in all, and the file.

    Returns:
        Rows in the order of the input, as they are made.

    Raises:
        UsageError: The lengths of window and step make no sense.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    work = ready(job, trained, executor=executor)
    groups = by_file(work, executor=executor, progress=progress)
    return (row for _, rows in groups for row in rows or ())


def ready(job: PredictJob, trained: Artifacts, *, executor: Executor | None = None) -> Work:
    """Return what the job asks for: a speaker is enrolled, where one is named.

    Raises:
        UsageError: A length or a label makes no sense, or what is named contradicts itself.
        DataError: A table, or the turns of speakers, cannot be read.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    model = Model(
        trained, Hearing(labels_of(job.labels), job.min_confidence, hear_all=job.hear_all)
    )
    plan = _plan(job, model)
    found = inputs(job.paths)
    found = found.spoken(job.speakers) if job.speakers else found
    _check(job, found)
    work = Work(job, model, plan, found)
    if job.enrol or job.same_speaker or job.same_recording_conditions:
        return replace(work, model=_enrolled(work, executor))
    return work


def _plan(job: PredictJob, model: Model) -> Plan:
    """Return how the job's recordings are read, cut and joined.

    Raises:
        UsageError: A length makes no sense, or there is no such channel.
    """
    window, step = job.window, job.step
    if job.timeline:
        window = WINDOW_S if window is None else window
        step = min(STEP_S, window) if step is None else step
    voice, channel = named(job.channel)
    return replace(
        model.plan(window=window, step=step),
        limits=limits(job),
        channel=channel,
        voice=voice,
        each=job.channel == EACH,
        track=None if job.track is None else job.track - 1,
        joining=Joining(job.smooth, job.shortest, job.pause) if job.timeline else None,
    )


def _check(job: PredictJob, found: Inputs) -> None:
    """Refuse options of which one says what another does.

    Raises:
        UsageError: There are some.
    """
    if job.timeline and job.speakers:
        raise UsageError(
            "--timeline and --speakers exclude each other", hint="leave one of them out"
        )
    if job.timeline and found.has_parts:
        raise UsageError(WHOLE_ONLY, hint=CUT_IT)
    if job.channel == EACH and found.has_speakers:
        raise UsageError(
            "--channel each makes channels the speakers, and others are named already",
            hint="--channel left, or leave out the speakers",
        )


def by_file(
    work: Work,
    *,
    skip: Callable[[Found], bool] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Generator[tuple[Found, Rows | None], None, None]:
    """Predict as `predict` does, and yield each file with all its rows.

    Args:
        work: From `ready`.
        skip: Asked once for each file, in order, before it is read: one that is skipped has None
            for its rows.
        executor: As for `predict`.
        progress: As for `predict`.
    """
    total = _total(work, executor)
    order: deque[tuple[Found, bool]] = deque()
    items = left(work.inputs, skip or (lambda item: False), order)
    labelled = _labelled(items, work, total, executor)
    return _told(in_order(order, labelled), total, progress)


def labelling(work: Work, executor: Executor | None = None) -> Labelling:
    """Return how files are labelled where nobody here needs their rows."""
    from ser_cli.report.partitions import Labelling

    total = _total(work, executor)
    jobs = max(1, _jobs(work.job, total, executor))
    label = Crew(jobs, executor).labeller(work.model, work.plan)
    alone = partial(Crew(2, executor).label, model=work.model, plan=work.plan)
    return Labelling(label, alone, getattr(executor, "width", jobs), total)


def _total(work: Work, executor: Executor | None) -> int:
    """Count the files, and tell what else is in their folders.

    Raises:
        SerError: Workers do not see them.
    """
    passed = Passed()
    total = _count(work.inputs.found(passed))
    if isinstance(executor, Cluster):
        _see(work, executor)
    tell(work.job.paths, passed)
    return total


def _see(work: Work, cluster: Cluster) -> None:
    """Refuse recordings that only this machine has.

    Raises:
        SerError: There are some.
    """
    if STDIN in work.job.paths:
        raise UsageError("a cluster does not see standard input", hint="leave --scheduler out")
    cluster.must_see(found.file for found in work.inputs if not found.error)


def _enrolled(work: Work, executor: Executor | None) -> Model:
    """Return the model with the speaker, or the conditions, of some recordings enrolled.

    Of those that are to be predicted, no more is enrolled than is heard; which of them cannot be
    read, their rows say.
    """
    job, model = work.job, work.model
    plan = replace(work.plan, window=None, step=None, joining=None)
    found: Iterable[Found] = work.inputs
    if job.enrol:
        found, plan = inputs(job.enrol), replace(model.plan(), limits=plan.limits)
    total = _count(found)
    jobs = _jobs(job, total, executor)
    if not jobs:
        events = (event for item in read_ahead(found) for event in hear(item, plan))
        moments = model.measure(events)
    else:
        moments = Crew(jobs, executor, chunk_of(total, executor)).measure(found, model, plan)
    for reason in moments.failed if job.enrol else ():
        remark(f"not enrolled: {reason}")
    return model.enrolled(moments)


def _jobs(job: PredictJob, total: int, executor: Executor | None) -> int:
    """Return how many processes share the files; 0 where this one alone is as fast, or must."""
    if STDIN in job.paths:  # no other process has it
        return 0
    if executor is not None:
        return job.jobs or workers.CORES
    jobs = min(job.jobs or (workers.CORES if total >= MANY else 1), total)
    return jobs if jobs > 1 else 0


def _count(found: Iterable[Found]) -> int:
    # Looked through twice: a list of all names would grow with their number.
    return sum(1 for _ in found)


def _labelled(
    items: Iterator[Found], work: Work, total: int, executor: Executor | None
) -> Iterator[Rows]:
    model, plan = work.model, work.plan
    if not (jobs := _jobs(work.job, total, executor)):
        yield from model.label(read_ahead(items), plan)
        return
    yield from Crew(jobs, executor, chunk_of(total, executor)).label(items, model, plan)


def _told(
    groups: Iterable[tuple[Found, Rows | None]], total: int, progress: Progress | None
) -> Generator[tuple[Found, Rows | None], None, None]:
    if progress:
        progress(0, total, "", "files")
    for done, (item, rows) in enumerate(groups, 1):
        yield item, rows
        if progress:
            progress(done, total, item.file, "files")
