"""A corpus -> the features of a recipe, in the cache that every other stage reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ser_cli import recipes
from ser_cli.data import cache, select
from ser_cli.errors import DataError
from ser_cli.report import table as feature_table
from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class Summary:
    """What `extract` did: numbers of clips, frames and failures, and rows and columns written."""

    recipe: str
    clips: int
    computed: int
    frames: int
    features: int
    failed: tuple[tuple[Path, str], ...]
    table: tuple[int, int] | None = None


def extract(
    data: str,
    *,
    recipe: str = recipes.DEFAULT,
    selection: select.Selection = select.ALL,
    copies: int = 0,
    seed: int = 0,
    table: Path | None = None,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Summary:
    """Extract the features of every clip, and of `copies` augmented copies of each.

    Args:
        data: What `corpora.load` takes.
        recipe: Its name.
        selection: Which clips.
        copies: Augmented copies of each clip.
        seed: Of the copies, and of the selection.
        table: .csv or .parquet to write the features of the recordings to, without the copies.
        jobs: Worker processes; -1 is one a core.
        progress: Told how many of the missing ones are done.

    Raises:
        SerError: There is no such corpus or recipe, no clip for a table, or no such table.
    """
    if table:
        feature_table.check(table)
    system, clips = recipes.get(recipe), select.load(data, selection, seed=seed)
    made = [
        cache.extract(clips, system, copy=copy, seed=seed, jobs=jobs, progress=progress)
        for copy in range(copies + 1)
    ]
    plain = made[0]
    if table and not plain.clips:
        raise DataError("no clip can be read, so there is no table", hint="look without --table")
    return Summary(
        recipe=recipe,
        clips=len(plain.clips),
        computed=sum(part.computed for part in made),
        frames=sum(len(features) for features in plain.features),
        features=system.features,
        failed=plain.failed,
        table=feature_table.write(table, plain.clips, plain.features, system) if table else None,
    )
