"""Epochs of a training on one core: `python -m benchmarks.epochs COUNT`.

Prints the wall and CPU seconds of each, as JSON; one before them does not count.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.sides import one_core
from ser_cli import process, recipes
from ser_cli.data.features import Features
from ser_cli.data.labels import EMOTIONS
from ser_cli.training import settings, trainer
from ser_cli.training.dataset import Dataset, Part
from ser_cli.types import Clip, Preprocessor

if TYPE_CHECKING:
    from ser_cli.types import Floats

TRAIN, DEV, FRAMES = 1_600, 320, 135


class Noise(Features):
    """Noise in the shape of features, as if it had been read already."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__(())
        rng = np.random.default_rng(0)
        self._noise = rng.standard_normal((count, FRAMES, width), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._noise)

    def __getitem__(self, at: int | slice) -> Floats | list[Floats]:  # type: ignore[override]
        return list(self._noise[at]) if isinstance(at, slice) else self._noise[at]


def part(count: int, width: int, preprocessor: Preprocessor) -> Part:
    """Return clips of noise with emotions drawn for them."""
    drawn = np.random.default_rng(1).choice(EMOTIONS, count)
    clips = [Clip(Path(f"{number}.wav"), str(emotion)) for number, emotion in enumerate(drawn)]
    return Part(clips, Noise(count, width), preprocessor)


def main() -> None:
    count = int(sys.argv[1])
    one_core()
    process.prepare()
    recipe = recipes.get(recipes.DEFAULT)
    width = recipe.frontend.width
    trainer.prepare(0, threads=1)
    # Noise teaches nothing: patience must not end it.
    chosen = settings.resolve(recipe).but({"epochs": count + 1, "patience": count + 1})
    model = recipe.build((FRAMES, width), len(EMOTIONS), chosen.params)
    plain = Preprocessor(FRAMES, np.zeros(width), np.ones(width), EMOTIONS)
    ends: list[tuple[float, float]] = []
    trainer.fit(
        trainer.compiled(model, chosen.train),
        Dataset(part(TRAIN, width, plain), part(DEV, width, plain), plain),
        chosen.train,
        seed=0,
        on_epoch=lambda _: ends.append((time.perf_counter(), time.process_time())),
    )
    wall, cpu = ([b - a for a, b in pairwise(t)] for t in zip(*ends, strict=True))
    print(json.dumps({"wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
