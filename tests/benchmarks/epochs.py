"""Epochs of a training on one core: `python -m benchmarks.epochs COUNT`.

Prints the wall and CPU seconds of each, as JSON; one before them does not count.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise

import numpy as np

from benchmarks.sides import one_core
from ser_cli import recipes
from ser_cli.model import memory
from ser_cli.training import fast_lstm, trainer
from ser_cli.types import Batch

TRAIN, DEV, FRAMES = 1_600, 320, 135


def batch(count: int, features: int, classes: int) -> Batch:
    """Return noise in the shape of features."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, FRAMES, features), dtype=np.float32)
    return Batch(x, rng.integers(0, classes, count), clips=())


def main() -> None:
    count = int(sys.argv[1])
    one_core()
    memory.keep()
    recipe = recipes.get(recipes.DEFAULT)
    trainer.prepare(0, threads=1)
    classes = len(recipe.labels)
    model = fast_lstm.speed_up(recipe.build((FRAMES, recipe.features), classes, recipe.defaults))
    train, dev = (batch(size, recipe.features, classes) for size in (TRAIN, DEV))
    ends: list[tuple[float, float]] = []
    trainer.fit(
        model,
        train,
        dev,
        # Noise teaches nothing: patience must not end it.
        {**recipe.defaults, "epochs": count + 1, "patience": count + 1},
        seed=0,
        on_epoch=lambda _: ends.append((time.perf_counter(), time.process_time())),
    )
    wall, cpu = ([b - a for a, b in pairwise(t)] for t in zip(*ends, strict=True))
    print(json.dumps({"wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
