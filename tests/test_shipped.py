"""The model that ships for prediction: what it says of voices, and of what is no voice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import fake
import numpy as np
import pytest
import soundfile
from command import succeed

import ser_cli
from ser_cli import recipes
from ser_cli.model import artifacts
from ser_cli.sound import degrade, encoder

if TYPE_CHECKING:
    from ser_cli.model.trained import Model
    from ser_cli.types import Floats

RATE = 16_000
CLIPS = Path(__file__).parent / "clips"
MOST = 0.3  # confidence in an emotion where nobody speaks
ENCODERS = (encoder.MOONSHINE, encoder.SMART_TURN)


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_cli.load(artifacts.packaged() / recipes.PREDICTING)


def tones(*hertz: float, seconds: float = 3.0) -> Floats:
    at = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(at))
    for f in hertz:
        sound += 0.2 * np.sin(2 * np.pi * f * at)
    return sound.astype(np.float32)


def hiss(seconds: float = 3.0, tilt: float = 0.0) -> Floats:
    rng = np.random.default_rng(99)
    white = rng.standard_normal(round(seconds * RATE))
    if tilt:
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum * np.linspace(0.001, 1, len(spectrum)) ** -tilt, len(white))
    quiet: Floats = (0.1 * white / np.abs(white).max()).astype(np.float32)
    return quiet


def melody() -> Floats:
    """Three bars of a waltz on an organ that nobody has heard in training."""
    notes = (262, 330, 392, 294, 349, 440, 330, 392, 494)
    return np.concatenate([tones(f, 2 * f, 3 * f, seconds=0.35) for f in notes])


NOT_SPEECH = {
    "digital silence": lambda: np.zeros(3 * RATE, np.float32),
    "dither": lambda: hiss() * np.float32(1e-3),
    "white noise": hiss,
    "loud white noise": lambda: hiss() * np.float32(9),
    "pink noise": lambda: hiss(tilt=0.5),
    "brown noise": lambda: hiss(tilt=1.0),
    "hum of 50 Hz": lambda: tones(50, 100, 150, 200, 250),
    "hum of 60 Hz": lambda: tones(60, 120, 180, 240),
    "a beep": lambda: tones(1000),
    "a low beep": lambda: tones(440),
    "a chord": lambda: tones(220, 277, 330),
    "a melody": melody,
}


@pytest.mark.parametrize("name", NOT_SPEECH)
def test_nothing_is_heard_in_what_is_no_speech(model: Model, name: str) -> None:
    (row,) = model.predict(NOT_SPEECH[name](), sample_rate=RATE)
    assert row.confidence <= MOST, (row.emotion, row.confidence)


@pytest.mark.parametrize("name", ["calm", "happy", "long", "statement"])
def test_a_machine_is_neutral_or_calm(model: Model, name: str) -> None:
    (row,) = model.predict(CLIPS / f"espeak-{name}.flac")
    assert row.emotion in {"neutral", "calm"} and row.confidence > 0.25
    assert row.probabilities is not None
    said = dict(zip(model.pipeline.classes, row.probabilities, strict=True))
    assert said["neutral"] + said["calm"] > 0.55


def test_level_and_silence_around_say_nothing(model: Model) -> None:

    for path in sorted(CLIPS.glob("*.flac")):
        wave, rate = soundfile.read(path, dtype="float32")
        wave = wave[: 3 * rate]
        plain = fake.shares(model.predict(wave, sample_rate=rate)[0])
        for other in (degrade.gain(wave, -30), degrade.surround(wave, 1.0, sample_rate=rate)):
            heard = fake.shares(model.predict(other, sample_rate=rate)[0])
            assert np.abs(heard - plain).max() < 0.1, path.name


def test_its_encoders_are_the_packages(model: Model) -> None:
    folder = model.artifacts.folder
    for path in (*ENCODERS, *map(encoder.card_of, ENCODERS)):
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_it_tells_what_it_was_made_of(model: Model) -> None:
    manifest = model.artifacts.manifest
    assert manifest["data"] == ["ravdess", "nemo", "emovo", "aesdd", "ased"]
    assert manifest["settings"]["adapt"] > 0 and manifest["clips"]["test"] == 0
    assert set(artifacts.NEEDED) <= set(manifest["files"])


def test_both_shipped_models_are_had_by_their_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    default = succeed("predict", CLIPS, "--json")
    assert f"model: {artifacts.packaged() / 'voice'}" in default.err
    other = succeed("predict", CLIPS, "--json", "--recipe", "cnn-bilstm")
    assert f"model: {artifacts.packaged() / 'cnn-bilstm'}" in other.err
    assert default.out != other.out
