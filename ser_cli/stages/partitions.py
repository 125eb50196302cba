"""Recordings -> a Parquet dataset: `ser predict --parquet DIR`.

A task is a partition: whoever labels it writes it, so that no process sees all rows.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ser_cli import workers
from ser_cli.cluster import Cluster
from ser_cli.data.output_folder import folder
from ser_cli.errors import UsageError
from ser_cli.report import dataset, parquet
from ser_cli.report.dataset import Run
from ser_cli.report.partitions import Place, Written, cut
from ser_cli.sound.files import STDIN

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.jobs.trained import PredictJob
    from ser_cli.jobs.work import Work
    from ser_cli.model.trained import Model
    from ser_cli.report.partitions import Labelling
    from ser_cli.sound.files import Found
    from ser_cli.types import Progress

HINT = "name another folder"


def check(job: PredictJob) -> None:
    """Refuse what cannot be, before any work is done.

    Raises:
        UsageError: Another output is named as well, or standard input.
        SerError: pyarrow is not installed.
    """
    if job.csv or job.out or job.as_json:
        raise UsageError(
            "--parquet excludes --csv, --out and --json: no process sees all rows",
            hint="run the command once more without --parquet",
        )
    if STDIN in job.paths:
        raise UsageError(
            f"--parquet resumes where it ended, and {STDIN} is read only once", hint="--csv out.csv"
        )
    parquet.need()


def write(
    work: Work, by: Labelling, *, executor: Executor | None = None, progress: Progress | None = None
) -> Generator[Written, None, None]:
    """Write the rows of recordings, partition by partition, and yield what each holds.

    Args:
        work: What is to be done.
        by: How recordings are labelled.
        executor: Does the work instead of processes of its own.
        progress: Told recordings done, recordings in all, and the partition.

    Raises:
        SerError: The folder holds something else, another process writes to it, or it cannot be
            written to.
    """
    job, place = work.job, folder(work.job.parquet or "")
    facts = json.loads(json.dumps(work.identity()))
    asked = Run(facts, job.paths, dataset.usual_size(by.total, by.workers))
    with place.held(hint=HINT):
        run = dataset.begin(place, asked, size=job.partition, restart=job.restart, force=job.force)
        if isinstance(executor, Cluster):
            executor.must_see([place.name])
        made = Place(place, run.digest, work.model.classes, _metadata(work.model, facts))
        count = done = 0
        for written in _written(made, work.inputs, by, run.size, executor):
            yield written
            count, done = count + 1, done + len(written.entries)
            if progress:
                progress(done, by.total, written.name, "files")
        dataset.end(place, run, count)


def _written(
    place: Place, found: Iterable[Found], by: Labelling, size: int, executor: Executor | None
) -> Iterator[Written]:
    task = workers.one_by_one(partial(place.write, by.label))
    some = workers.run(task, cut(found, size), workers=by.workers, ordered=False, executor=executor)
    for one in some:
        # Where its process has died, each recording is labelled in one that may die for it alone.
        yield one.result or place.write(by.alone, one.item)


def _metadata(model: Model, facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        "ser.version": facts["version of ser"],
        "ser.recipe": model.artifacts.recipe,
        "ser.model": facts["model"],
    }
