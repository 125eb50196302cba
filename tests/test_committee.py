"""Members of a network: each learns by itself, and dev says which are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import given
import keras
import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.recipes import BELIEF, GATE, SPARED
from ser_cli.recipes.voice import _vote
from ser_cli.training import committee, trainer
from ser_cli.training.dataset import Dataset, Part
from ser_cli.types import Clip, Preprocessor, TrainSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

EMOTIONS = ("angry", "happy", "sad")
CLEAN = np.zeros(64, bool)


def network(
    members: int, *, believed: int, spared: int = 0
) -> tuple[keras.Model, list[keras.Model]]:
    """Return a network of so many members, some of them spared, and each of them alone."""
    inputs = keras.Input((1, 20))
    flat = keras.layers.Flatten()(inputs)
    names = [None] * (members - spared) + [f"{SPARED}_{number}" for number in range(spared)]
    said = [keras.layers.Dense(3, activation="softmax", name=name)(flat) for name in names]
    gate = keras.layers.Dense(2, activation="softmax", name=GATE)(flat) if spared else None
    model = keras.Model(inputs, _vote(keras.layers, said, gate))
    first = (np.arange(members) < believed) / believed
    model.get_layer(BELIEF).set_weights([np.column_stack([first] * (2 if spared else 1))])
    return model, [keras.Model(inputs, one) for one in said]


def test_each_member_learns_by_itself() -> None:
    trainer.prepare(0, 1)
    bare, members = network(3, believed=2)
    model = trainer.compiled(bare, replace(TrainSettings(), learning_rate=0.01))
    learner = committee.Learner(model)
    assert learner.optimizer is model.optimizer
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 1, 20)).astype(np.float32)
    y = (x[:, 0, 0] > 0).astype(np.int64) + (x[:, 0, 1] > 0.5)
    weights = rng.uniform(0.5, 1.5, 64).astype(np.float32)

    def losses() -> list[float]:
        said = [member.predict_on_batch(x)[np.arange(64), y] for member in members]
        return [float((-np.log(share) * weights).mean()) for share in said]

    before = losses()
    told = learner.step(x, y, weights, CLEAN)
    assert told == pytest.approx(np.mean(before), rel=1e-4)
    for _ in range(150):
        learner.step(x, y, weights, CLEAN)
    assert max(losses()) < 0.5 * min(before)  # also the one that is not believed
    mean = np.mean([member.predict_on_batch(x) for member in members[:2]], axis=0)
    np.testing.assert_allclose(model.predict_on_batch(x), mean, atol=1e-6)


def shares(*likelihoods: NDArray[Any], weights: NDArray[Any] | None = None) -> Floats:
    """Return how much members are believed, each of which says so much for what the clips are."""
    count = len(likelihoods[0])
    counts = np.ones(count) if weights is None else weights
    return committee.shares(np.array(likelihoods), counts.astype(np.float32))


def test_who_is_right_is_believed() -> None:
    right, guess = np.full(1000, 0.9), np.full(1000, 0.2)
    found = shares(guess, right, guess)
    assert found[1] > 0.95 and found.sum() == pytest.approx(1, abs=1e-6)


def test_members_who_are_right_about_different_clips_are_both_believed() -> None:
    first = np.tile([0.9, 0.1], 500)
    found = shares(first, first[::-1], np.full(1000, 0.1))
    np.testing.assert_allclose(found[:2], 0.5, atol=0.02)


def test_few_clips_move_little() -> None:
    found = shares(np.array([0.9]), np.array([0.1]))
    assert 0.5 < found[0] < 0.53


def test_what_weighs_nothing_says_nothing() -> None:
    first = np.repeat([0.9, 0.1], 500)
    found = shares(first, 1 - first, weights=np.repeat([2.0, 0.0], 500))
    assert found[0] > 0.9


def test_no_member_is_ruled_out_by_a_single_clip() -> None:
    surprised = np.append(np.full(499, 0.6), 0.0)
    assert shares(surprised, np.full(500, 0.3))[0] > 0.9


def dev(members: list[keras.Model], *, like: int) -> Part:
    """Return clips that are what one of the members says they are."""
    rows = np.random.default_rng(0).standard_normal((200, 1, 20)).astype(np.float32)
    said = members[like].predict_on_batch(rows).argmax(axis=1)
    clips = [Clip(Path(f"{n}.wav"), EMOTIONS[label], "one/1") for n, label in enumerate(said)]
    return Part(clips, given.Given(list(rows)), Preprocessor(1, np.zeros(0), np.zeros(0), EMOTIONS))


def test_dev_says_who_is_believed_and_another_network_may_follow() -> None:
    trainer.prepare(0, 1)
    model, members = network(3, believed=2)
    part = dev(members, like=2)
    np.testing.assert_allclose(model.get_layer(BELIEF).get_weights()[0].ravel(), [0.5, 0.5, 0])
    believe(model, part)
    believed = model.get_layer(BELIEF).get_weights()[0].ravel()
    assert believed.argmax() == 2 and believed[2] > 0.8
    other, _ = network(3, believed=2)
    committee.believe_as(other, model)
    np.testing.assert_array_equal(other.get_layer(BELIEF).get_weights()[0].ravel(), believed)


def test_without_dev_the_member_who_knows_speakers_is_not_believed() -> None:
    system = recipes.get("voice")
    bare = system.build((1, 20), 3, {**system.params, "first": 12})
    model = trainer.compiled(bare, TrainSettings())
    x, y = np.ones((6, 1, 20), np.float32), np.arange(6) % 3
    trainer.fit(model, given.dataset(given.part(x, y)), TrainSettings(epochs=1), seed=0)
    believed = model.get_layer(BELIEF).get_weights()[0].ravel()
    np.testing.assert_allclose(believed[::2], [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0])
    np.testing.assert_array_equal(believed[::2], believed[1::2])  # whatever it sounds like


def believe(model: keras.Model, part: Part) -> None:
    """Let clips that weigh the same say how far members are believed."""
    learner = committee.Learner(trainer.compiled(model, TrainSettings()))
    learner.believe(part, np.ones(len(part.y), np.float32))


def fixed(*said: Sequence[float]) -> keras.Model:
    """Return a network whose members say the same of all clips."""
    model, members = network(len(said), believed=len(said))
    for member, probabilities in zip(members, said, strict=True):
        member.set_weights([np.zeros((20, 3)), np.log(probabilities)])
    return model


def test_an_emotion_that_a_corpus_lacks_is_no_evidence_against_a_member() -> None:
    trainer.prepare(0, 1)
    model = fixed((0.45, 0.05, 0.5), (0.6, 0.38, 0.02))
    clips = [Clip(Path(f"{n}.wav"), "angry", corpus="two") for n in range(100)]
    clips += [Clip(Path("happy.wav"), "happy", corpus="two")]
    clips += [Clip(Path("sad.wav"), "sad", corpus="one")]
    rows = [np.zeros((1, 20), np.float32)] * len(clips)
    part = Part(clips, given.Given(rows), Preprocessor(1, np.zeros(0), np.zeros(0), EMOTIONS))
    believe(model, part)
    assert model.get_layer(BELIEF).get_weights()[0].argmax() == 0


def test_the_scores_of_an_epoch_are_those_of_the_members_that_dev_believes() -> None:
    trainer.prepare(0, 1)
    bare, members = network(2, believed=1)
    part = dev(members, like=1)
    slow = TrainSettings(epochs=1, learning_rate=1e-6)
    model = trainer.compiled(bare, slow)
    one = Dataset(part, part, Preprocessor(1, np.zeros(0), np.zeros(0), EMOTIONS))
    fit = trainer.fit(model, one, slow, seed=0)
    assert fit.history[0]["dev_accuracy"] > 0.95
    assert model.get_layer(BELIEF).get_weights()[0].argmax() == 1


def noisy(count: int) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Return inputs, half of which are degraded: their label is told by another feature."""
    x = np.random.default_rng(0).standard_normal((count, 1, 20)).astype(np.float32)
    degraded = np.arange(count) % 2 == 0
    x[degraded, 0, 9] += 9
    y = np.where(degraded, x[:, 0, 1] > 0, x[:, 0, 0] > 0).astype(np.int64)
    return x, degraded, y


