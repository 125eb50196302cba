"""Several corpora in one training: what a clip is evidence of, what it weighs, what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import given
import keras
import numpy as np
import pytest

from ser_cli.training import evidence, losses
from ser_cli.training.dataset import Part
from ser_cli.types import Clip, Preprocessor, TrainSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = ("calm", "happy", "sad")
# Of two corpora, one without calm.
CLIPS = [
    *(Clip(Path(f"a{n}"), emotion=name, corpus="a") for n, name in enumerate(CLASSES * 2)),
    *(Clip(Path(f"b{n}"), emotion="happy", corpus="b") for n in range(3)),
    Clip(Path("b9"), emotion="sad", corpus="b"),
]


def part(clips: Sequence[Clip]) -> Part:
    plain = Preprocessor(1, np.zeros(0), np.zeros(0), CLASSES)
    x = np.zeros((len(clips), 1, 2), np.float32)
    return Part(clips, given.Given(list(x)), plain)


def test_a_corpus_knows_its_own_emotions_alone() -> None:
    known = evidence.known(CLIPS, CLASSES)
    assert known[:6].all() and known[6:].tolist() == [[False, True, True]] * 4
    assert evidence.known([], CLASSES).shape == (0, 3)


def test_a_lone_corpus_is_told_of_every_class() -> None:
    happy = [Clip(Path("x"), emotion="happy"), Clip(Path("y"), emotion="sad")]
    assert evidence.known(happy, CLASSES).all()


def test_without_shares_every_clip_weighs_the_same() -> None:
    assert evidence.weights(CLIPS, {}, by_class=False).tolist() == [1.0] * 10


def test_a_corpus_weighs_what_it_is_given_and_its_classes_alike() -> None:
    found = evidence.weights(CLIPS, {"a": 1.0, "b": 0.5}, by_class=True)
    a, b = found[:6], found[6:]
    assert found.mean() == pytest.approx(1)
    assert a.sum() == pytest.approx(2 * b.sum())
    assert b[:3].sum() == pytest.approx(b[3])
    assert len(set(np.round(a, 6).tolist())) == 1
    unnamed = evidence.weights(CLIPS, {"b": 1.0}, by_class=True)  # a corpus not named has 1
    assert unnamed[:6].sum() == pytest.approx(unnamed[6:].sum())


def test_classes_weigh_alike_within_each_corpus_without_shares() -> None:
    found = evidence.weights(CLIPS, {}, by_class=True)
    np.testing.assert_allclose(found[:6], 1)
    np.testing.assert_allclose(found[6:], [4 / 6] * 3 + [2], rtol=1e-6)


def test_a_clip_is_told_what_it_can_be() -> None:
    told = losses.targets(part(CLIPS), TrainSettings(label_smoothing=0.3))
    np.testing.assert_allclose(told[0], [0.8, 0.1, 0.1])
    np.testing.assert_allclose(told[9], [losses.UNKNOWN, 0.15, 0.85])
    plain = part(CLIPS[:6])
    assert losses.targets(plain, TrainSettings()).tolist() == plain.y.tolist()
    assert losses.of(plain, TrainSettings()).name == "sparse_categorical_crossentropy"
    assert losses.of(part(CLIPS), TrainSettings()) is losses.among_known


def test_an_unknown_class_counts_neither_for_nor_against() -> None:
    told = losses.targets(part(CLIPS), TrainSettings())[[0, 9, 9]]
    said = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.8, 0.1, 0.1]], np.float32)
    found = np.asarray(losses.among_known(told, said))
    np.testing.assert_allclose(found, -np.log([0.5, 0.5, 0.5]), rtol=1e-5)


def test_where_all_is_known_the_loss_is_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(3), 5).astype(np.float32)
    y = np.array([0, 1, 2, 1, 0])
    expected = keras.losses.sparse_categorical_crossentropy(y, said)
    told = np.eye(3, dtype=np.float32)[y]
    np.testing.assert_allclose(losses.among_known(told, said), expected, rtol=1e-5)


def test_a_sound_without_speech_is_every_emotion_alike() -> None:
    heard = part([*CLIPS[:6], Clip(Path(), corpus=evidence.NO_SPEECH)])
    assert heard.y.tolist() == [0, 1, 2, 0, 1, 2, -1] and heard.known.all()
    told = losses.targets(heard, TrainSettings())
    np.testing.assert_allclose(told[6], 1 / 3)
    assert told[0].tolist() == [1, 0, 0]
    shares = {"a": 1.0, evidence.NO_SPEECH: 0.25}
    found = evidence.weights(heard.clips, shares, by_class=True)
    assert found[6] == pytest.approx(found[:6].sum() / 4)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("calm", "happy", "neutral"), [0.5, 0, 0.5]),
        (("angry", "calm", "happy"), [0, 1, 0]),
        (("angry", "happy", "sad"), [1 / 3, 1 / 3, 1 / 3]),  # no class for what is no feeling
    ],
)
def test_a_machine_feels_nothing(classes: tuple[str, ...], told: list[float]) -> None:
    clips = [Clip(Path(name), name, corpus="a") for name in classes]
    clips += [Clip(Path("b"), classes[0], corpus="b"), Clip(Path(), corpus=evidence.SYNTHESISED)]
    plain = Preprocessor(1, np.zeros(0), np.zeros(0), classes)
    heard = Part(clips, given.Given(list(np.zeros((5, 1, 2), np.float32))), plain)
    found = losses.targets(heard, TrainSettings(label_smoothing=0.1))
    np.testing.assert_allclose(found[4], told, atol=1e-6)
    # What people say stays what it is, smoothed over all that their corpus knows.
    np.testing.assert_allclose(found[0], np.array([0.9, 0, 0]) + 0.1 / 3, atol=1e-6)
    np.testing.assert_allclose(found[3], [1, losses.UNKNOWN, losses.UNKNOWN], atol=1e-6)
