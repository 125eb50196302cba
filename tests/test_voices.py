"""Directions in which voices differ: found where they were put, and then not heard."""

from __future__ import annotations

from pathlib import Path

import given
import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.training import committee, trainer, voices
from ser_cli.training.dataset import Part
from ser_cli.types import Clip, Preprocessor

EMOTIONS = ("angry", "happy", "sad")
FEATURES = 12
VOICE, EMOTION, HOME = 3, 5, 7  # the columns in which speakers, emotions and corpora differ


def part(
    speakers: int = 4, homes: tuple[str, ...] = ("one",), each: int = 8, column: int = VOICE
) -> Part:
    """Return clips in which each of these differs along a column of its own, beside some noise."""
    rng = np.random.default_rng(0)
    clips, rows = [], []
    for place, home in enumerate(homes):
        for speaker in range(speakers):
            for number, emotion in enumerate(EMOTIONS):
                for take in range(each if (speaker + number) % 2 else 2):  # as uneven as life
                    row = 0.05 * rng.standard_normal(FEATURES)
                    row[column] += 2 * speaker
                    row[EMOTION] += 3 * number
                    row[HOME] += 5 * place
                    path = Path(f"{home}-{speaker}-{number}-{take}.wav")
                    clips.append(Clip(path, emotion, f"{home}/{speaker}", home))
                    rows.append(row[None].astype(np.float32))
    plain = Preprocessor(1, np.zeros(0), np.zeros(0), EMOTIONS)
    return Part(clips, given.Given(rows), plain)


def test_the_direction_of_the_voices_is_found_and_not_that_of_the_emotions() -> None:
    found = voices.directions(part(), 1, first=FEATURES)
    assert found.shape == (FEATURES, 1) and found.dtype == np.float32
    assert abs(found[VOICE, 0]) > 0.99
    assert abs(found[EMOTION, 0]) < 0.05


def test_corpora_differ_in_a_direction_too() -> None:
    found = voices.directions(part(homes=("one", "two")), 2, first=FEATURES)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-5)
    among = np.linalg.norm(found[[VOICE, HOME]], axis=0)
    assert (among > 0.99).all()
    assert np.abs(found[EMOTION]).max() < 0.05


def test_one_speaker_alone_has_no_direction() -> None:
    found = voices.directions(part(speakers=1), 3, first=FEATURES)
    np.testing.assert_array_equal(found, np.zeros((FEATURES, 3)))


def test_only_the_first_values_are_looked_at() -> None:
    assert voices.directions(part(), 1, first=VOICE).shape == (VOICE, 1)


def test_each_fold_has_the_directions_of_its_own_training_clips() -> None:
    from ser_cli.training import search
    from ser_cli.training.session import Work
    from ser_cli.training.settings import resolve

    few = {
        "voices": 1,
        "strict": 1,
        "first": FEATURES,
        "epochs": 1,
        "blanks": 0,
        "synthesised": 0,
        "copies": 0,
    }
    work = Work("voice", resolve(recipes.get("voice")).but(few))
    network = search._networks(work)
    for column in (VOICE, HOME):  # the second fold takes the network of the first
        fold = given.dataset(part(column=column))
        model = network(fold)
        trainer.fit(model, fold, work.settings.train, seed=0)
        (found,) = model.get_layer(f"{recipes.ALONG_VOICES}_0").get_weights()
        assert abs(found[column, 0]) > 0.99


@pytest.mark.parametrize("count", [0, 2])
def test_a_member_does_not_hear_along_the_directions(count: int) -> None:
    system = recipes.get("voice")
    params = {**system.params, "voices": count, "first": FEATURES, "strict": 2}
    model = system.build((1, FEATURES), len(EMOTIONS), params)
    voices.take_off(model, part())
    x = np.random.default_rng(1).standard_normal((5, 1, FEATURES)).astype(np.float32)
    moved = x.copy()
    moved[..., VOICE] += 4
    each = committee.members(model)
    pairs = zip(each.predict_on_batch(x), each.predict_on_batch(moved), strict=True)
    same = [np.allclose(before, after, atol=5e-2) for before, after in pairs]
    assert same == [count > 0] * 2 + [False] * 5  # the others hear everything


def test_every_other_member_takes_off_half_as_many_directions() -> None:
    system = recipes.get("voice")
    params = {**system.params, "voices": 4, "first": FEATURES, "strict": 3}
    model = system.build((1, FEATURES), len(EMOTIONS), params)
    units = [model.get_layer(f"{recipes.ALONG_VOICES}_{number}").units for number in range(3)]
    assert units == [4, 2, 4]
