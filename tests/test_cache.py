"""Features are computed once for what a file holds, wherever it lies."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import fake
import numpy as np
import pytest
import soundfile

from ser_cli.data import cache
from ser_cli.sound import augment
from ser_cli.types import Clip

if TYPE_CHECKING:
    from ser_cli.types import Floats, Recipe


def change(waveform: Floats, rng: np.random.Generator, copy: int) -> Floats:
    return augment.noise(waveform, rng, 0.1)


def recipe(**changes: object) -> Recipe:
    return fake.recipe(augment=change, **changes)


def write(path: Path, seed: int, seconds: float = 0.2) -> Clip:
    path.parent.mkdir(parents=True, exist_ok=True)
    hiss = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * fake.RATE))
    soundfile.write(path, hiss, fake.RATE, "PCM_16")
    return Clip(path)


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    return tuple(write(tmp_path / f"{name}.wav", seed) for seed, name in enumerate("cab"))


def test_features_are_those_of_the_recipe_in_the_order_of_the_clips(
    clips: tuple[Clip, ...],
) -> None:
    made = cache.extract(clips, recipe(), jobs=1)
    assert (made.clips, made.failed, made.computed) == (clips, (), 3)
    for clip, features in zip(clips, made.features, strict=True):
        waveform, _ = soundfile.read(clip.path, dtype="float32")
        np.testing.assert_array_equal(features, fake.extract(waveform))


def test_a_second_run_computes_nothing(clips: tuple[Clip, ...]) -> None:
    first = cache.extract(clips, recipe(), jobs=1)
    told: list[tuple[int, int, str]] = []
    second = cache.extract(clips[::-1], recipe(), jobs=1, progress=lambda *step: told.append(step))
    assert (second.computed, told) == (0, [])
    for a, b in zip(first.features, second.features[::-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_moved_and_renamed_file_is_known(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    cache.extract(clips, recipe(), jobs=1)
    moved = tmp_path / "else" / "where.wav"
    moved.parent.mkdir()
    shutil.move(clips[0].path, moved)
    assert cache.extract([Clip(moved)], recipe(), jobs=1).computed == 0


def test_a_changed_file_is_not(clips: tuple[Clip, ...]) -> None:
    before = cache.extract(clips, recipe(), jobs=1)
    write(clips[0].path, 99)
    after = cache.extract(clips, recipe(), jobs=1)
    assert after.computed == 1
    assert not np.array_equal(before.features[0], after.features[0])


def test_recipes_and_their_versions_do_not_share(clips: tuple[Clip, ...]) -> None:
    cache.extract(clips, recipe(), jobs=1)
    assert cache.extract(clips, recipe(version=2), jobs=1).computed == 3
    assert cache.extract(clips, recipe(name="other"), jobs=1).computed == 3


def test_copies_depend_on_seed_number_and_sound_alone(
    clips: tuple[Clip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(copy: int, seed: int) -> Floats:
        return np.concatenate(cache.extract(clips, recipe(), copy=copy, seed=seed, jobs=1).features)

    plain, first = made(0, 0), made(1, 0)
    for other in (plain, made(2, 0), made(1, 1)):
        assert not np.array_equal(first, other)
    np.testing.assert_array_equal(plain, made(0, 5))  # nothing is random in the clip itself
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "anew"))
    alone = cache.extract(clips[2:], recipe(), copy=1, seed=0, jobs=1)
    np.testing.assert_array_equal(alone.features[0], first[-len(alone.features[0]) :])


def test_every_clip_of_a_copy_draws_for_itself(clips: tuple[Clip, ...]) -> None:
    def draw(waveform: Floats, rng: np.random.Generator, copy: int) -> Floats:
        return np.full_like(waveform, rng.uniform(0.1, 1.0))

    made = cache.extract(clips, fake.recipe(augment=draw), copy=1, jobs=1)
    drawn = [float(features[0, 0]) for features in made.features]
    assert len(set(drawn)) == len(clips)


def test_what_fails_is_named_and_the_others_go_on(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    for name in ("broken.wav", "twin.wav"):
        (tmp_path / name).write_bytes(b"RIFF and nothing else")
    broken, twin, absent = (Clip(tmp_path / f"{n}.wav") for n in ("broken", "twin", "absent"))
    made = cache.extract([broken, *clips, absent, twin], recipe(), jobs=1)
    assert (made.clips, made.computed) == (clips, 3)
    assert [path for path, _ in made.failed] == [broken.path, absent.path, twin.path]
    reasons = dict(made.failed)
    assert "no sound that can be decoded" in reasons[broken.path]
    assert "cannot be opened" in reasons[absent.path]
    # The path is beside the reason: a reason that names it says it twice, and the twin's wrongly.
    assert not any(".wav" in reason for reason in reasons.values())


def test_equal_files_are_computed_once(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    shutil.copy(clips[0].path, tmp_path / "twin.wav")
    made = cache.extract([clips[0], Clip(tmp_path / "twin.wav")], recipe(), jobs=1)
    assert (len(made.features), made.computed) == (2, 1)
    np.testing.assert_array_equal(made.features[0], made.features[1])


def test_progress_counts_what_is_missing(clips: tuple[Clip, ...]) -> None:
    cache.extract(clips[:1], recipe(), jobs=1)
    told: list[tuple[int, int, str]] = []
    cache.extract(clips, recipe(), jobs=1, progress=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 2), (2, 2)]
    assert {step[2] for step in told} == {"a.wav", "b.wav"}


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [write(tmp_path / f"{n}.wav", n) for n in range(17)]  # enough to start workers
    apart = cache.extract(many, recipe(), copy=1, jobs=2)
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "anew"))
    here = cache.extract(many, recipe(), copy=1, jobs=1)
    assert apart.computed == here.computed == 17
    for a, b in zip(apart.features, here.features, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_a_recipe_of_fixed_length_cuts_and_pads(seconds: float) -> None:
    fixed = replace(recipe(), duration=1.0)
    made = cache.waveform_features(np.ones(round(seconds * fake.RATE), np.float32), fixed)
    assert len(made) == 1 + fake.RATE // fake.HOP
    heard = made[:, 0].sum() * fake.HOP / fake.RATE
    assert heard == pytest.approx(min(seconds, 1.0), abs=0.01)
