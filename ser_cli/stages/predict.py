"""Audio files -> one row per file, or per window: `ser predict`.

A file that fails becomes a row that states why, and the others continue.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.data.labels import normalise_label
from ser_cli.jobs import limits
from ser_cli.model import artifacts
from ser_cli.model.pipeline import Hearing, Model
from ser_cli.model.votes import failed
from ser_cli.model.windows import Done, hear
from ser_cli.sound.files import Passed, find, tell

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.jobs.trained import PredictJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.enrolment import Moments
    from ser_cli.model.windows import Plan
    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction, Progress

    Rows = list[Prediction]

MANY = 128  # files, from which on starting more processes pays on two cores
CHUNK = 8  # files that travel to a worker together


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
        job: Files, folders and patterns (see `sound.files.find`), and what a row is.
        trained: The trained system, read.
        executor: Does the work instead of processes of its own.
        progress: Told files done, files in all, and the file.

    Returns:
        Rows in the order of the input, as they are made.

    Raises:
        UsageError: The lengths of window and step make no sense.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    model = Model(trained, Hearing(labels_of(job.labels), job.min_confidence))
    plan = replace(model.plan(window=job.window, step=job.step), limits=limits(job))
    if job.enrol or job.same_speaker or job.same_recording_conditions:
        model = _enrolled(job, model, executor)
    passed = Passed()
    total = _count(job.paths, passed)
    tell(job.paths, passed)
    jobs = _jobs(job, total, executor)
    if not jobs:
        return _told(by_file(model.label(find(job.paths), plan)), total, progress)
    # As bytes, by which a worker knows that it has this very model.
    task = partial(_label, trained.folder, pickle.dumps(model.hearing), plan)
    found = workers.run(task, find(job.paths), workers=jobs, chunk=CHUNK, executor=executor)
    return _told(
        (one.result or [failed(one.item.file, f"{one.item.file}: {one.error}")] for one in found),
        total,
        progress,
    )


def classes(job: PredictJob, trained: Artifacts) -> tuple[str, ...]:
    """Return the emotions that are chosen among, in the order of the probabilities."""
    return Model(trained, Hearing(labels_of(job.labels))).classes


def labels_of(text: str | None) -> tuple[str, ...]:
    """Return the emotions of a list like "angry, happy", in the one spelling of each."""
    return tuple(normalise_label(name) for name in (text or "").split(",") if name.strip())


def _enrolled(job: PredictJob, model: Model, executor: Executor | None) -> Model:
    """Return the model with the speaker, or the conditions, of some recordings enrolled."""
    named, plan = job.enrol or job.paths, replace(model.plan(), limits=limits(job))
    jobs = _jobs(job, _count(named), executor)
    if not jobs:
        events = (event for item in find(named) for event in hear(item, plan))
        return model.enrolled(model.measure(events))
    task = partial(_measure, model.artifacts.folder, plan)
    found = workers.run(task, find(named), workers=jobs, chunk=CHUNK, executor=executor)
    moments = [one.result for one in found if one.result is not None]
    return model.enrolled(sum(moments[1:], moments[0]) if moments else None)


def _jobs(job: PredictJob, total: int, executor: Executor | None) -> int:
    """Return how many processes share the files; 0 where this one alone is as fast."""
    if executor is not None:
        return job.jobs or workers.CORES
    jobs = min(job.jobs or (workers.CORES if total >= MANY else 1), total)
    return jobs if jobs > 1 else 0


def _label(folder: Path, hearing: bytes, plan: Plan, chunk: Sequence[Found]) -> list[Rows]:
    """Label some files in a worker, which loads the model with its first chunk."""
    return list(by_file(_model(folder, hearing).label(chunk, plan)))


def by_file(labelled: Iterable[Prediction | Done]) -> Iterator[Rows]:
    """Yield the rows of each file together."""
    rows: Rows = []
    for event in labelled:
        if isinstance(event, Done):
            yield rows
            rows = []
        else:
            rows.append(event)


def _measure(folder: Path, plan: Plan, chunk: Sequence[Found]) -> list[Moments | None]:
    model = _model(folder, pickle.dumps(Hearing()))
    return [model.measure(hear(item, plan)) for item in chunk]


@lru_cache(maxsize=1)
def _model(folder: Path, hearing: bytes) -> Model:
    return Model(artifacts.load(folder), pickle.loads(hearing))


def _count(paths: Sequence[str], passed: Passed | None = None) -> int:
    # Looked through twice: a list of all names would grow with their number.
    return sum(1 for _ in find(paths, passed))


def _told(labelled: Iterable[Rows], total: int, progress: Progress | None) -> Iterator[Prediction]:
    for done, rows in enumerate(labelled, 1):
        yield from rows
        if progress:
            progress(done, total, rows[0].file)
