"""Training steps of a recipe's network on one core: `python -m benchmarks.steps RECIPE COUNT`.

Keras's own layers (A) and ours (B) in turn, the same weights and clips; prints the seconds of each
block of steps and the losses both end with, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from benchmarks.sides import one_core
from ser_cli import process, recipes
from ser_cli.data.labels import EMOTIONS
from ser_cli.training import fast_lstm, settings, trainer

if TYPE_CHECKING:
    import keras

    from ser_cli.recipes import Recipe

CLIPS = 80  # a block of steps learns from as many, or from one batch
WARM_UP = 2


def network(recipe: Recipe, *, plain: bool) -> keras.Model:
    """Return the network, ready to be trained; `plain` leaves its layers to Keras."""
    trainer.prepare(0, threads=1)
    # So that both sides learn the same; the rate of its document, since at a lower one a wrong
    # gradient would hardly show in the losses.
    chosen = settings.resolve(recipe).but({"dropout": 0.0, "learning_rate": 1e-4})
    model = recipe.build((recipe.frames or 1, recipe.frontend.width), len(EMOTIONS), chosen.params)
    with patch.object(fast_lstm, "speed_up", lambda model: model) if plain else nullcontext():
        return trainer.compiled(model, chosen.train)


def main() -> None:
    recipe, count = recipes.get(sys.argv[1]), int(sys.argv[2])
    one_core()
    process.prepare()
    rng = np.random.default_rng(0)
    size = recipe.train.batch_size
    steps = max(1, CLIPS // size)
    x = rng.standard_normal((size, recipe.frames or 1, recipe.frontend.width), dtype=np.float32)
    y = rng.integers(0, len(EMOTIONS), size)
    sides = {"A": network(recipe, plain=True), "B": network(recipe, plain=False)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, float] = {}
    for block in range(count + 1):
        for name, model in sides.items():
            started = time.perf_counter()
            for _ in range(steps if block else WARM_UP):
                losses[name] = float(model.train_on_batch(x, y))
            seconds[name] += [(time.perf_counter() - started) / steps] if block else []
    print(json.dumps({"seconds": seconds, "losses": losses}))


if __name__ == "__main__":
    main()
