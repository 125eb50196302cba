"""What the recipes are: where each comes from, what goes into its network, how large that is."""

from __future__ import annotations

from dataclasses import dataclass

from ser_cli import recipes
from ser_cli.data.corpora import EMOTIONS
from ser_cli.training import trainer

ANY_FRAMES = 128  # stands in where the length is learned: no layer's size depends on it then


@dataclass(frozen=True, slots=True)
class Summary:
    """A recipe in numbers.

    Attributes:
        name: What `--recipe` takes.
        source: The document it comes from.
        sample_rate: Hz.
        duration: Seconds that are heard at once, None where the clips decide.
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


def describe() -> tuple[Summary, ...]:
    """Return all recipes, sorted by name; their networks are built to be counted."""
    trainer.prepare(0)
    return tuple(map(_summary, recipes.names()))


def _summary(name: str) -> Summary:
    recipe = recipes.get(name)
    shape = (recipe.frames or ANY_FRAMES, recipe.features)
    network = recipe.build(shape, len(EMOTIONS), recipe.defaults)
    return Summary(
        name=name,
        source=recipe.source,
        sample_rate=recipe.sample_rate,
        duration=recipe.duration,
        frames=recipe.frames,
        features=recipe.features,
        parameters=network.count_params(),
    )
