"""Audio files -> one row per file, or per window: `ser predict`.

A file that fails becomes a row that states why, and the others continue.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import workers
from ser_cli.data import turns
from ser_cli.data.labels import normalise_label
from ser_cli.errors import UsageError
from ser_cli.jobs import limits
from ser_cli.model import artifacts
from ser_cli.model.rows import columns
from ser_cli.model.sources import opened
from ser_cli.model.trained import Hearing, Model
from ser_cli.model.votes import failed
from ser_cli.model.windows import STEP_S, WINDOW_S, hear
from ser_cli.sound.files import STDIN, Passed, find, tell
from ser_cli.sound.fingerprint import of_file
from ser_cli.types import Joining

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.jobs.trained import PredictJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.enrolment import Moments
    from ser_cli.model.windows import Plan
    from ser_cli.sound.files import Found
    from ser_cli.types import Prediction, Progress

    Rows = list[Prediction]

SIDES = {"left": 0, "right": 1}
EACH = "each"
MANY = 128  # files, from which on starting more processes pays on two cores
CHUNK = 8  # files that travel to a worker together
# Fields of the job on which no row depends, or only by what `identity` states besides.
ELSEWHERE = frozenset(
    {"paths", "csv", "out", "as_json", "folder", "recipe", "enrol", "jobs", "report"}
    | {"restart", "force", "speakers"}
)


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
    model = ready(job, trained, executor=executor)
    groups = by_file(job, model, executor=executor, progress=progress)
    return (row for _, rows in groups for row in rows or ())


def ready(job: PredictJob, trained: Artifacts, *, executor: Executor | None = None) -> Model:
    """Return the model as the job asks it to hear: a speaker is enrolled, where one is named.

    Raises:
        UsageError: A length or a label makes no sense.
        ArtifactsError: The model does not fit this version of its recipe, or cannot be loaded.
    """
    model = Model(
        trained, Hearing(labels_of(job.labels), job.min_confidence, hear_all=job.hear_all)
    )
    plan_of(job, model)
    if job.enrol or job.same_speaker or job.same_recording_conditions:
        return _enrolled(job, model, executor)
    return model


def plan_of(job: PredictJob, model: Model) -> Plan:
    """Return how the job's recordings are read, cut and joined.

    Raises:
        UsageError: A length makes no sense, or there is no such channel.
        DataError: The turns of speakers cannot be read.
    """
    if job.timeline and job.speakers:
        raise UsageError(
            "--timeline and --speakers exclude each other", hint="leave one of them out"
        )
    usual = (WINDOW_S, STEP_S) if job.timeline else (None, None)
    asked = (job.window, job.step)
    window, step = (b if a is None else a for a, b in zip(asked, usual, strict=True))
    return replace(
        model.plan(window=window, step=step),
        limits=limits(job),
        voices=_voices(job.channel),
        track=None if job.track is None else job.track - 1,
        turns=turns.read(job.speakers) if job.speakers else {},
        joining=Joining(job.smooth, job.shortest, job.pause) if job.timeline else None,
    )


def _voices(channel: str | None) -> tuple[tuple[str, int | None], ...]:
    """Return who is heard: names of channels, and their numbers from 0.

    Raises:
        UsageError: It is no channel.
    """
    if channel is None:
        return (("", None),)
    if channel == EACH:
        return tuple(SIDES.items())
    if channel in SIDES:
        return ((channel, SIDES[channel]),)
    if channel.isdecimal() and int(channel):
        return ((channel, int(channel) - 1),)
    raise UsageError(
        f"{channel!r} is no channel", hint="--channel left, right, each, or a number from 1"
    )


def by_file(
    job: PredictJob,
    model: Model,
    *,
    skip: Callable[[Found], bool] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Generator[tuple[Found, Rows | None], None, None]:
    """Predict as `predict` does, and yield each file with all its rows.

    Args:
        job: As for `predict`.
        model: From `ready`.
        skip: Asked once for each file, in order, before it is read: one that is skipped has None
            for its rows.
        executor: As for `predict`.
        progress: As for `predict`.
    """
    plan = plan_of(job, model)
    passed = Passed()
    total = _count(job.paths, passed)
    tell(job.paths, passed)
    order: deque[tuple[Found, bool]] = deque()
    items = _left(find(job.paths), skip or (lambda item: False), order)
    labelled = _labelled(items, model, plan, _jobs(job, total, executor), executor)
    return _told(_in_order(order, labelled), total, progress)


def identity(job: PredictJob, model: Model) -> dict[str, Any]:
    """Return what the rows of a recording depend on besides itself, as plain values."""
    from ser_cli import __version__

    enrolled = model.hearing.preprocessor
    arrays = (enrolled.mean, enrolled.scale) if enrolled else ()
    asked = {item.name: getattr(job, item.name) for item in fields(job)}
    relative = any(not Path(path).is_absolute() for path in job.paths)
    return {
        "version of ser": __version__,
        "model": of_file(model.artifacts.folder / artifacts.MANIFEST),
        "enrolled speaker": [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays],
        "folder to start from": str(Path.cwd()) if relative else "",
        "turns": of_file(job.speakers) if job.speakers else "",
        "emotions": columns(model.classes),
        **{name: value for name, value in asked.items() if name not in ELSEWHERE},
    }


def labels_of(text: str | None) -> tuple[str, ...]:
    """Return the emotions of a list like "angry, happy", in the one spelling of each.

    Raises:
        UsageError: There are fewer than two.
    """
    found = tuple(normalise_label(name) for name in (text or "").split(",") if name.strip())
    if text is not None and len({*found}) < 2:
        raise UsageError(
            f"--labels names {len({*found})} emotions, and one must be chosen among some",
            hint="--labels angry,happy,neutral,sad",
        )
    return found


def _enrolled(job: PredictJob, model: Model, executor: Executor | None) -> Model:
    """Return the model with the speaker, or the conditions, of some recordings enrolled."""
    named, plan = job.enrol or job.paths, replace(model.plan(), limits=limits(job))
    jobs = _jobs(job, _count(named), executor)
    if not jobs:
        events = (event for item in opened(find(named)) for event in hear(item, plan))
        return model.enrolled(model.measure(events))
    task = partial(_measure, model.artifacts.folder, plan)
    found = workers.run(task, find(named), workers=jobs, chunk=CHUNK, executor=executor)
    moments = [one.result for one in found if one.result is not None]
    return model.enrolled(sum(moments[1:], moments[0]) if moments else None)


def _jobs(job: PredictJob, total: int, executor: Executor | None) -> int:
    """Return how many processes share the files; 0 where this one alone is as fast, or must."""
    if STDIN in job.paths:  # no other process has it
        return 0
    if executor is not None:
        return job.jobs or workers.CORES
    jobs = min(job.jobs or (workers.CORES if total >= MANY else 1), total)
    return jobs if jobs > 1 else 0


def _label(folder: Path, hearing: bytes, plan: Plan, chunk: Sequence[Found]) -> list[Rows]:
    """Label some files in a worker, which loads the model with its first chunk."""
    return list(_model(folder, hearing).label(chunk, plan))


def _measure(folder: Path, plan: Plan, chunk: Sequence[Found]) -> list[Moments | None]:
    model = _model(folder, pickle.dumps(Hearing()))
    return [model.measure(hear(item, plan)) for item in chunk]


@lru_cache(maxsize=1)
def _model(folder: Path, hearing: bytes) -> Model:
    return Model(artifacts.load(folder), pickle.loads(hearing))


def _count(paths: Sequence[str], passed: Passed | None = None) -> int:
    # Looked through twice: a list of all names would grow with their number.
    return sum(1 for _ in find(paths, passed))


def _labelled(
    items: Iterator[Found], model: Model, plan: Plan, jobs: int, executor: Executor | None
) -> Iterator[Rows]:
    if not jobs:
        yield from model.label(opened(items), plan)
        return
    # As bytes, by which a worker knows that it has this very model.
    task = partial(_label, model.artifacts.folder, pickle.dumps(model.hearing), plan)
    for one in workers.run(task, items, workers=jobs, chunk=CHUNK, executor=executor):
        if one.result is None:  # a timeline may have no row
            yield [failed(one.item.file, f"{one.item.file}: {one.error}")]
        else:
            yield one.result


def _left(
    items: Iterable[Found], skip: Callable[[Found], bool], order: deque[tuple[Found, bool]]
) -> Iterator[Found]:
    """Yield the files that are not skipped, and note all of them in `order`."""
    for item in items:
        skipped = skip(item)
        order.append((item, skipped))
        if not skipped:
            yield item


def _in_order(
    order: deque[tuple[Found, bool]], labelled: Iterable[Rows]
) -> Iterator[tuple[Found, Rows | None]]:
    """Yield the files as they were noted: those labelled with their rows, those skipped without."""
    for rows in labelled:
        while order[0][1]:
            yield order.popleft()[0], None
        yield order.popleft()[0], rows
    yield from ((item, None) for item, _ in order)


def _told(
    groups: Iterable[tuple[Found, Rows | None]], total: int, progress: Progress | None
) -> Generator[tuple[Found, Rows | None], None, None]:
    for done, (item, rows) in enumerate(groups, 1):
        yield item, rows
        if progress:
            progress(done, total, item.file)
