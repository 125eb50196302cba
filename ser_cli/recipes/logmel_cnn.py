"""A log-mel picture of 3 s through three 2-D convolutions.

The reference system is the final model of Speech Emotion Classification.

The document gives sizes of picture and dense layer, blocks, optimizer and its rate. Filters, pools,
dropout, scaling, the mean over time before the dense layer and the bounds of the training are
ours; so are the copies, which it has none of. (Flattened, tens of thousands of values that are
all positive reach the dense layer, each step of Adam moves its sums by a lot, and it hardly
learns.)
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
FRAMES, N_MELS = 128, 128
BLOCKS = (("conv1", 4), ("conv2", 4), ("conv3", 2))  # and the size of each one's pool
POOLED = 4 * 4 * 2
# An epoch has 54 steps. Keras's own 0.99 remembers two epochs of them, and as long does dev see a
# network that is not there any more.
BN_MOMENTUM = 0.9


def extract(waveform: Floats) -> Floats:
    """Return the power in 128 mel bands, in dB, of the first 128 frames.

    Args:
        waveform: (n,) at 22,050 Hz; 3 s are 130 frames, of which the last two are cut.

    Returns:
        (t, 128), t at most 128.
    """
    return features.mel_decibels(features.spectrum(waveform, SAMPLE_RATE), N_MELS)[:FRAMES]


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack 3 x (Conv2D, BN, MaxPool, Dropout), mean over time, Dense, Dropout, softmax."""
    from keras import Input, Sequential, layers

    stack: list[Any] = [Input(shape), layers.Reshape((*shape, 1))]
    for block, pool in BLOCKS:
        stack += [
            layers.Conv2D(params[f"{block}_filters"], 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=BN_MOMENTUM),
            layers.MaxPooling2D(pool),
            layers.Dropout(params["conv_dropout"]),
        ]
    stack += [
        layers.AveragePooling2D((shape[0] // POOLED, 1)),
        layers.Flatten(),
        layers.Dense(params["dense_units"], activation="relu"),
        layers.Dropout(params["dropout"]),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return Sequential(stack)


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest filters, size of the dense layer, dropouts, learning rate and batch size."""
    return {
        "conv1_filters": trial.suggest_int("conv1_filters", 16, 64, step=16),
        "conv2_filters": trial.suggest_int("conv2_filters", 32, 128, step=32),
        "conv3_filters": trial.suggest_int("conv3_filters", 32, 256, step=32),
        "conv_dropout": trial.suggest_float("conv_dropout", 0.0, 0.3),
        "dense_units": trial.suggest_int("dense_units", 64, 512, step=64),
        "dropout": trial.suggest_float("dropout", 0.1, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
    }


FRONTEND = Frontend(
    name="logmel-cnn",
    sample_rate=SAMPLE_RATE,
    columns=columns(mel=N_MELS),
    extract=extract,
    duration=3.0,
)

RECIPE = Recipe(
    name="logmel-cnn",
    source="Speech Emotion Classification",
    frontend=FRONTEND,
    augment=tempo_and_pitch,
    build=build,
    params={
        "conv1_filters": 32,
        "conv2_filters": 64,
        "conv3_filters": 128,
        "conv_dropout": 0.1,
        "dense_units": 256,
        "dropout": 0.3,
    },
    search=search,
    train=TrainSettings(
        learning_rate=5e-4, patience=15, schedule="plateau", min_learning_rate=1e-6
    ),
    frames=FRAMES,
)
