"""A corpus -> the features of a recipe, in the cache that every other stage reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ser_cli.data import cache, mirror, select
from ser_cli.errors import DataError
from ser_cli.jobs import limits
from ser_cli.report import rows, table

if TYPE_CHECKING:
    from ser_cli.cluster import Cluster
    from ser_cli.jobs.clips import ExtractJob
    from ser_cli.types import Failures, Progress


@dataclass(frozen=True, slots=True)
class ExtractResult:
    """What `extract` did: numbers of clips, frames and failures, and rows and columns written."""

    recipe: str
    clips: int
    computed: int
    frames: int
    features: int
    failed: Failures
    table: tuple[int, int] | None = None


def extract(
    job: ExtractJob, *, cluster: Cluster | None = None, progress: Progress | None = None
) -> ExtractResult:
    """Extract the features of every clip, and of augmented copies of each.

    Args:
        job: What of, and where a table of them goes.
        cluster: Does the work instead of processes.
        progress: Told how many of the missing ones are done.

    Raises:
        SerError: There is no such corpus or recipe, no clip for a table, or no such table.
    """
    if job.table:
        table.check(job.table)
    system = job.system
    clips = select.choose(job.clips(), job.selection, seed=job.seed)
    if cluster:
        cluster.must_see([mirror.shown(clip.path) for clip in clips])
    made = [
        cache.extract(
            clips,
            system.frontend,
            augment=system.augment,
            copy=copy,
            seed=job.seed,
            jobs=cluster or job.jobs,
            limits=limits(job),
            progress=progress,
        )
        for copy in range(job.copies + 1)
    ]
    plain = made[0]
    if job.table and not plain.clips:
        raise DataError("no clip can be read, so there is no table", hint="run it without --table")
    return ExtractResult(
        recipe=job.recipe,
        clips=len(plain.clips),
        computed=sum(part.computed for part in made),
        frames=sum(len(features) for features in plain.features),
        features=system.frontend.width,
        failed=plain.failed,
        table=table.write(job.table, plain.clips, plain.features, system) if job.table else None,
    )


def as_record(result: ExtractResult) -> dict[str, Any]:
    """Return the result as plain values, for JSON."""
    return {**asdict(result), "failed": rows.failures(result.failed)}
