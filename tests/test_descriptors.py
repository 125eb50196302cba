"""Level, zero crossings and the spectrum's place are librosa's, and what a sine must give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest
from sounds import signals, sine

from ser_cli.data import corpora
from ser_cli.sound import audio, descriptors, features

if TYPE_CHECKING:
    from ser_cli.types import Floats


def equals_librosa(waveform: Floats, rate: int) -> None:
    spec = features.spectrum(waveform, rate)
    pairs = {
        "rms": (descriptors.rms(waveform), librosa.feature.rms(y=waveform)),
        "zcr": (
            descriptors.zero_crossing_rate(waveform),
            librosa.feature.zero_crossing_rate(y=waveform),
        ),
        "centroid": (
            descriptors.spectral_centroid(spec),
            librosa.feature.spectral_centroid(y=waveform, sr=rate),
        ),
        "rolloff": (
            descriptors.spectral_rolloff(spec),
            librosa.feature.spectral_rolloff(y=waveform, sr=rate),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours.dtype == np.float32
        assert ours.shape == (1 + len(waveform) // 512, 1)
        np.testing.assert_allclose(ours, theirs.T, rtol=1e-4, atol=1e-7, err_msg=name)


def trims_as_librosa(waveform: Floats) -> None:
    for top_db in (20, 30, 60):
        theirs, _ = librosa.effects.trim(waveform, top_db=top_db)
        np.testing.assert_array_equal(descriptors.trim(waveform, top_db), theirs)


@pytest.mark.parametrize("rate", [16_000, 22_050])
@pytest.mark.parametrize("name", signals(16_000))
def test_equals_librosa(name: str, rate: int) -> None:
    equals_librosa(signals(rate)[name], rate)
    trims_as_librosa(signals(rate)[name])


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
@pytest.mark.parametrize("length", [1, 511, 512, 2048, 2049])
def test_short_sounds_equal_librosa(length: int) -> None:
    equals_librosa(signals(16_000)["noise"][:length], 16_000)
    trims_as_librosa(signals(16_000)["noise"][:length])


def test_real_clips_equal_librosa(ravdess: Path) -> None:
    for clip in corpora.load(str(ravdess))[::310]:
        waveform = audio.load(clip.path, sample_rate=16_000).waveform
        equals_librosa(waveform, 16_000)
        trims_as_librosa(waveform)


def test_a_sine() -> None:
    inside = slice(3, -3)  # windows that hold nothing but the tone
    tone = sine(1000)
    spec = features.spectrum(tone, 16_000)
    np.testing.assert_allclose(descriptors.rms(tone)[inside], 0.5 / np.sqrt(2), rtol=1e-3)
    crossings = descriptors.zero_crossing_rate(tone)[inside]
    np.testing.assert_allclose(crossings, 2 * 1000 / 16_000, rtol=0.02)
    np.testing.assert_allclose(descriptors.spectral_centroid(spec)[inside], 1000, rtol=0.01)
    np.testing.assert_allclose(descriptors.spectral_rolloff(spec)[inside], 1000, atol=8)


def test_silence_is_zero_and_is_not_trimmed() -> None:
    silence = np.zeros(5000, np.float32)
    spec = features.spectrum(silence, 16_000)
    for made in (
        descriptors.rms(silence),
        descriptors.zero_crossing_rate(silence),
        descriptors.spectral_centroid(spec),
        descriptors.spectral_rolloff(spec),
    ):
        np.testing.assert_array_equal(made, 0)
    assert len(descriptors.trim(silence, 30)) == 5000


def test_trim_cuts_the_quiet_ends_alone() -> None:
    tone = sine(440)
    quiet = 0.001 * tone
    trimmed = descriptors.trim(np.concatenate([quiet, tone, quiet, tone, quiet]), 30)
    assert len(trimmed) == pytest.approx(3 * len(tone), abs=2 * 2048)
    np.testing.assert_array_equal(descriptors.trim(tone, 30), tone)
