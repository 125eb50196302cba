"""A clip's mean MFCC through two dense layers.

The reference system is the first model of Speech Emotion Classification.

The document says what it is made of, not how large it is or how long it trained; that is ours, and
so are the copies, which it has none of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ser_cli.data.corpora import EMOTIONS
from ser_cli.sound import augment, features
from ser_cli.sound.naming import numbered
from ser_cli.types import Recipe

if TYPE_CHECKING:
    import keras
    import optuna
    from numpy.random import Generator

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


def change(waveform: Floats, rng: Generator, copy: int) -> Floats:
    """Shift by up to 2 semitones, stretch by .9 to 1.1."""
    del copy  # all alike
    return augment.stretch_and_shift(
        waveform, rate=rng.uniform(0.9, 1.1), semitones=rng.uniform(-2, 2)
    )


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


RECIPE = Recipe(
    name="mfcc-mlp",
    source="Speech Emotion Classification",
    sample_rate=SAMPLE_RATE,
    duration=3.0,
    labels=EMOTIONS,
    features=N_MFCC,
    columns=numbered(mfcc_mean=N_MFCC),
    frames=1,
    scale="frame",
    version=1,
    extract=extract,
    augment=change,
    build=build,
    defaults={
        "dense1_units": 256,
        "dense2_units": 128,
        "dropout": 0.3,
        "learning_rate": 1e-3,
        "batch_size": 32,
        "epochs": 100,
        "patience": 20,
        "copies": 0,
        "class_weights": False,
        "schedule": "constant",
        "min_learning_rate": 0.0,
        "plateau_factor": 0.5,
        "plateau_patience": 5,
        "mask_frames": 0,
        "mask_columns": 0,
    },
    search=search,
)
