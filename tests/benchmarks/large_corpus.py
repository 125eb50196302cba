"""What a corpus of 50,000 clips takes to train on: seconds, and memory at its peak.

    python tests/benchmarks/large_corpus.py

The features are made up: 1,000 files of 150 frames x 288 columns, each under fifty names (hard
links). Held in memory, all would take 8.6 GB. The files themselves fit into the system's cache,
so the seconds are those of a machine whose disk is no hindrance; the memory is the process's own.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ != "benchmarks":  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from ser_cli import process

process.prepare()  # as `ser train` does, before NumPy is loaded

import numpy as np  # noqa: E402

if TYPE_CHECKING:
    import keras

FRAMES, COLUMNS = 150, 288
EMOTIONS = ("angry", "calm", "happy", "sad")
LIMIT_GB = 4.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one epoch took: seconds, and the process's memory at its peak in GB."""

    clips: int
    seconds: float
    peak_gb: float

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.clips} clips, {self.seconds:.0f} s, peak {self.peak_gb:.2f} GB"


def write(folder: Path, clips: int, distinct: int) -> Iterator[Path]:
    """Yield the file of each clip's features; a few of them are written, the others are links."""
    rng = np.random.default_rng(0)
    for number in range(clips):
        path = folder / f"{number}.npy"
        if number < distinct:
            features = rng.standard_normal((FRAMES, COLUMNS), dtype=np.float32)
            features[:, number % len(EMOTIONS)] += 1
            np.save(path, features)
        else:
            os.link(folder / f"{number % distinct}.npy", path)
        yield path


def network() -> keras.Model:
    """Return a small network."""
    import keras

    return keras.Sequential(
        [
            keras.Input((FRAMES, COLUMNS)),
            keras.layers.Conv1D(16, 9, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(len(EMOTIONS), activation="softmax"),
        ]
    )


def measure(files: Sequence[Path], distinct: int) -> Measured:
    """Train one epoch on nine tenths of the clips, be judged on the others, and say what it took.

    Length and scaling are learned first, as in every training.
    """
    from ser_cli.data.features import Features
    from ser_cli.model import preprocess
    from ser_cli.training import trainer
    from ser_cli.training.dataset import Dataset, Part
    from ser_cli.types import Clip, TrainSettings

    started, held_out = time.monotonic(), len(files) // 10
    clips = [
        Clip(file, emotion=EMOTIONS[number % distinct % len(EMOTIONS)])
        for number, file in enumerate(files)
    ]
    dev, train = Features(files[:held_out]), Features(files[held_out:])
    fitted = preprocess.fit(train, scale="frame", frames=None, classes=EMOTIONS)
    data = Dataset(
        Part(clips[held_out:], train, fitted), Part(clips[:held_out], dev, fitted), fitted
    )
    settings = TrainSettings(epochs=1, batch_size=32, mask_frames=10)
    trainer.prepare(0)
    done = trainer.fit(trainer.compiled(network(), settings), data, settings, seed=0)
    assert len(done.history) == 1
    return Measured(len(files), time.monotonic() - started, peak_gb())


def peak_gb() -> float:
    """Return the memory that this process held at most, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return whether the memory was too much."""
    parser = argparse.ArgumentParser(description="Train one epoch on a large, made-up corpus.")
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--distinct", type=int, default=1_000, help="files that are no links")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        files = list(write(Path(folder), chosen.clips, chosen.distinct))
        measured = measure(files, chosen.distinct)
    print(measured)
    return int(measured.peak_gb >= LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
