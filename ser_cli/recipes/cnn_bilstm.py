"""The default: 139 features per frame, three convolutions and a BiLSTM.

The reference system is the Emotion classifier prediction project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.recipes import Recipe
from ser_cli.sound import features
from ser_cli.sound.augment import noise, tempo_and_pitch
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Copy, Floats, Params

SAMPLE_RATE = 16_000
N_MFCC = 40


def extract(waveform: Floats) -> Floats:
    """Return 40 MFCC, their first and second derivative, 12 chroma and 7 contrasts per frame.

    Args:
        waveform: (n,) at 16 kHz; shorter ones than 9 frames are followed by silence.

    Returns:
        (t, 139) with t = 1 + n // 512.
    """
    spec = features.spectrum(features.at_least(waveform, features.SHORTEST), SAMPLE_RATE)
    cepstrum = features.mfcc(features.mel_decibels(spec), N_MFCC)
    parts = (
        cepstrum,
        features.delta(cepstrum),
        features.delta(cepstrum, order=2),
        features.chroma(spec),
        features.spectral_contrast(spec),
    )
    return np.hstack(parts, dtype=np.float32)


def augment(waveform: Floats, copy: Copy) -> Floats:
    """Shift by up to 2 semitones, stretch by .9 to 1.1, and every other time add noise of .005.

    The document names the amounts. It does not state how they combine; here noise, which drowns the
    quietest actors, leaves half of the copies clean.
    """
    moved = tempo_and_pitch(waveform, copy)
    return noise(moved, copy.rng, 0.005) if copy.rng.random() < 0.5 else moved


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack the reference network: 3 x (Conv1D, BN, MaxPool, SpatialDropout), BiLSTM, Dense."""
    from keras import Input, Sequential, layers, regularizers

    stack: list[Any] = [Input(shape)]
    for block in ("conv1", "conv2", "conv3"):
        stack += [
            layers.Conv1D(
                params[f"{block}_filters"],
                params["kernel_size"],
                padding="same",
                activation="relu",
                kernel_regularizer=regularizers.L2(params["conv_l2"]),
            ),
            layers.BatchNormalization(),
            layers.MaxPooling1D(params["pool_size"], padding="same"),
            layers.SpatialDropout1D(params["conv_dropout"]),
        ]
    lstm = layers.LSTM(params["lstm_units"], kernel_regularizer=regularizers.L2(params["lstm_l2"]))
    stack += [
        layers.Bidirectional(lstm),
        layers.Dense(
            params["dense_units"],
            activation="relu",
            kernel_regularizer=regularizers.L2(params["dense_l2"]),
        ),
        layers.Dropout(params["dropout"]),
        layers.Dense(
            n_classes, activation="softmax", kernel_regularizer=regularizers.L2(params["output_l2"])
        ),
    ]
    return Sequential(stack)


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the 15 parameters of the document within its ranges."""
    suggested: dict[str, Any] = {
        "conv1_filters": trial.suggest_int("conv1_filters", 32, 256, step=32),
        "conv2_filters": trial.suggest_int("conv2_filters", 32, 256, step=32),
        "conv3_filters": trial.suggest_int("conv3_filters", 64, 256, step=64),
        "kernel_size": trial.suggest_categorical("kernel_size", [3, 5, 7]),
        "pool_size": trial.suggest_categorical("pool_size", [2, 3]),
        "conv_dropout": trial.suggest_float("conv_dropout", 0.1, 0.5),
        "lstm_units": trial.suggest_int("lstm_units", 32, 256, step=32),
        "dense_units": trial.suggest_int("dense_units", 64, 256, step=32),
        "dropout": trial.suggest_float("dropout", 0.2, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [8, 16, 32, 64]),
    }
    for layer in ("conv", "dense", "output", "lstm"):
        suggested[f"{layer}_l2"] = trial.suggest_float(f"{layer}_l2", 1e-6, 1e-2, log=True)
    return suggested


FRONTEND = Frontend(
    name="cnn-bilstm",
    sample_rate=SAMPLE_RATE,
    columns=columns(mfcc=N_MFCC, mfcc_delta=N_MFCC, mfcc_delta2=N_MFCC, chroma=12, contrast=7),
    extract=extract,
)

RECIPE = Recipe(
    name="cnn-bilstm",
    source="Emotion classifier prediction project",
    frontend=FRONTEND,
    augment=augment,
    build=build,
    # The best trial of the reference notebook's own search, its learning rate and batch too.
    params={
        "conv1_filters": 224,
        "conv2_filters": 256,
        "conv3_filters": 128,
        "kernel_size": 7,
        "pool_size": 2,
        "conv_dropout": 0.2,
        "lstm_units": 224,
        "dense_units": 160,
        "dropout": 0.3,
        "conv_l2": 2.9e-6,
        "dense_l2": 2.2e-6,
        "output_l2": 1.86e-3,
        "lstm_l2": 3.37e-5,
    },
    search=search,
    train=TrainSettings(
        learning_rate=4.6957e-4,
        batch_size=16,
        epochs=30,
        copies=1,
        class_weights=True,
        # Not the reference's, which keeps its rate.
        schedule="cosine",
        # Not the reference's: masks stand in for the speakers that a corpus lacks.
        mask_frames=20,
        mask_columns=20,
    ),
)
