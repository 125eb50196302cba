"""2,376 values of a clip, read from first to last by five convolutions.

The reference system is Emotion Detection from Speech.

The document has 13 MFCC, which cannot make 2,376 values with zero-crossing rate and level; 20 can:
22 rows of 108 frames. It gives five convolutions, Adam, 40 epochs, batches of 64 and about 7.2
million parameters; these filters, kernels, pools and the dense layer with its normalisation meet
that number. It names five kinds of augmentation and no amounts; those are ours, and so are the
dropout, one copy, the learning rate and how the plateau lowers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.recipes import Recipe
from ser_cli.sound import descriptors, features
from ser_cli.sound.augment import noise, peak, shift, speed, stretch_and_shift
from ser_cli.sound.frontend import Frontend, cells, columns
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Copy, Floats, Params

SAMPLE_RATE = 22_050
N_MFCC = 20
FRAMES = 108  # of 2.5 s
# An epoch has 27 steps without copies: Keras's own 0.99 would remember four epochs of them.
BN_MOMENTUM = 0.9
BLOCKS = ((5, 5), (5, 5), (5, 5), (3, 5), (3, 3))  # kernel and pool of each convolution


def extract(waveform: Floats) -> Floats:
    """Return 20 MFCC, zero-crossing rate and level over time, one row after the other.

    Args:
        waveform: (n,) at 22,050 Hz, 2.5 s of it are used.

    Returns:
        (1, 2376).
    """
    waveform = features.at_least(waveform, (FRAMES - 1) * features.HOP_LENGTH)
    spec = features.spectrum(waveform, SAMPLE_RATE)
    parts = (
        features.mfcc(features.mel_decibels(spec), N_MFCC),
        descriptors.zero_crossing_rate(waveform),
        descriptors.rms(waveform),
    )
    return np.hstack(parts, dtype=np.float32)[:FRAMES].T.reshape(1, -1)


def augment(waveform: Floats, copy: Copy) -> Floats:
    """Draw which of the five to do: stretch, pitch, speed, shift, noise; each every other time.

    Tempo .9 to 1.1, pitch +-1 semitone, speed .9 to 1.1, shift +-.25 s, noise up to .035 of the
    peak.
    """
    rng = copy.rng
    stretched, pitched, faster, shifted, noisy = rng.random(5) < 0.5
    rate = rng.uniform(0.9, 1.1) if stretched else 1.0
    semitones = rng.uniform(-1, 1) if pitched else 0.0
    if stretched or pitched:
        waveform = stretch_and_shift(waveform, rate=rate, semitones=semitones)
    if faster:
        waveform = speed(waveform, rng.uniform(0.9, 1.1))
    if shifted:
        waveform = shift(waveform, round(rng.uniform(-0.25, 0.25) * SAMPLE_RATE))
    if noisy:
        waveform = noise(waveform, rng, peak(waveform) * rng.uniform(0, 0.035))
    return waveform


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack 5 x (Conv1D, BN, MaxPool), Dropout, Dense, BN, Dropout along the values."""
    from keras import Input, Sequential, layers

    stack: list[Any] = [Input(shape), layers.Reshape((shape[0] * shape[1], 1))]
    for number, (kernel, pool) in enumerate(BLOCKS, start=1):
        stack += [
            layers.Conv1D(
                params[f"conv{number}_filters"], kernel, padding="same", activation="relu"
            ),
            layers.BatchNormalization(momentum=BN_MOMENTUM),
            layers.MaxPooling1D(pool, strides=2, padding="same"),
        ]
    stack += [
        layers.Flatten(),
        layers.Dropout(params["dropout"]),
        layers.Dense(params["dense_units"], activation="relu"),
        layers.BatchNormalization(momentum=BN_MOMENTUM),
        layers.Dropout(params["dropout"]),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return Sequential(stack)


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest filters, size of the dense layer, dropout, learning rate and batch size."""
    suggested: dict[str, Any] = {
        f"conv{number}_filters": trial.suggest_int(f"conv{number}_filters", 64, most, step=64)
        for number, most in enumerate((512, 512, 512, 256, 256), start=1)
    }
    return suggested | {
        "dense_units": trial.suggest_int("dense_units", 128, 512, step=128),
        "dropout": trial.suggest_float("dropout", 0.1, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128]),
    }


FRONTEND = Frontend(
    name="mfcc-cnn1d",
    sample_rate=SAMPLE_RATE,
    columns=cells(columns(mfcc=N_MFCC, zcr=1, rms=1), FRAMES),
    extract=extract,
    duration=2.5,
)

RECIPE = Recipe(
    name="mfcc-cnn1d",
    source="Emotion Detection from Speech",
    frontend=FRONTEND,
    augment=augment,
    build=build,
    params={
        "conv1_filters": 512,
        "conv2_filters": 512,
        "conv3_filters": 256,
        "conv4_filters": 256,
        "conv5_filters": 128,
        "dense_units": 512,
        "dropout": 0.3,
    },
    search=search,
    train=TrainSettings(
        batch_size=64,
        epochs=40,
        patience=40,
        copies=1,
        schedule="plateau",
        min_learning_rate=1e-5,
        plateau_patience=3,
    ),
    frames=1,
)
