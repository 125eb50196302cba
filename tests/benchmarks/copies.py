"""What the leak audit finds of changed copies: `python tests/benchmarks/copies.py`.

Every 40th clip of RAVDESS is looked up among all 2,452, under each condition of `ser evaluate
--robustness`; and each one, unchanged, among the others of its speaker. Two files of actor 07 hold
one recording, as published.
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
    finder = Finder(Known.of(prints[clip.segment] for clip in clips))
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
    mistaken = []
    for who in dict.fromkeys(clip.speaker for clip in clips):
        own = [clip for clip in clips if clip.speaker == who]
        for clip in own:
            others = Known.of(prints[other.segment] for other in own if other is not clip)
            if Finder(others).match(prints[clip.segment]) is not None:
                mistaken.append(clip.path.stem)
    print(f"{len(clips)} among the others of the same voice, mistaken: {' '.join(mistaken)}")


if __name__ == "__main__":
    main()
