"""A corpus too large for memory is trained on from the cache, batch by batch, to the same end."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest
import soundfile
from benchmarks import large_corpus

from ser_cli.data import features
from ser_cli.data.features import Features
from ser_cli.data.splits import Split
from ser_cli.sound import augment
from ser_cli.training import dataset, trainer
from ser_cli.types import Clip, Copy, TrainSettings

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats

CLIPS, BATCH = 60, 4
SETTINGS = TrainSettings(epochs=2, batch_size=BATCH, mask_frames=3, copies=1, learning_rate=0.01)


def hiss(waveform: Floats, copy: Copy) -> Floats:
    return augment.noise(waveform, copy.rng, 0.01)


RECIPE = fake.recipe(augment=hiss)


@dataclass
class Alive:
    """How many arrays of features are in memory, and how many were at most."""

    now: int = 0
    peak: int = 0
    read: int = 0

    def load(self, file: Path) -> Floats:
        features: Floats = np.load(file, allow_pickle=False)
        self.now, self.read = self.now + 1, self.read + 1
        self.peak = max(self.peak, self.now)
        weakref.finalize(features, self._gone)
        return features

    def _gone(self) -> None:
        self.now -= 1


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> Alive:
    counted = Alive()
    monkeypatch.setattr(features, "_load", counted.load)
    return counted


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """60 training clips of different lengths and loudness, and 20 to judge by."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(CLIPS + 20):
        emotion, level = (("quiet", 0.05), ("loud", 0.5))[number % 2]
        sound = level * rng.standard_normal(fake.RATE * (2 + number % 5) // 20)
        soundfile.write(tmp_path / f"{number}.wav", sound.clip(-1, 1), fake.RATE, "FLOAT")
        clips.append(Clip(tmp_path / f"{number}.wav", emotion=emotion))
    return Split(tuple(clips[:CLIPS]), tuple(clips[CLIPS:]), (), leaky=False)


def hold(monkeypatch: pytest.MonkeyPatch, n_bytes: int) -> None:
    """Let so many bytes of features be held in memory."""
    monkeypatch.setattr(Features.__init__, "__kwdefaults__", {"held_bytes": n_bytes})
    monkeypatch.setattr(dataset, "HELD_BYTES", n_bytes)


def network(shape: tuple[int, int]) -> keras.Model:
    import keras

    trainer.prepare(0, threads=1)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )


def train(split: Split) -> tuple[trainer.Fit, list[Any], dataset.Dataset]:
    """Train as `ser train` does, from clips to weights."""
    sounds = dataset.load(split, RECIPE, copies=SETTINGS.copies, seed=0, jobs=1)
    data = dataset.assemble(sounds, RECIPE)
    model = trainer.compiled(network(data.shape[:2]), SETTINGS)
    return trainer.fit(model, data, SETTINGS, seed=0), model.get_weights(), data


def test_a_large_corpus_is_trained_to_the_same_weights(
    split: Split, monkeypatch: pytest.MonkeyPatch, alive: Alive
) -> None:
    fit, weights, data = train(split)
    assert data.train.features.held and len(data.train.y) == 2 * CLIPS
    assert alive.read == alive.now == alive.peak == 2 * CLIPS + 20  # each is read once, and stays
    del data
    hold(monkeypatch, 0)
    alive.peak = alive.now
    before = alive.now
    streamed, others, data = train(split)
    assert not data.train.features.held and not data.dev.features.held
    assert streamed == fit
    assert all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))
    assert alive.peak - before <= BATCH


def test_inputs_of_a_small_corpus_are_made_once_and_those_of_a_large_one_anew(
    split: Split, monkeypatch: pytest.MonkeyPatch, alive: Alive
) -> None:
    places = np.array([5, 3, 3])
    for limit, anew in ((2**30, False), (0, True)):
        hold(monkeypatch, limit)
        sounds = dataset.load(split, RECIPE, copies=0, seed=0, jobs=1)
        part = dataset.assemble(sounds, RECIPE).train
        first, read = part.inputs(places), alive.read
        np.testing.assert_array_equal(part.inputs(places), first)
        assert first.shape[0] == 3 and (first[1] == first[2]).all()
        assert (alive.read > read) is anew


def test_features_small_as_files_may_be_large_as_inputs(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padded to one length, and so held only if there is room for that."""
    sounds = dataset.load(split, RECIPE, copies=0, seed=0, jobs=1)
    part = dataset.assemble(sounds, RECIPE).train
    frames, width, _ = dataset.assemble(sounds, RECIPE).shape
    monkeypatch.setattr(dataset, "HELD_BYTES", 4 * frames * width * CLIPS - 1)
    assert part.features.held and not part._is_small()
    monkeypatch.setattr(dataset, "HELD_BYTES", 4 * frames * width * CLIPS)
    assert part._is_small()
    part.features.held = False  # nor are they, if the features themselves are too many
    assert not part._is_small()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[Path]]:
    made = [tmp_path / f"{number}.npy" for number in range(6)]
    for number, file in enumerate(made):
        np.save(file, np.full((3, 2), number, np.float32))
    yield made


def test_clips_and_their_copies_are_held_together_or_not_at_all(
    files: list[Path], alive: Alive
) -> None:
    size = files[0].stat().st_size
    first, second = (Features(half, held_bytes=3 * size) for half in (files[:3], files[3:]))
    assert first.held and second.held
    both = first.select([2, 0]) + second
    assert not both.held
    assert [int(features[0, 0]) for features in both] == [2, 0, 3, 4, 5]
    assert [int(features[0, 0]) for features in both] == [2, 0, 3, 4, 5]
    assert (alive.read, alive.now) == (10, 0)
    roomy = Features(files[:3], held_bytes=6 * size) + Features(files[3:], held_bytes=6 * size)
    assert roomy.held


def test_the_measurement_of_a_large_corpus_runs(tmp_path: Path) -> None:
    files = list(large_corpus.write(tmp_path, 60, distinct=20))
    assert files[0].samefile(files[40]) and not files[0].samefile(files[1])
    measured = large_corpus.measure(files, distinct=20)
    assert measured.clips == 60 and measured.peak_gb > 0.1
    assert str(measured).startswith("60 clips, ")
