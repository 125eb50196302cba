"""Is a claim of 93.9 % a leak? `python tests/benchmarks/copies_before_split.py FOLDER`.

The document of `mfcc-cnn1d` has augmented copies and a random split, and leaves open which came
first. Here the copies come first, as clips of their own, so that most test clips have a twin in
training. The folder keeps clips and training; the same command resumes. What it prints is no
result of the network: it tells what such a leak is worth.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from ser_cli import workers
from ser_cli.data import corpora
from ser_cli.data.store import write_csv
from ser_cli.recipes import mfcc_cnn1d
from ser_cli.sound import audio
from ser_cli.types import Clip, Copy

RECIPE = mfcc_cnn1d.RECIPE


def make(folder: Path, copies: int, seed: int) -> Path:
    """Write every clip of RAVDESS and copies of it, and a table of them; return the table."""
    clips = corpora.load("ravdess")
    task = workers.one_by_one(partial(write, folder, copies, seed))
    for outcome in workers.run(task, enumerate(clips), workers=workers.CORES):
        assert not outcome.error, outcome.error
    rows = [
        (path.relative_to(folder).as_posix(), clip.emotion, clip.speaker)
        for clip in clips
        for path in paths(folder, clip, copies)
    ]
    write_csv(folder / "clips.csv", [("file", "emotion", "speaker"), *rows])
    return folder / "clips.csv"


def write(folder: Path, copies: int, seed: int, item: tuple[int, Clip]) -> None:
    """Write a clip and its copies, if they are not there yet."""
    place, clip = item
    waveform = audio.load(clip.path, sample_rate=RECIPE.frontend.sample_rate).waveform
    for number, path in enumerate(paths(folder, clip, copies)):
        if path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        made = waveform
        if number:
            rng = np.random.default_rng([seed, number, place])
            made = mfcc_cnn1d.augment(waveform, Copy(number, rng))
        soundfile.write(path, made, RECIPE.frontend.sample_rate, subtype="FLOAT")


def paths(folder: Path, clip: Clip, copies: int) -> list[Path]:
    """Return where a clip and its copies lie."""
    return [folder / "wav" / f"{clip.path.stem}-{n}.wav" for n in range(copies + 1)]


def main() -> None:
    """Make the clips, train, and print the scores of the test part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=2, help="of each clip")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    table, trained = make(asked.folder, asked.copies, asked.seed), asked.folder / "trained"
    ser = [sys.executable, "-m", "ser_cli"]
    options = {"epochs": asked.epochs, "seed": asked.seed, "threads": asked.threads, "copies": 0}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    train = ["train", "--recipe", RECIPE.name, "--data", str(table), "--split", "random"]
    if not (trained / "manifest.json").is_file():
        subprocess.run([*ser, *train, *words, "--artifacts", str(trained)], check=True)
    subprocess.run([*ser, "evaluate", "--artifacts", str(trained)], check=True)


if __name__ == "__main__":
    main()