def test_members_are_spared_what_is_degraded_and_the_gate_tells_it() -> None:
    trainer.prepare(0, 1)
    bare, members = network(3, believed=1, spared=2)
    model = trainer.compiled(bare, TrainSettings(learning_rate=0.03))
    learner, (x, degraded, y) = committee.Learner(model), noisy(64)
    for _ in range(300):
        learner.step(x, y, np.ones(64, np.float32), degraded)
    for n, member in enumerate(members):
        right = member.predict_on_batch(x).argmax(axis=1) == y
        assert right[~degraded].mean() > 0.8
        assert (right[degraded].mean() < 0.7) == (n > 0)
    gate = keras.Model(model.inputs, model.get_layer(GATE).output).predict_on_batch(x)
    np.testing.assert_array_equal(gate.argmax(axis=1), degraded)


def test_spared_members_are_believed_of_clean_sounds_alone() -> None:
    trainer.prepare(0, 1)
    model, members = network(3, believed=2, spared=1)
    model.get_layer(GATE).set_weights([np.eye(20, 2) * 50, np.zeros(2)])
    part = dev(members, like=2)
    clean = part.inputs(np.arange(200))[:, 0, 0] > part.inputs(np.arange(200))[:, 0, 1]
    believe(model, part)
    believed = model.get_layer(BELIEF).get_weights()[0]
    assert believed[2, 0] > 0.7 and believed[2, 1] == 0
    np.testing.assert_allclose(believed.sum(axis=0), 1, atol=1e-6)
    heard = part.inputs(np.arange(200))
    said = np.array([member.predict_on_batch(heard) for member in members])
    expected = np.tensordot(believed.T, said, axes=1)  # (2, N, C)
    mixed = np.where(clean[:, None], expected[0], expected[1])
    sure = np.abs(heard[:, 0, 0] - heard[:, 0, 1]) > 0.4
    np.testing.assert_allclose(model.predict_on_batch(heard)[sure], mixed[sure], atol=1e-4)


