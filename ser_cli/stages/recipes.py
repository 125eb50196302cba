"""What the recipes are: where each comes from, what goes into its network, how large that is."""

from __future__ import annotations

from dataclasses import dataclass

from ser_cli import recipes
from ser_cli.data.labels import EMOTIONS

ANY_FRAMES = 128  # stands in where the length is learned: no layer's size depends on it then


@dataclass(frozen=True, slots=True)
class RecipeSummary:
    """A recipe in numbers.

    Attributes:
        name: What `--recipe` takes.
        source: The document it comes from.
        sample_rate: Hz.
        duration: Seconds that the network takes at once, None where it depends on the clips.
        frames: T of its input (T, F), None where it is learned from the clips.
        features: F.
        parameters: Of its network for eight emotions, trained ones and running statistics.
    """

    name: str
    source: str
    sample_rate: int
    duration: float | None
    frames: int | None
    features: int
    parameters: int


def describe() -> tuple[RecipeSummary, ...]:
    """Return all recipes, sorted by name; their networks are built to be counted."""
    from ser_cli.training import trainer

    trainer.prepare(0)
    return tuple(map(_summary, recipes.names()))


def _summary(name: str) -> RecipeSummary:
    recipe = recipes.get(name)
    frontend = recipe.frontend
    shape = (recipe.frames or ANY_FRAMES, frontend.width)
    network = recipe.build(shape, len(EMOTIONS), recipe.params)
    return RecipeSummary(
        name=name,
        source=recipe.source,
        sample_rate=frontend.sample_rate,
        duration=frontend.duration,
        frames=recipe.frames,
        features=frontend.width,
        parameters=network.count_params(),
    )
