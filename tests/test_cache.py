"""Features are computed once for what a file holds, wherever it lies."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest
import soundfile
from modules import imported

from ser_cli.data import arrays, cache, store
from ser_cli.errors import DataError
from ser_cli.sound import audio, augment
from ser_cli.sound.frontend import columns
from ser_cli.sound.nothing import nothing
from ser_cli.types import Clip

if TYPE_CHECKING:
    from ser_cli.types import Copy, Floats


def change(waveform: Floats, copy: Copy) -> Floats:
    return augment.noise(waveform, copy.rng, 0.1)


def write(path: Path, seed: int, seconds: float = 0.2) -> Clip:
    path.parent.mkdir(parents=True, exist_ok=True)
    hiss = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * fake.RATE))
    soundfile.write(path, hiss, fake.RATE, "PCM_16")
    return Clip(path)


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    return tuple(write(tmp_path / f"{name}.wav", seed) for seed, name in enumerate("cab"))


def test_features_are_those_of_the_front_end_in_the_order_of_the_clips(
    clips: tuple[Clip, ...],
) -> None:
    made = cache.extract(clips, fake.FRONTEND, jobs=1)
    assert (made.clips, made.failed, made.computed) == (clips, (), 3)
    for clip, features in zip(clips, made.features, strict=True):
        waveform, _ = soundfile.read(clip.path, dtype="float32")
        np.testing.assert_array_equal(features, fake.extract(waveform))


def damage(file: Path, how: str) -> None:
    whole = file.read_bytes()
    damaged = {"empty": b"", "in its head": whole[:20], "in its data": whole[:-1]}
    file.write_bytes((damaged | {"longer": whole + b"x", "other": b"RIFF" + whole[4:]})[how])


@pytest.mark.parametrize("how", ["empty", "in its head", "in its data", "longer", "other"])
def test_damaged_features_are_made_again_and_that_is_said(
    clips: tuple[Clip, ...], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = [
        np.array(features) for features in cache.extract(clips, fake.FRONTEND, jobs=1).features
    ]
    blanks = np.array(cache.made_up(nothing, 2, fake.FRONTEND, seed=0, jobs=1)[1])
    kept = sorted(store.cache_dir().rglob("*.npy"))
    assert len(kept) == 5 and not caplog.messages
    for file in kept:
        damage(file, how)
    made = cache.extract(clips, fake.FRONTEND, jobs=1)
    assert made.computed == 3
    for a, b in zip(made.features, first, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        cache.made_up(nothing, 2, fake.FRONTEND, seed=0, jobs=1)[1], blanks
    )
    assert [
        f"({count} of them)" in said for said, count in zip(caplog.messages, (3, 2), strict=True)
    ]


def test_what_another_process_makes_meanwhile_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.npy"

    def late(path: Path) -> bool:
        np.save(path, np.zeros(3))
        return False

    monkeypatch.setattr(arrays, "is_whole", late)
    assert arrays.lacking([file], what="features") == {file} and not caplog.messages


def test_features_damaged_while_they_are_used_are_one_sentence(clips: tuple[Clip, ...]) -> None:
    made = cache.extract(clips, fake.FRONTEND, jobs=1)
    for file in store.cache_dir().rglob("*.npy"):
        damage(file, "in its data")
    with pytest.raises(DataError, match="cannot be read") as caught:
        _ = made.features[0]
    assert "run the same command again" in caught.value.hint


def test_a_second_run_computes_nothing(clips: tuple[Clip, ...]) -> None:
    first = cache.extract(clips, fake.FRONTEND, jobs=1)
    told: list[tuple[int, int, str]] = []
    second = cache.extract(
        clips[::-1], fake.FRONTEND, jobs=1, progress=lambda *step: told.append(step)
    )
    assert (second.computed, told) == (0, [])
    for a, b in zip(first.features, second.features[::-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_moved_and_renamed_file_is_known(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    cache.extract(clips, fake.FRONTEND, jobs=1)
    moved = tmp_path / "else" / "where.wav"
    moved.parent.mkdir()
    shutil.move(clips[0].path, moved)
    assert cache.extract([Clip(moved)], fake.FRONTEND, jobs=1).computed == 0


def test_a_changed_file_is_not(clips: tuple[Clip, ...]) -> None:
    before = cache.extract(clips, fake.FRONTEND, jobs=1)
    write(clips[0].path, 99)
    after = cache.extract(clips, fake.FRONTEND, jobs=1)
    assert after.computed == 1
    assert not np.array_equal(before.features[0], after.features[0])


def test_front_ends_and_their_versions_do_not_share(clips: tuple[Clip, ...]) -> None:
    cache.extract(clips, fake.FRONTEND, jobs=1)
    assert cache.extract(clips, replace(fake.FRONTEND, version=2), jobs=1).computed == 3
    assert cache.extract(clips, replace(fake.FRONTEND, name="other"), jobs=1).computed == 3


def sevens(waveform: Floats, *files: Path) -> Floats:
    """Return three columns, or the number that a file holds in each of them."""
    number = files[0].read_text() if files else 7
    return np.full((2, 3), number, np.float32)


def mean(waveform: Floats) -> Floats:
    """Return two columns, as the fake front end does."""
    return np.full((1, 2), np.abs(waveform).mean(), np.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {"extract": mean},
        {"extract": sevens, "columns": columns(mfcc=3)},
        {"extract": sevens, "columns": columns(mfcc=3), "sample_rate": 22_050},
        {"sample_rate": 8_000},
    ],
)
def test_front_ends_of_one_name_never_get_each_others_features(
    clips: tuple[Clip, ...], changes: dict[str, Any]
) -> None:
    one, other = fake.FRONTEND, replace(fake.FRONTEND, **changes)
    for frontend, computed in ((one, 3), (other, 3), (one, 0), (other, 0)):
        made = cache.extract(clips, frontend, jobs=1)
        assert made.computed == computed
        for clip, features in zip(clips, made.features, strict=True):
            waveform = audio.load(clip.path, sample_rate=frontend.sample_rate).waveform
            np.testing.assert_array_equal(features, frontend.features(waveform))


def test_a_changed_file_of_a_front_end_makes_another_folder(
    clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    model = tmp_path / "model.txt"
    frontend = replace(fake.FRONTEND, extract=sevens, columns=columns(mfcc=3), files=(model,))
    for number, computed in ((7, 3), (8, 3), (7, 0)):
        model.write_text(str(number))  # as long as it was
        made = cache.extract(clips, frontend, jobs=1)
        assert made.computed == computed
        np.testing.assert_array_equal(made.features[0], np.full((2, 3), number))


AUGMENT = """
def change(waveform, copy):
    return waveform * 0.5
