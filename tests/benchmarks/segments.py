"""Time and memory of segments of one long file: python tests/benchmarks/segments.py.

An hour of FLAC is made, and the features of 2,000 parts of it are extracted in this process.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from ser_cli import recipes
from ser_cli.data import cache
from ser_cli.types import Clip

RATE = 16_000
LENGTH_S, STEP_S = 1.7, 1.79  # of a segment, and from one to the next


def hour(path: Path) -> Path:
    """Write an hour of noise that swells, ten seconds at a time."""
    swell = np.abs(np.sin(np.arange(10 * RATE) / RATE))
    noise = 0.2 * swell * np.random.default_rng(0).standard_normal(10 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(360):
            file.write(noise.clip(-1, 1))
    return path


def main() -> int:
    """Print seconds of CPU and the peak of memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", default="stats-dense", choices=recipes.names())
    parser.add_argument("--segments", type=int, default=2_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        os.environ["SER_CACHE_DIR"] = room
        path = hour(Path(room, "hour.flac"))
        starts = [STEP_S * number for number in range(asked.segments)]
        clips = [Clip(path, start=start, end=start + LENGTH_S) for start in starts]
        began = time.process_time()
        made = cache.extract(clips, recipes.get(asked.recipe).frontend, jobs=1)
        took = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(made.clips)} segments, {took:.1f} s of CPU, {peak:.0f} MB at the peak (Linux)")
    return int(len(made.clips) < asked.segments)


if __name__ == "__main__":
    sys.exit(main())
