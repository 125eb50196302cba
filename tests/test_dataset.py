"""Clips -> padded, scaled parts; what is learned is learned from the training part alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import fake
import numpy as np
import pytest
import soundfile

from ser_cli.data.splits import Split
from ser_cli.errors import DataError
from ser_cli.sound import augment
from ser_cli.training import dataset
from ser_cli.training.dataset import Part, SplitFeatures
from ser_cli.training.evidence import NO_SPEECH
from ser_cli.types import Clip, Copy

if TYPE_CHECKING:
    from ser_cli.types import Floats


def louder(waveform: Floats, copy: Copy) -> Floats:
    return augment.noise(waveform + np.float32(0.5), copy.rng, 0.01)


RECIPE = fake.recipe(augment=louder)


def write(path: Path, level: float, seconds: float, emotion: str) -> Clip:
    soundfile.write(path, np.full(round(seconds * fake.RATE), level), fake.RATE, "FLOAT")
    return Clip(path, emotion=emotion)


@pytest.fixture
def split(tmp_path: Path) -> Split:
    train = tuple(
        write(tmp_path / f"t{n}.wav", level, seconds, emotion)
        for n, (level, seconds, emotion) in enumerate(
            [(0.1, 0.1, "quiet"), (0.2, 0.2, "quiet"), (0.3, 0.3, "loud"), (0.4, 0.4, "loud")]
        )
    )
    dev = (write(tmp_path / "d.wav", 0.9, 1.0, "loud"),)
    test = (write(tmp_path / "e.wav", 0.8, 0.2, "quiet"),)
    return Split(train, dev, test, leaky=False)


def load(
    split: Split, *, copies: int = 0, seed: int = 0, oversample: tuple[str, ...] = ()
) -> SplitFeatures:
    return dataset.load(split, RECIPE, copies=copies, seed=seed, oversample=oversample, jobs=1)


def inputs(part: Part) -> Floats:
    """Return all inputs (N, T, F) of a part."""
    return part.inputs(np.arange(len(part.y)))


def fingerprint(split: Split) -> str:
    sounds = load(split)
    return dataset.fingerprint(sounds, sounds.digests())


def test_parts_are_padded_scaled_and_labelled(split: Split) -> None:
    data = dataset.assemble(load(split), RECIPE)
    frames = [10, 20, 30, 40]
    max_len = int(np.percentile(frames, 95))
    assert (data.preprocessor.max_len, data.preprocessor.classes) == (max_len, ("loud", "quiet"))
    train, dev = inputs(data.train), inputs(data.dev)
    assert train.shape == (4, max_len, 2) and dev.shape == (1, max_len, 2)
    assert data.shape == (max_len, 2, 2)
    assert data.train.y.tolist() == [1, 1, 0, 0] and data.dev.y.tolist() == [0]
    assert data.train.clips == split.train and data.dev.clips == split.dev
    # What a scaler is for, on the training part alone.
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, atol=1e-5)
    assert dev[..., 0].mean() > 2


def test_dev_and_test_teach_nothing(split: Split) -> None:
    whole = dataset.assemble(load(split), RECIPE).preprocessor
    alone = dataset.assemble(load(replace(split, dev=(), test=())), RECIPE).preprocessor
    assert whole.max_len == alone.max_len
    np.testing.assert_array_equal(whole.mean, alone.mean)
    np.testing.assert_array_equal(whole.scale, alone.scale)


def test_copies_are_of_training_clips_alone(split: Split) -> None:
    plain, sounds = load(split), load(split, copies=2)
    assert [copied for copied, _ in sounds.copies] == [split.train, split.train]
    numbers = sounds.by_copy()[2]
    assert numbers.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert sounds.split == split
    data = dataset.assemble(sounds, RECIPE)
    train = inputs(data.train)
    assert len(train) == len(data.train.y) == 12 and len(data.dev.y) == 1
    assert data.train.y.tolist() == [1, 1, 0, 0] * 3
    assert data.preprocessor.mean[0] > dataset.assemble(plain, RECIPE).preprocessor.mean[0]
    first, second = train[4:8], train[8:]
    assert not np.array_equal(first, second)
    assert sounds.class_counts() == ({"quiet": 2, "loud": 2}, {"quiet": 6, "loud": 6})
    other = load(split, copies=1, seed=1)
    assert not np.array_equal(other.copies[0][1][0], sounds.copies[0][1][0])


def test_what_is_degraded_is_known_by_the_number_of_the_copy(split: Split) -> None:
    sounds = load(split, copies=2)
    made_up = ((Clip(Path(), corpus=NO_SPEECH),), sounds.of(split.train[:1]))
    sounds = replace(sounds, made_up=made_up)
    second = replace(RECIPE, degrades=lambda number: number == 2)
    for recipe, expected in ((RECIPE, [0] * 12 + [1]), (second, [0] * 8 + [1] * 5)):
        data = dataset.assemble(sounds, recipe)
        assert data.train.degraded.tolist() == [bool(one) for one in expected]
        assert not data.dev.degraded.any()


def test_a_class_is_repeated_with_its_copies_in_training_alone(split: Split) -> None:
    split = replace(split, train=split.train[1:], dev=split.dev, test=split.test)
    (quiet,) = (clip for clip in split.train if clip.emotion == "quiet")
    sounds = load(split, copies=1, oversample=("quiet",))
    assert sounds.repeats == (quiet,) and sounds.split.train == split.train
    assert sounds.class_counts() == ({"quiet": 1, "loud": 2}, {"quiet": 4, "loud": 4})
    data = dataset.assemble(sounds, RECIPE)
    assert data.train.y.tolist() == [1, 0, 0, 1] * 2 and sounds.split.test == split.test
    train = inputs(data.train)
    np.testing.assert_array_equal(train[0], train[3])
    np.testing.assert_array_equal(train[4], train[7])
    plain = load(split, copies=1)
    first, second = (dataset.fingerprint(found, found.digests()) for found in (plain, sounds))
    assert first != second
    assert not np.array_equal(
        dataset.assemble(plain, RECIPE).preprocessor.mean, data.preprocessor.mean
    )


def test_what_cannot_be_read_is_left_out_and_named(split: Split) -> None:
    broken = split.train[0].path
    broken.write_bytes(b"RIFF")
    sounds = load(split, copies=1)
    assert [path for path, _ in sounds.failed] == [broken]
    assert sounds.split.train == split.train[1:] and len(sounds.copies[0][0]) == 3
    assert len(dataset.assemble(sounds, RECIPE).train.y) == 6


def test_nothing_to_learn_from(split: Split) -> None:
    for clip in split.train:
        clip.path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="no training clip can be read"):
        load(split)


def test_an_emotion_that_was_never_learned(split: Split) -> None:
    odd = replace(split, test=(replace(split.test[0], emotion="bored"),))
    with pytest.raises(DataError, match="'bored' is not one of the classes"):
        dataset.assemble(load(odd), RECIPE)


def test_the_fingerprint_follows_sounds_labels_and_parts(split: Split, tmp_path: Path) -> None:
    known = fingerprint(split)
    assert fingerprint(split) == known
    moved = tmp_path / "moved"
    moved.mkdir()

    def move(clips: tuple[Clip, ...]) -> tuple[Clip, ...]:
        return tuple(
            replace(clip, path=clip.path.rename(moved / f"{clip.path.stem}-new.wav"))
            for clip in clips
        )

    split = Split(move(split.train), move(split.dev), move(split.test), leaky=False)
    assert fingerprint(split) == known  # names and places do not count
    others = [
        replace(split, dev=(replace(split.dev[0], emotion="quiet"),)),
        replace(split, test=(replace(split.test[0], emotion="loud"),)),
        replace(split, dev=split.test, test=split.dev),
        replace(split, train=split.train[1:]),
        replace(split, train=split.train[:-1], dev=split.train[-1:] + split.dev),
    ]
    found = {fingerprint(other) for other in others}
    assert len(found) == len(others) and known not in found
