"""Clips and a network to measure with, made before any clock runs; a process of its own.

    python -m benchmarks.material KIND FOLDER [SOURCE]

It runs in the benchmark's own folder, where it finds the corpus and `ser` finds the network.
Every clip is a 16-bit WAV of one channel at 48 kHz, which both sides read. They come from
SOURCE, a folder of recordings, or without one from a synthetic voice. Their names are numbers:
`ser` scores files that are named as RAVDESS names them, which the usual script does not.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from ser_cli.data import corpora
from ser_cli.data.labels import EMOTIONS
from ser_cli.sound import audio
from ser_cli.sound.files import audio_files

if TYPE_CHECKING:
    from ser_cli.types import Floats

    Voice = tuple[Floats, str, str]  # waveform, emotion, speaker

RATE = 48_000
SPEAKERS = 20
EPOCHS = 10
SHORT = 50  # recordings of a second; links make many files of them


def voices(source: Path | None) -> Iterator[Voice]:
    """Yield recordings without end, in an order that is the same on every machine.

    Actors 21 to 24 of RAVDESS are left out, as everywhere but in the last check.
    """
    files = list(audio_files(source)) if source else []
    ravdess = corpora.get("ravdess")
    known = [(path, ravdess.parse(path.stem) or {}) for path in files]
    usable = [(p, n) for p, n in known if n.get("speaker") not in ravdess.held_out]
    if source and not usable:
        sys.exit(f"{source} holds no recordings")
    random.Random(0).shuffle(usable)
    number = 0
    while True:
        path, named = usable[number % len(usable)] if usable else (None, {})
        emotion = named.get("emotion", EMOTIONS[number % len(EMOTIONS)])
        speaker = named.get("speaker", f"{number // len(EMOTIONS) % SPEAKERS:02d}")
        wave = audio.load(path, sample_rate=RATE).waveform if path else synthetic(number, emotion)
        yield wave, emotion, speaker
        number += 1


def synthetic(number: int, emotion: str) -> Floats:
    """Return three to four seconds of a voice: vibrating harmonics in syllables, and breath."""
    rng = np.random.default_rng(number)
    at = np.arange(round(rng.uniform(3, 4) * RATE)) / RATE
    hertz = rng.uniform(90, 220) * (1 + 0.1 * EMOTIONS.index(emotion))
    phase = 2 * np.pi * hertz * (at + 0.01 * np.sin(2 * np.pi * rng.uniform(3, 6) * at))
    tones = sum(np.sin(k * phase) / k ** rng.uniform(1, 1.5) for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(1.5, 3) * at), 0, 1)
    breath = 0.003 * rng.standard_normal(len(at))
    return np.asarray(0.1 * syllables * tones + breath, np.float32)


def corpus(folder: Path, source: Path | None, count: int) -> None:
    """Write as many clips of each emotion, and a table of them with emotion and speaker."""
    share = -(-count // len(EMOTIONS))
    taken: Counter[str] = Counter()
    rows: list[tuple[str, str, str]] = []
    # Not without end, where a folder lacks an emotion.
    for wave, emotion, speaker in islice(voices(source), 20 * count):
        if taken[emotion] < share:
            taken[emotion] += 1
            rows.append((_write(folder, len(rows), wave), emotion, speaker))
        if len(rows) == count:
            break
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("file", "emotion", "speaker"), *rows])


def clips(folder: Path, source: Path | None, count: int) -> None:
    """Write clips no longer than the network hears at once.

    The usual script cuts off the rest, where `ser` goes on and averages.
    """
    from ser_cli import recipes
    from ser_cli.model.artifacts import default_folder

    frames = int(np.load(default_folder(recipes.DEFAULT) / "max_len.npy"))
    longest = int(recipes.get(recipes.DEFAULT).frontend.context(frames) * RATE)
    for number, (wave, _, _) in enumerate(islice(voices(source), count)):
        _write(folder, number, wave[:longest])


def short(folder: Path, source: Path | None, count: int) -> None:
    """Write clips of one second, most of them links to the first few."""
    for number, (wave, _, _) in enumerate(islice(voices(source), SHORT)):
        # From the middle: RAVDESS begins with a second of silence.
        _write(folder, number, wave[-2 * RATE :][:RATE])
    for number in range(SHORT, count):
        one, other = folder / f"{number % SHORT:05d}.wav", folder / f"{number:05d}.wav"
        try:
            os.link(one, other)
        except OSError:  # a file system without links
            shutil.copyfile(one, other)


def waves(folder: Path, source: Path | None, count: int) -> None:
    """Write waveforms as the usual script loads them."""
    import librosa

    loaded: dict[str, Any] = {}
    for number, (wave, _, _) in enumerate(islice(voices(source), count)):
        file = folder / _write(folder, number, wave)
        loaded[str(number)], _ = librosa.load(file, sr=16_000)
    np.savez(folder / "waves.npz", **loaded)


def model(folder: Path, source: Path | None) -> None:
    """Train a network of the shipped model's size for a few epochs on the corpus.

    Its temperature is 1, so that its probabilities are those of the usual script.
    """
    from ser_cli.jobs.training import Split, TrainJob
    from ser_cli.model import artifacts
    from ser_cli.stages.train import train

    del source
    job = TrainJob(
        data=(str(Path("corpus", "clips.csv")),),
        folder=folder,
        split=Split.none,
        params=artifacts.packaged() / "cnn-bilstm" / artifacts.HYPERPARAMETERS,
        epochs=EPOCHS,
        copies=0,
        temperature=1.0,
    )
    train(job)


def wav2vec2(folder: Path, source: Path | None) -> None:
    """Write a network of the size of wav2vec2-base with random weights, as transformers does."""
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
    )

    del source
    config = Wav2Vec2Config(num_labels=len(EMOTIONS))
    Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


KINDS: dict[str, Callable[[Path, Path | None], None]] = {
    "corpus": partial(corpus, count=240),
    "model": model,
    "wav2vec2": wav2vec2,
    "clips-100": partial(clips, count=100),
    "clips-1000": partial(clips, count=1_000),
    "short-200": partial(short, count=200),
    "short-20000": partial(short, count=20_000),
    "waves": partial(waves, count=100),
}


def _write(folder: Path, number: int, wave: Floats) -> str:
    name = f"{number:05d}.wav"
    soundfile.write(folder / name, wave, RATE, "PCM_16")
    return name


def main() -> None:
    kind, folder, *source = sys.argv[1:]
    Path(folder).mkdir(parents=True)
    KINDS[kind](Path(folder), Path(source[0]) if source else None)


if __name__ == "__main__":
    main()
