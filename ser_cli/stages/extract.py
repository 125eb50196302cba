"""A corpus -> the features of a recipe, in the cache that every other stage reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ser_cli import recipes
from ser_cli.data import cache, select
from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class Summary:
    """What `extract` did: numbers of clips, frames and failures."""

    recipe: str
    clips: int
    computed: int
    frames: int
    features: int
    failed: tuple[tuple[Path, str], ...]


def extract(
    data: str,
    *,
    recipe: str = recipes.DEFAULT,
    selection: select.Selection = select.ALL,
    copies: int = 0,
    seed: int = 0,
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
        jobs: Worker processes; -1 is one a core.
        progress: Told how many of the missing ones are done.

    Raises:
        SerError: There is no such corpus or recipe.
    """
    system, clips = recipes.get(recipe), select.load(data, selection, seed=seed)
    made = [
        cache.extract(clips, system, copy=copy, seed=seed, jobs=jobs, progress=progress)
        for copy in range(copies + 1)
    ]
    return Summary(
        recipe=recipe,
        clips=len(made[0].clips),
        computed=sum(part.computed for part in made),
        frames=sum(len(features) for features in made[0].features),
        features=system.features,
        failed=made[0].failed,
    )
