"""What is done to a waveform, measured: levels, spectra, tails, lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ser_cli.sound import degrade
from ser_cli.sound.speech import speech_part
from ser_cli.types import Copy

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE = 16_000


def speech() -> Floats:
    """A second of a tone that swells, between half seconds of silence."""
    at = np.arange(RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at))
    return np.pad(tone, RATE // 2).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def power(waveform: Floats) -> float:
    return float(np.square(waveform, dtype=np.float64).mean())


def share_above(waveform: Floats, hertz: float) -> float:
    """Return the share of the power above a frequency."""
    spectrum = np.abs(np.fft.rfft(waveform)) ** 2
    above = np.fft.rfftfreq(len(waveform), 1 / RATE) > hertz
    return float(spectrum[above].sum() / spectrum.sum())


def test_the_speech_part_is_where_the_speech_is() -> None:
    found = speech_part(speech())
    assert abs(found.start - RATE // 2) <= 400 and abs(found.stop - 3 * RATE // 2) <= 400
    for other in (0.001 * speech(), speech() + 1e-5):
        again = speech_part(other.astype(np.float32))
        assert abs(again.start - found.start) <= 160 and abs(again.stop - found.stop) <= 160


@pytest.mark.parametrize("n_samples", [1, 100, 400, 5_000])
def test_all_of_a_silent_or_short_sound_is_speech(n_samples: int) -> None:
    found = speech_part(np.zeros(n_samples, np.float32))
    assert (found.start, found.stop) == (0, n_samples)
    loud = speech_part(np.ones(n_samples, np.float32))
    assert loud.start == 0 and loud.stop > max(0, n_samples - 160 - 1)


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0])
@pytest.mark.parametrize("kind", ["white", "tilted", "babble"])
def test_noise_lies_so_far_below_the_speech_alone(snr_db: float, kind: str) -> None:
    clean = speech()
    if kind == "babble":
        noisy = degrade.add_babble(clean, rng(), snr_db=snr_db)
    else:
        noisy = degrade.add_noise(clean, rng(), snr_db=snr_db, tilt=kind == "tilted")
    noise = noisy - clean
    heard = power(clean[speech_part(clean)])
    assert 10 * np.log10(heard / power(noise)) == pytest.approx(snr_db, abs=0.1)
    assert noisy.dtype == np.float32
    high = {"white": (0.4, 0.6), "tilted": (0.0, 0.05), "babble": (0.0, 0.2)}[kind]
    assert high[0] <= share_above(noise, 4_000) <= high[1]


def test_babble_swells_and_steady_noise_does_not() -> None:
    def unrest(noise: Floats) -> float:
        levels = np.square(noise[: len(noise) // 800 * 800]).reshape(-1, 800).mean(axis=1)
        return float(levels.std() / levels.mean())

    clean = speech()
    steady = degrade.add_noise(clean, rng(), snr_db=0) - clean
    assert unrest(degrade.add_babble(clean, rng(), snr_db=0) - clean) > 3 * unrest(steady)


def test_a_room_rings_for_its_time() -> None:
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    wet = degrade.reverberate(click, rng(), sample_rate=RATE, rt60=0.5, direct_db=3.0)
    assert len(wet) == RATE + RATE // 2 and wet[0] == pytest.approx(1, abs=1e-4)
    tail = wet[1 : RATE // 2]
    assert 10 * np.log10(1 / np.square(tail).sum()) == pytest.approx(3, abs=0.1)
    early, late = power(tail[:800]), power(tail[4_000:4_800])
    assert 10 * np.log10(early / late) == pytest.approx(60 * 4_000 / 8_000, abs=2)


def test_a_narrow_band_has_nothing_above_it() -> None:
    hiss = rng().standard_normal(RATE).astype(np.float32)
    narrow = degrade.narrow(hiss, sample_rate=RATE)
    assert len(narrow) == RATE and share_above(narrow, 4_100) < 1e-4
    assert share_above(hiss, 4_100) > 0.4


@pytest.mark.parametrize("codec", [*degrade.CODECS])
def test_a_codec_changes_a_sound_and_keeps_it(codec: str) -> None:
    clean = speech()
    heard = degrade.code(clean, codec, sample_rate=RATE)
    assert heard.shape == clean.shape and heard.dtype == np.float32
    assert not np.array_equal(heard, clean)
    spectra = [np.abs(np.fft.rfft(wave)) for wave in (clean, heard)]
    assert abs(int(spectra[0].argmax()) - int(spectra[1].argmax())) <= 2
    assert 10 * np.log10(power(heard) / power(clean)) == pytest.approx(0, abs=1)
    if codec in ("alaw", "gsm"):
        hiss = rng().standard_normal(RATE).astype(np.float32)
        assert share_above(degrade.code(hiss, codec, sample_rate=RATE), 4_200) < 0.01
    quiet = degrade.code(clean * np.float32(1e-3), codec, sample_rate=RATE)
    assert power(quiet) == pytest.approx(1e-6 * power(heard), rel=0.1)  # no matter how loud
    assert np.isfinite(degrade.code(np.zeros(RATE, np.float32), codec, sample_rate=RATE)).all()


def test_levels_silence_and_cuts() -> None:
    clean = speech()
    np.testing.assert_allclose(degrade.gain(clean, -20), 0.1 * clean, rtol=1e-6)
    loud = degrade.gain(clean, 12)
    assert np.abs(loud).max() == 1 and (np.abs(loud) == 1).sum() > 100
    around = degrade.surround(clean, 2.0, sample_rate=RATE)
    assert len(around) == len(clean) + 4 * RATE
    np.testing.assert_array_equal(around[2 * RATE : -2 * RATE], clean)
    inside = speech_part(clean)
    assert len(degrade.cut(clean, 0.0, sample_rate=RATE)) == inside.stop - inside.start
    wider = degrade.cut(clean, 0.1, sample_rate=RATE)
    assert len(wider) == inside.stop - inside.start + 2 * 1_600
    assert len(degrade.cut(clean, 9.0, sample_rate=RATE)) == len(clean)
    first, second = degrade.part(clean, 0, 0.5), degrade.part(clean, 0.5, 1)
    np.testing.assert_array_equal(np.concatenate([first, second]), clean[inside])


def test_odd_copies_are_other_voices_and_even_ones_other_lines() -> None:
    clean = speech()
    lengths, changed = set(), 0
    for number in range(1, 41):
        made = degrade.anyhow(clean, Copy(number, rng(number)))
        assert np.isfinite(made).all() and np.abs(made).max() <= 1.01 and made.dtype == np.float32
        if number % 2:
            lengths.add(len(made))
            assert share_above(made, 1_000) < 0.01  # a tone stays one
        else:
            changed += share_above(made, 1_000) > 0.01
    assert len(lengths) >= 8 and min(lengths) > 0.87 * len(clean)
    assert changed >= 5


@pytest.mark.parametrize("n_samples", [1, 20, 1_599, 1_600])
def test_the_shortest_sounds_can_be_copied(n_samples: int) -> None:
    for number in range(1, 30):
        made = degrade.anyhow(np.full(n_samples, 0.1, np.float32), Copy(number, rng(number)))
        assert len(made) and np.isfinite(made).all()