"""


def test_a_changed_augmentation_makes_another_folder_and_a_comment_does_not(
    clips: tuple[Clip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(text: str) -> cache.Extracted:
        module = imported(text, "toy_augment", tmp_path, monkeypatch)
        return cache.extract(clips, fake.FRONTEND, augment=module.change, copy=1, jobs=1)

    first = made(AUGMENT)
    assert first.computed == 3
    assert made(AUGMENT.replace(" * 0.5", " * 0.5  # quieter")).computed == 0
    louder = made(AUGMENT.replace("0.5", "1.5"))
    assert louder.computed == 3
    assert louder.features[0][:, 0].mean() > 2 * first.features[0][:, 0].mean()
    # The recordings themselves are not augmented.
    assert cache.extract(clips, fake.FRONTEND, jobs=1).computed == 3
    made(AUGMENT.replace("0.5", "2.5"))
    assert cache.extract(clips, fake.FRONTEND, jobs=1).computed == 0


def test_copies_depend_on_seed_number_and_sound_alone(
    clips: tuple[Clip, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = partial(cache.extract, frontend=fake.FRONTEND, augment=change, jobs=1)

    def made(copy: int, seed: int) -> Floats:
        return np.concatenate(extract(clips, copy=copy, seed=seed).features)

    plain, first = made(0, 0), made(1, 0)
    for other in (plain, made(2, 0), made(1, 1)):
        assert not np.array_equal(first, other)
    np.testing.assert_array_equal(plain, made(0, 5))  # nothing is random in the clip itself
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "anew"))
    alone = extract(clips[2:], copy=1, seed=0)
    np.testing.assert_array_equal(alone.features[0], first[-len(alone.features[0]) :])


def test_every_clip_of_a_copy_draws_for_itself(clips: tuple[Clip, ...]) -> None:
    def draw(waveform: Floats, copy: Copy) -> Floats:
        return np.full_like(waveform, copy.rng.uniform(0.1, 1.0))

    made = cache.extract(clips, fake.FRONTEND, augment=draw, copy=1, jobs=1)
    drawn = [float(features[0, 0]) for features in made.features]
    assert len(set(drawn)) == len(clips)


def test_what_fails_is_named_and_the_others_go_on(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    for name in ("broken.wav", "twin.wav"):
        (tmp_path / name).write_bytes(b"RIFF and nothing else")
    broken, twin, absent = (Clip(tmp_path / f"{n}.wav") for n in ("broken", "twin", "absent"))
    made = cache.extract([broken, *clips, absent, twin], fake.FRONTEND, jobs=1)
    assert (made.clips, made.computed) == (clips, 3)
    assert [path for path, _ in made.failed] == [broken.path, absent.path, twin.path]
    reasons = dict(made.failed)
    assert "is a text and no sound" in reasons[broken.path]
    assert "cannot be opened" in reasons[absent.path]
    # The path is beside the reason: a reason that names it says it twice, and the twin's wrongly.
    assert not any(".wav" in reason for reason in reasons.values())


def test_equal_files_are_computed_once(clips: tuple[Clip, ...], tmp_path: Path) -> None:
    shutil.copy(clips[0].path, tmp_path / "twin.wav")
    made = cache.extract([clips[0], Clip(tmp_path / "twin.wav")], fake.FRONTEND, jobs=1)
    assert (len(made.features), made.computed) == (2, 1)
    np.testing.assert_array_equal(made.features[0], made.features[1])


def test_progress_counts_what_is_missing(clips: tuple[Clip, ...]) -> None:
    cache.extract(clips[:1], fake.FRONTEND, jobs=1)
    told: list[tuple[int, int, str]] = []
    cache.extract(clips, fake.FRONTEND, jobs=1, progress=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(0, 2), (1, 2), (2, 2)]
    assert {step[2] for step in told} == {"", "a.wav", "b.wav"}


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [write(tmp_path / f"{n}.wav", n) for n in range(17)]  # enough to start workers
    apart = cache.extract(many, fake.FRONTEND, augment=change, copy=1, jobs=2)
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "anew"))
    here = cache.extract(many, fake.FRONTEND, augment=change, copy=1, jobs=1)
    assert apart.computed == here.computed == 17
    for a, b in zip(apart.features, here.features, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_a_front_end_of_fixed_length_cuts_and_pads(seconds: float) -> None:
    fixed = replace(fake.FRONTEND, duration=1.0)
    made = fixed.features(np.ones(round(seconds * fake.RATE), np.float32))
    assert len(made) == fake.RATE // fake.HOP
    heard = made[:, 0].sum() * fake.HOP / fake.RATE
    assert heard == pytest.approx(min(seconds, 1.0), abs=0.01)
