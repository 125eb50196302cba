"""What the leak audit finds of changed copies: `python tests/benchmarks/copies.py`.

Every 40th clip of RAVDESS is looked up among all 2,452, under each condition of `ser evaluate
--robustness`; and every second one, unchanged, among those that it is not one of.
"""

from __future__ import annotations

import numpy as np
import soxr

from ser_cli.data import corpora, duplicates
from ser_cli.data.duplicates import Finder, Known
from ser_cli.sound import audio, conditions
from ser_cli.sound.soundprint import SAMPLE_RATE, soundprint
from ser_cli.types import Copy

EVERY = 40
RATE = 16_000  # Hz, at which the conditions are made


def main() -> None:
    """Print a line per condition: clips asked about, found, and mistaken for another."""
    clips = corpora.load("ravdess")
    prints = duplicates.prints(clips)
    finder = Finder(Known.of(prints[clip.path] for clip in clips))
    asked = range(0, len(clips), EVERY)
    waves = {number: audio.load(clips[number].path, sample_rate=RATE).waveform for number in asked}
    for name in conditions.CONDITIONS:
        rng, found = np.random.default_rng(0), []
        for number, wave in waves.items():
            changed = conditions.under(name, RATE, wave, Copy(1, rng))
            low = soxr.resample(changed, RATE, SAMPLE_RATE).astype(np.float32)
            found.append((number, finder.match(soundprint(low))))
        right = sum(place == number for number, place in found)
        wrong = sum(place not in (number, None) for number, place in found)
        print(f"{name:32} asked {len(found)}, found {right}, mistaken {wrong}", flush=True)
    for half in (0, 1):
        others = Finder(Known.of(prints[clip.path] for clip in clips[half::2]))
        alike = [c for c in clips[1 - half :: 2] if others.match(prints[c.path]) is not None]
        names = " ".join(clip.path.stem for clip in alike)
        print(f"{len(clips[1 - half :: 2])} other recordings: mistaken {len(alike)} {names}")


if __name__ == "__main__":
    main()
