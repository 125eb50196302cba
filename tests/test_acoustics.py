"""Level, noise, pitch and silence of signals whose numbers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ser_cli.sound import acoustics
from ser_cli.sound.degrade import add_noise, gain, surround

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE = acoustics.SAMPLE_RATE


def tone(hertz: float, seconds: float = 1.5, *, amplitude: float = 0.5) -> Floats:
    """Return a voice's way of a tone: with overtones that fall by 6 dB an octave."""
    at = np.arange(round(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * hertz * k * at) / k for k in (1, 2, 3, 4)]
    made: Floats = (amplitude * np.sum(waves, axis=0) / 2).astype(np.float32)
    return made


def measured(waveform: Floats) -> dict[str, float]:
    (row,) = acoustics.measure(waveform)
    return dict(zip(acoustics.NAMES, row.tolist(), strict=True))


@pytest.mark.parametrize("hertz", [80, 110, 220, 440])
def test_the_pitch_of_a_tone_is_its_frequency(hertz: float) -> None:
    assert measured(surround(tone(hertz), 0.3, sample_rate=RATE))["f0"] == pytest.approx(
        hertz, rel=0.01
    )


def test_a_pure_tone_has_its_pitch_and_level() -> None:
    at = np.arange(RATE) / RATE
    found = measured((0.5 * np.sin(2 * np.pi * 220 * at)).astype(np.float32))
    assert found["f0"] == pytest.approx(220, rel=0.01)
    assert found["level"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)  # -9.03 dB


def test_noise_has_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    assert np.isnan(measured(noise.astype(np.float32))["f0"])


@pytest.mark.parametrize("snr_db", [5, 10, 20, 30, 50])
@pytest.mark.parametrize("silence_s", [0.25, 0.5])
def test_noise_that_was_added_is_found(snr_db: float, silence_s: float) -> None:
    clean = surround(tone(150), silence_s, sample_rate=RATE)
    noisy = add_noise(clean, np.random.default_rng(0), snr_db=snr_db)
    assert measured(noisy)["snr"] == pytest.approx(snr_db, abs=1)


@pytest.mark.parametrize("snr_db", [10, 30, None])
def test_silence_that_was_added_is_found(snr_db: float | None) -> None:
    clean = np.concatenate([np.zeros(RATE // 2, np.float32), tone(150), np.zeros(RATE, np.float32)])
    heard = clean if snr_db is None else add_noise(clean, np.random.default_rng(0), snr_db=snr_db)
    found = measured(heard)
    assert found["silence_before"] == pytest.approx(0.5, abs=0.03)
    assert found["silence_after"] == pytest.approx(1.0, abs=0.03)
    assert found["speech"] == pytest.approx(1.5, abs=0.05)


def test_what_is_twice_as_loud_has_6_db_more_and_all_else_the_same() -> None:
    noisy = add_noise(
        surround(tone(150), 0.5, sample_rate=RATE), np.random.default_rng(0), snr_db=20
    )
    soft, loud = measured(gain(noisy, -12)), measured(gain(noisy, -6))
    assert loud.pop("level") - soft.pop("level") == pytest.approx(6, abs=0.01)
    assert loud == pytest.approx(soft, rel=1e-3)


def test_a_tone_without_pauses_has_no_noise_to_tell_it_from() -> None:
    found = measured(tone(150))
    assert np.isnan(found["snr"]) and found["silence_before"] == 0
    assert found["speech"] == pytest.approx(1.5)


@pytest.mark.parametrize("n_samples", [0, 1, 300, RATE])
def test_of_silence_nothing_can_be_told(n_samples: int) -> None:
    assert np.isnan(acoustics.measure(np.zeros(n_samples, np.float32))).all()


@pytest.mark.parametrize("n_samples", [1, 300, 1_000])
def test_a_very_short_clip_has_a_level_and_no_pitch(n_samples: int) -> None:
    found = measured(np.full(n_samples, 0.5, np.float32))
    assert found["level"] == pytest.approx(-6.02, abs=0.01) and np.isnan(found["f0"])
