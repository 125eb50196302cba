"""A pretrained speech encoder, many voices, and a small head: the system that predicts by default.

Means and deviations of the hidden states of Moonshine tiny's first layers, through dense layers.
The head learns from several corpora, from degraded copies of every clip, and from clips shown
against their speaker's own statistics, so that a speaker can be enrolled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ser_cli.recipes import Recipe
from ser_cli.sound import encoder
from ser_cli.sound.degrade import anyhow
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Params


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack Dropout, Dense, Dropout and a softmax."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input(shape),
            layers.Flatten(),
            layers.Dropout(params["input_dropout"]),
            layers.Dense(params["units"], activation="relu"),
            layers.Dropout(params["dropout"]),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the head's size, its dropouts, and how it is trained."""
    return {
        "units": trial.suggest_int("units", 64, 512, step=64),
        "input_dropout": trial.suggest_float("input_dropout", 0.0, 0.4),
        "dropout": trial.suggest_float("dropout", 0.2, 0.7),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "adapt": trial.suggest_float("adapt", 0.0, 0.6),
    }


RECIPE = Recipe(
    name="voice",
    source="this project",
    frontend=encoder.frontend(),
    augment=anyhow,
    build=build,
    params={"units": 256, "input_dropout": 0.2, "dropout": 0.5},
    search=search,
    train=TrainSettings(
        epochs=16,
        batch_size=128,
        learning_rate=1.5e-3,
        keep="last",
        schedule="cosine",
        class_weights=True,
        copies=4,
        adapt=0.45,
        blanks=500,
        weights={
            "ravdess": 1.0,
            "nemo": 0.25,
            "emovo": 0.1,
            "aesdd": 0.1,
            "ased": 0.1,
            "no-speech": 0.1,
        },
        refit=True,
    ),
    frames=1,
    with_encoder=encoder.frontend,
)
