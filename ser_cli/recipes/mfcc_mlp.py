"""A clip's mean MFCC through two dense layers.

The reference system is the first model of Speech Emotion Classification.

The document states what it is made of, not its size or how long it trained; those are ours, and
so are the copies, which it has none of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ser_cli.recipes import Recipe
from ser_cli.sound import features
from ser_cli.sound.augment import tempo_and_pitch
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Floats, Params

SAMPLE_RATE = 22_050
N_MFCC = 40


def extract(waveform: Floats) -> Floats:
    """Return the mean over time of 40 MFCC, (1, 40), of a waveform (n,) at 22,050 Hz."""
    cepstrum = features.mfcc(
        features.mel_decibels(features.spectrum(waveform, SAMPLE_RATE)), N_MFCC
    )
    mean: Floats = cepstrum.mean(axis=0, keepdims=True)
    return mean


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack two dense layers, each with dropout."""
    from keras import Input, Sequential, layers

    stack: list[Any] = [Input(shape), layers.Flatten()]
    for units in (params["dense1_units"], params["dense2_units"]):
        stack += [layers.Dense(units, activation="relu"), layers.Dropout(params["dropout"])]
    return Sequential([*stack, layers.Dense(n_classes, activation="softmax")])


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest sizes, dropout, learning rate and batch size."""
    return {
        "dense1_units": trial.suggest_int("dense1_units", 64, 512, step=64),
        "dense2_units": trial.suggest_int("dense2_units", 32, 256, step=32),
        "dropout": trial.suggest_float("dropout", 0.1, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
    }


FRONTEND = Frontend(
    name="mfcc-mlp",
    sample_rate=SAMPLE_RATE,
    columns=columns(mfcc_mean=N_MFCC),
    extract=extract,
    duration=3.0,
)

RECIPE = Recipe(
    name="mfcc-mlp",
    source="Speech Emotion Classification",
    frontend=FRONTEND,
    augment=tempo_and_pitch,
    build=build,
    params={"dense1_units": 256, "dense2_units": 128, "dropout": 0.3},
    search=search,
    train=TrainSettings(patience=20),
    frames=1,
)