def test_dev_clips_that_do_not_sound_as_recordings_do_say_nothing() -> None:
    trainer.prepare(0, 1)
    model, members = network(2, believed=1, spared=1)
    model.get_layer(GATE).set_weights([np.zeros((20, 2)), np.array([-50.0, 50.0])])
    believe(model, dev(members, like=1))
    np.testing.assert_allclose(model.get_layer(BELIEF).get_weights()[0], [[0.5, 1], [0.5, 0]])


@pytest.mark.parametrize("clean", [0, 1])
def test_a_member_alone_learns_and_is_believed(clean: int) -> None:
    trainer.prepare(0, 1)
    system = recipes.get("voice")
    few = {"strict": 0, "free": 0, "clean": clean, "first": 12}
    bare = system.build((1, 20), 3, {**system.params, **few})
    model = trainer.compiled(bare, TrainSettings(learning_rate=0.01))
    x = np.random.default_rng(0).standard_normal((90, 1, 20)).astype(np.float32)
    part = given.part(x, (x[:, 0, 0] > 0).astype(np.int64))
    one = Dataset(part, part, Preprocessor(1, np.zeros(0), np.zeros(0), EMOTIONS))
    fit = trainer.fit(model, one, TrainSettings(epochs=8), seed=0)  # more dev clips than a batch
    assert fit.history[-1]["loss"] < fit.history[0]["loss"]
    believed = model.get_layer(BELIEF).get_weights()[0]
    np.testing.assert_allclose(believed.sum(axis=0), 1, atol=1e-6)


def test_a_network_without_members_is_left_alone() -> None:
    inputs = keras.Input((1, 20))
    plain = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    assert not committee.has_members(plain)
    believe(plain, given.part(np.zeros((1, 1, 20), np.float32), np.zeros(1, int)))
    committee.believe_as(plain, plain)


def test_a_network_without_members_learns_as_it_is() -> None:
    trainer.prepare(0, 1)
    inputs = keras.Input((1, 20))
    flat = keras.layers.Flatten()(inputs)
    plain = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(flat))
    model = trainer.compiled(plain, TrainSettings(learning_rate=0.01))
    x = np.random.default_rng(0).standard_normal((64, 1, 20)).astype(np.float32)
    y, ones = (x[:, 0, 0] > 0).astype(np.int64), np.ones(64, np.float32)
    learner = committee.Learner(model)
    losses = [learner.step(x, y, ones, CLEAN) for _ in range(200)]
    assert losses[-1] < 0.5 * losses[0]
