"""Training steps of a network with LSTMs on one core: `python -m benchmarks.steps COUNT`.

Keras's own loop over frames (A) and ours (B) in turn, the same weights and clips; prints the
seconds of each block of steps and the losses both end with, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

from benchmarks.sides import one_core
from ser_cli import recipes
from ser_cli.model import fitting, recurrent

if TYPE_CHECKING:
    import keras

RECIPE, STEPS, WARM_UP = "cnn-lstm-attention", 10, 2


def network(*, plain: bool) -> keras.Model:
    """Return the network, ready to be trained; `plain` leaves its LSTMs to Keras."""
    recipe = recipes.get(RECIPE)
    fitting.prepare(0, threads=1)
    settings = {**recipe.defaults, "dropout": 0.0}  # so that both sides learn the same
    model = recipe.build((recipe.frames or 1, recipe.features), len(recipe.labels), settings)
    with patch.object(recurrent, "speed_up", lambda _: None) if plain else patch.dict({}):
        fitting.compiled(model, settings)
    return model


def main() -> None:
    count = int(sys.argv[1])
    one_core()
    recipe, rng = recipes.get(RECIPE), np.random.default_rng(0)
    size = recipe.defaults["batch_size"]
    x = rng.standard_normal((size, recipe.frames or 1, recipe.features), dtype=np.float32)
    y = rng.integers(0, len(recipe.labels), size)
    sides = {"A": network(plain=True), "B": network(plain=False)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, float] = {}
    for block in range(count + 1):
        for name, model in sides.items():
            started = time.perf_counter()
            for _ in range(STEPS if block else WARM_UP):
                losses[name] = float(model.train_on_batch(x, y))
            seconds[name] += [(time.perf_counter() - started) / STEPS] if block else []
    print(json.dumps({"seconds": seconds, "losses": losses}))


if __name__ == "__main__":
    main()
