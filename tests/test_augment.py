"""Changed waveforms keep what they should, and masks cover what they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ser_cli.sound import augment

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE = 16_000


def sine(hertz: float) -> Floats:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)


def pitch(waveform: Floats) -> float:
    middle = waveform[len(waveform) // 4 : -len(waveform) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 2**17))
    return float(spectrum.argmax() * RATE / 2**17)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_noise_has_its_amplitude_and_no_offset() -> None:
    tone = sine(440)
    before = tone.copy()
    added = augment.noise(tone, rng(), 0.005) - tone
    assert added.dtype == np.float32
    assert added.std() == pytest.approx(0.005, rel=0.05)
    assert abs(added.mean()) < 0.0002
    np.testing.assert_array_equal(tone, before)
    np.testing.assert_array_equal(augment.noise(tone, rng(), 0), tone)


def test_noise_follows_the_generator() -> None:
    first, again, other = (augment.noise(sine(440), rng(seed), 0.01) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.1])
@pytest.mark.parametrize("semitones", [-2.0, 0.0, 1.0, 12.0])
def test_tempo_and_pitch_are_moved_apart(rate: float, semitones: float) -> None:
    moved = augment.stretch_and_shift(sine(440), rate=rate, semitones=semitones)
    assert moved.dtype == np.float32
    assert len(moved) == pytest.approx(RATE / rate, abs=3)
    assert pitch(moved) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.003)


def test_nothing_to_change_changes_next_to_nothing() -> None:
    tone = sine(440)
    moved = augment.stretch_and_shift(tone, rate=1.0, semitones=0.0)
    np.testing.assert_allclose(moved[2048:-2048], tone[2048:-2048], atol=1e-3)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
@pytest.mark.parametrize("length", [1, 100, 3000])
def test_short_sounds_are_no_exception(length: int) -> None:
    moved = augment.stretch_and_shift(sine(440)[:length], rate=0.9, semitones=2.0)
    assert np.isfinite(moved).all()
    assert len(moved) == pytest.approx(length / 0.9, abs=2)


@pytest.mark.parametrize("rate", [0.9, 1.0, 1.25])
def test_speed_moves_tempo_and_pitch_together(rate: float) -> None:
    moved = augment.speed(sine(440), rate)
    assert moved.dtype == np.float32
    assert len(moved) == pytest.approx(RATE / rate, abs=2)
    assert pitch(moved) == pytest.approx(440 * rate, rel=0.003)


def test_a_shift_loses_nothing() -> None:
    waveform = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(augment.shift(waveform, 2), [3, 4, 0, 1, 2])
    np.testing.assert_array_equal(augment.shift(waveform, -1), [1, 2, 3, 4, 0])
    np.testing.assert_array_equal(augment.shift(waveform, 7), augment.shift(waveform, 2))
    np.testing.assert_array_equal(waveform, np.arange(5))


def test_the_peak_is_the_largest_magnitude() -> None:
    assert augment.peak(np.array([0.1, -0.75, 0.5], np.float32)) == 0.75


def runs(hidden: np.ndarray) -> tuple[int, int]:
    """Return how many are hidden, and in how many runs."""
    edges = np.diff(np.concatenate(([0], hidden.astype(int), [0])))
    return int(hidden.sum()), int((edges == 1).sum())


def test_masks_are_one_run_of_frames_and_one_of_columns() -> None:
    batch = np.ones((200, 30, 12), np.float32)
    masked = augment.mask(batch, rng(), frames=10, columns=5)
    assert (batch == 1).all()
    lengths = []
    for clip in masked:
        frames, columns = (clip == 0).all(axis=1), (clip == 0).all(axis=0)
        # Nothing is hidden but these runs.
        np.testing.assert_array_equal(clip == 0, frames[:, None] | columns[None])
        for (hidden, count), longest in ((runs(frames), 10), (runs(columns), 5)):
            assert hidden <= longest and count <= 1
        lengths.append((int(frames.sum()), int(columns.sum())))
    # Every length occurs, none at all too, and each clip has its own.
    assert {frames for frames, _ in lengths} == set(range(11))
    assert {columns for _, columns in lengths} == set(range(6))
    starts = {int((clip == 0).all(axis=1).argmax()) for clip in masked}
    assert max(starts) >= 20 and 0 in starts


def test_masks_may_be_switched_off_or_longer_than_the_clip() -> None:
    batch = np.ones((50, 4, 3), np.float32)
    np.testing.assert_array_equal(augment.mask(batch, rng(), frames=0, columns=0), batch)
    only = augment.mask(batch, rng(), frames=0, columns=3)
    assert all((clip == clip[0]).all() for clip in only) and (only == 0).any()
    assert augment.mask(batch, rng(), frames=99, columns=99).shape == batch.shape
    # A vector of one frame may lose it whole, but not always.
    lone = augment.mask(np.ones((50, 1, 3), np.float32), rng(), frames=20, columns=0)
    assert 0 < np.count_nonzero(lone.all(axis=(1, 2))) < 50


def test_masks_follow_the_generator() -> None:
    batch = np.ones((8, 30, 12), np.float32)
    first, again, other = (
        augment.mask(batch, rng(seed), frames=9, columns=9) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
