"""Features are librosa's, and what a sine, a chirp and silence must give."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest
from sounds import signals, sine

from ser_cli.data import corpora
from ser_cli.sound import audio, features

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATES = (16_000, 22_050)
# A sum of float32 depends on its order, and each processor's kernels have an order of their own:
# chroma, 0..1, is librosa's to the bit on AVX2 and up to 1.13e-6 beside it on AVX-512.
CHROMA_ATOL = 5e-6


def equals_librosa(waveform: Floats, rate: int) -> None:
    spec = features.spectrum(waveform, rate)
    power = np.abs(librosa.stft(waveform)) ** 2
    assert spec.magnitude.dtype == np.float32
    assert len(spec.magnitude) == 1 + len(waveform) // 512

    for n_mfcc in (13, 20, 40):
        ours = features.mfcc(features.mel_decibels(spec), n_mfcc)
        theirs = librosa.feature.mfcc(y=waveform, sr=rate, n_mfcc=n_mfcc).T
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)
    if len(ours) >= features.DELTA_WIDTH:
        for order in (1, 2):
            slope = librosa.feature.delta(theirs.T, order=order).T
            # Where nothing moves, what is left is the rounding of the level itself.
            bound = 1e-4 * np.abs(slope).max() + 5e-7 * np.abs(theirs).max()
            np.testing.assert_allclose(features.delta(ours, order), slope, atol=bound, rtol=0)

    assert features.tuning(spec) == pytest.approx(
        librosa.estimate_tuning(S=power, sr=rate, bins_per_octave=12), abs=1e-12
    )
    chroma = librosa.feature.chroma_stft(y=waveform, sr=rate).T
    np.testing.assert_allclose(features.chroma(spec), chroma, atol=CHROMA_ATOL, rtol=0)
    contrast = librosa.feature.spectral_contrast(y=waveform, sr=rate).T
    np.testing.assert_allclose(features.spectral_contrast(spec), contrast, atol=1e-3, rtol=0)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", signals(16_000))
def test_equals_librosa(name: str, rate: int) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")
        equals_librosa(signals(rate)[name], rate)


def test_a_clip_shorter_than_a_window_equals_librosa() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=2048 is too large")
        equals_librosa(signals(16_000)["noise"][:700], 16_000)


def test_real_clips_equal_librosa(ravdess: Path) -> None:
    for clip in corpora.load(str(ravdess))[::310]:
        equals_librosa(audio.load(clip.path, sample_rate=16_000).waveform, 16_000)


def test_a440_is_an_a() -> None:
    chroma = features.chroma(features.spectrum(sine(440), 16_000))
    inside = chroma[3:-3]  # windows that hold nothing but the tone
    assert (inside.argmax(axis=1) == 9).all()  # C, C sharp, ..., A
    np.testing.assert_array_equal(inside[:, 9], 1)
    assert inside[:, [2, 4, 5]].max() < 0.01


@pytest.mark.parametrize(("cents", "semitones"), [(0, 0.0), (20, 0.2), (-35, -0.35)])
def test_tuning_is_found(cents: int, semitones: float) -> None:
    tone = sine(440 * 2 ** (cents / 1200))
    assert features.tuning(features.spectrum(tone, 16_000)) == pytest.approx(semitones, abs=0.05)


def test_a_sine_lies_in_its_bin_and_its_band() -> None:
    spec = features.spectrum(sine(1000), 16_000)
    assert (spec.magnitude[3:-3].argmax(axis=1) == 1000 * 2048 / 16_000).all()
    np.testing.assert_array_equal(spec.power, spec.magnitude**2)
    hz = librosa.mel_frequencies(n_mels=130, fmax=8000)
    band = features.mel_decibels(spec)[10].argmax()
    assert hz[band] < 1000 < hz[band + 2]


@pytest.mark.parametrize("hertz", [0, 440, 999, 1_000, 1_001, 8_000])
def test_mels_are_slaneys(hertz: float) -> None:
    assert features.hz_to_mel(hertz) == pytest.approx(librosa.hz_to_mel(hertz), rel=1e-12)


def test_decibels_stay_within_80_of_the_loudest() -> None:
    log = features.mel_decibels(features.spectrum(sine(1000), 16_000))
    assert log.max() - log.min() == pytest.approx(80, abs=1e-3)
    np.testing.assert_allclose(
        features.decibels(np.array([1, 10, 100], "f4")), [0, 10, 20], atol=1e-5
    )


def test_silence_is_finite_and_flat() -> None:
    spec = features.spectrum(np.zeros(16_000, np.float32), 16_000)
    cepstrum = features.mfcc(features.mel_decibels(spec), 40)
    assert np.isfinite(cepstrum).all()
    np.testing.assert_allclose(cepstrum[:, 0], -100 * np.sqrt(128), rtol=1e-5)
    np.testing.assert_allclose(features.delta(cepstrum), 0, atol=1e-3)
    np.testing.assert_array_equal(features.chroma(spec), 0)
    np.testing.assert_array_equal(features.spectral_contrast(spec), 0)
    assert features.tuning(spec) == 0


def test_level_moves_the_loudness_alone() -> None:
    loud = signals(16_000)["noise"]
    first, second = (
        features.mfcc(features.mel_decibels(features.spectrum(w, 16_000)), 13)
        for w in (loud, loud * np.float32(0.1))
    )
    np.testing.assert_allclose(first[:, 1:], second[:, 1:], atol=1e-2)
    np.testing.assert_allclose(first[:, 0] - second[:, 0], 20 * np.sqrt(128), rtol=1e-4)


def test_delta_of_a_line_and_of_a_parabola() -> None:
    at = np.arange(20, dtype=np.float32)
    line, parabola = (3 * at + 1)[:, None], (2 * at**2)[:, None]
    np.testing.assert_allclose(features.delta(line), 3, atol=1e-5)
    np.testing.assert_allclose(features.delta(parabola, order=2), 4, atol=1e-4)
    np.testing.assert_allclose(features.delta(parabola)[4:-4, 0], 4 * at[4:-4], atol=1e-4)


def test_delta_needs_nine_frames() -> None:
    assert features.delta(np.ones((9, 3), np.float32)).shape == (9, 3)
    with pytest.raises(ValueError, match="9 frames, not 8"):
        features.delta(np.ones((8, 3), np.float32))


def test_at_least_adds_silence_and_cuts_nothing() -> None:
    short = np.ones(3, np.float32)
    np.testing.assert_array_equal(features.at_least(short, 5), [1, 1, 1, 0, 0])
    assert features.at_least(short, 2) is short


def test_filterbanks_are_built_once() -> None:
    spec = features.spectrum(sine(440), 16_000)
    features.mel_decibels(spec)
    before = features._mel_blocks.cache_info().misses
    features.mel_decibels(spec)
    assert features._mel_blocks.cache_info().misses == before


@pytest.mark.parametrize("count", [1, 2, 5, 1000])
def test_median_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    assert features._median(values) == np.median(values)
