"""A pretrained speech encoder, many voices, and a small head: the system that predicts by default.

Means and deviations of the hidden states of two encoders, Moonshine tiny (what is said) and
smart-turn (its melody), through a committee of small dense networks. Half of them hear Moonshine
alone, without the directions in which voices differ: they do better on other languages, the others
on English. All learn from several corpora, from degraded copies of every clip, and from clips shown
against their speaker's own statistics, so that a speaker can be enrolled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.recipes import ALONG_VOICES, OFF_VOICES, Recipe
from ser_cli.sound import encoder
from ser_cli.sound.degrade import anyhow
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Params


FIRST = 2 * sum(encoder.WIDTHS["moonshine-tiny"])  # features of the encoder that is first


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Average a committee of Dropout, Dense, Dropout and a softmax, each trained by itself."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    everything = layers.Flatten()(inputs)
    strict = everything[:, : params["first"]]
    if params["voices"]:
        fixed = {"use_bias": False, "kernel_initializer": "zeros", "trainable": False}
        along = layers.Dense(params["voices"], name=ALONG_VOICES, **fixed)(strict)
        off = layers.Dense(strict.shape[-1], name=OFF_VOICES, **fixed)(along)
        strict = layers.Add()([strict, off])
    outputs = []
    for number in range(params["members"]):
        heard = strict if number % 2 else everything
        x = layers.Dropout(params["input_dropout"])(heard)
        x = layers.Dense(params["units"], activation="relu")(x)
        x = layers.Dropout(params["dropout"])(x)
        outputs.append(layers.Dense(n_classes, activation="softmax")(x))
    return Model(inputs, layers.Average()(outputs) if len(outputs) > 1 else outputs[0])


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the committee's size, its dropouts, and how it is trained."""
    return {
        "members": trial.suggest_int("members", 1, 8),
        "units": trial.suggest_int("units", 32, 248, step=12),
        "voices": trial.suggest_int("voices", 0, 20),
        "input_dropout": trial.suggest_float("input_dropout", 0.0, 0.4),
        "dropout": trial.suggest_float("dropout", 0.2, 0.7),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "adapt": trial.suggest_float("adapt", 0.0, 0.6),
    }


def with_encoder(path: Path) -> Recipe:
    """Return the recipe with an encoder of one's own, all of which each member hears."""
    frontend = encoder.frontend(path)
    return replace(RECIPE, frontend=frontend, params={**RECIPE.params, "first": frontend.width})


RECIPE = Recipe(
    name="voice",
    source="this project",
    frontend=encoder.frontend(),
    augment=anyhow,
    build=build,
    params={
        "members": 4,
        "units": 44,
        "voices": 10,
        "first": FIRST,
        "input_dropout": 0.2,
        "dropout": 0.5,
    },
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
    with_encoder=with_encoder,
)
