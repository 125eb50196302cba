"""Made-up voices of machines: pulses at their pitch, resonances at their formants."""

from __future__ import annotations

import numpy as np
import pytest

from ser_cli.sound import synthesised as voice
from ser_cli.sound.speech import speech_part

RATE = 16_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_voice_is_of_a_length_and_level_and_the_same_again(rate: int) -> None:
    lengths = set()
    for number in range(12):
        made, again = (
            voice.synthesised(number, np.random.default_rng(number), sample_rate=rate)
            for _ in range(2)
        )
        np.testing.assert_array_equal(made, again)
        assert made.dtype == np.float32 and np.isfinite(made).all()
        assert np.abs(made).max() == pytest.approx(0.5, abs=1e-6)
        assert 1.5 * rate * 0.99 <= len(made) <= 4.0 * rate * 1.01
        heard = made[speech_part(made)]
        assert len(heard) > 0.5 * len(made) and heard.std() > 0.01
        lengths.add(len(made))
    assert len(lengths) > 6  # no two alike


def test_the_source_has_a_pulse_for_every_period_and_noise_without_a_voice() -> None:
    count, period = 200, 128.0  # 2 s at 125 Hz
    voiced = np.arange(count) < 100
    source = voice._source(np.full(count, period), voiced, np.random.default_rng(0), 160)
    pulses = np.flatnonzero(source[: 100 * 160])
    assert set(np.diff(pulses).tolist()) == {128} and len(pulses) == 125
    for part in (source[: 100 * 160], source[100 * 160 :]):
        assert np.square(part).mean() == pytest.approx(1, abs=0.05)


def test_the_response_peaks_at_the_formants() -> None:
    formants = np.array([[500.0, 1500.0, 2500.0, 3500.0]])
    response = voice._response(formants, np.array([False]), np.random.default_rng(0), RATE)
    level = np.abs(response[0])
    inside = (level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])
    peaks = (1 + np.flatnonzero(inside)) * RATE / (2 * (len(level) - 1))
    np.testing.assert_allclose(peaks, formants[0], atol=30)


def test_what_is_filtered_by_nothing_stays_as_it_is() -> None:
    source = np.random.default_rng(0).standard_normal(100 * 160)
    flat = np.ones((100, voice._PARTS * 80 + 1), np.complex128)
    np.testing.assert_allclose(voice._filtered(source, flat, 160)[:-160], source[:-160], atol=1e-9)


def test_the_melody_is_that_of_people_and_moves() -> None:
    for seed in range(20):
        melody = voice._melody(np.random.default_rng(seed), 300)
        assert melody.min() > 50 and melody.max() < 380
        assert 1 < melody.max() / melody.min() < 2.2


def test_a_voice_is_heard_about_half_of_the_time() -> None:
    shares = [voice._articulated(np.random.default_rng(n), 300)[2].mean() for n in range(20)]
    assert 0.4 < np.mean(shares) < 0.9 and np.std(shares) > 0.02
