"""A pretrained speech encoder, many voices, and a small head: the system that predicts by default.

Means and deviations of the hidden states of two encoders, Moonshine tiny (what is said) and
smart-turn (its melody), through a committee of small dense networks. Strict members hear Moonshine
alone, without the directions in which voices differ: they do best on other languages. One hears
all, which is better on English. Free members hear all and are held back less: they know the
speakers they have heard, and are believed as far as dev says, without a dev part not at all; clean
ones are free, and are spared the degraded copies from which all others learn, as they learn from
several corpora, and from clips shown against their speaker's own statistics, so that a speaker can
be enrolled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.recipes import ALONG_VOICES, BELIEF, GATE, MEMBERS, OFF_VOICES, SPARED, Recipe
from ser_cli.sound import encoder
from ser_cli.sound.degrade import anyhow, degrades
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Params


GATE_UNITS, GATE_DROPOUT = 16, 0.2
FIRST = 2 * sum(encoder.WIDTHS["moonshine-tiny"])  # features of the encoder that is first


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Let a committee vote, each member of which is Dropout, Dense, Dropout and a softmax."""
    from keras import Input, Model, layers

    inputs = Input(shape)
    everything = layers.Flatten()(inputs)
    careful = params["input_dropout"], params["units"], params["dropout"]
    free = 0.0, params["free_units"], params["free_dropout"]
    heard = [_without(layers, everything, n, params) for n in range(params["strict"])]
    heard.append(everything)
    said = [_member(layers, x, n_classes, *careful) for x in heard]
    said += [_member(layers, everything, n_classes, *free) for _ in range(params["free"])]
    spared = [f"{SPARED}_{number}" for number in range(params["clean"])]
    said += [_member(layers, everything, n_classes, *free, name=name) for name in spared]
    model = Model(inputs, _vote(layers, said, _gate(layers, everything) if spared else None))
    believed = np.arange(len(said)) < len(heard)
    columns = 2 if spared else 1
    model.get_layer(BELIEF).set_weights([np.column_stack([believed / len(heard)] * columns)])
    return model


def _without(layers: Any, everything: Any, number: int, params: Params) -> Any:
    """Return what a member hears of the first encoder, without some directions of the voices.

    Members that differ are worth more together, so every other one takes off half as many.
    """
    strict, count = everything[:, : params["first"]], params["voices"] >> number % 2
    if not count:
        return strict
    fixed = {"use_bias": False, "kernel_initializer": "zeros", "trainable": False}
    along = layers.Dense(count, name=f"{ALONG_VOICES}_{number}", **fixed)(strict)
    off = layers.Dense(strict.shape[-1], name=f"{OFF_VOICES}_{number}", **fixed)(along)
    return layers.Add()([strict, off])


def _member(
    layers: Any,
    heard: Any,
    n_classes: int,
    missed: float,
    units: int,
    dropout: float,
    name: str | None = None,
) -> Any:
    x = layers.Dropout(missed)(heard) if missed else heard
    x = layers.Dense(units, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return layers.Dense(n_classes, activation="softmax", name=name)(x)


def _gate(layers: Any, heard: Any) -> Any:
    """Return how much a clip sounds as recordings do, and how much otherwise, (N, 2)."""
    x = layers.Dropout(GATE_DROPOUT)(heard)
    x = layers.Dense(GATE_UNITS, activation="relu")(x)
    return layers.Dense(2, activation="softmax", name=GATE)(x)


def _vote(layers: Any, said: list[Any], gate: Any = None) -> Any:
    """Return what members say together, each as far as it is believed of such a sound."""
    x = layers.Concatenate(name=MEMBERS)(said)
    x = layers.Permute((2, 1))(layers.Reshape((len(said), said[0].shape[-1]))(x))
    columns = 1 if gate is None else gate.shape[1]
    x = layers.Dense(columns, use_bias=False, trainable=False, name=BELIEF)(x)
    x = x if gate is None else layers.Dot((2, 1))([x, gate])
    return layers.Reshape(said[0].shape[1:])(x)


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest the committee's size, its dropouts, and how it is trained."""
    return {
        "strict": trial.suggest_int("strict", 0, 4),
        "free": trial.suggest_int("free", 0, 3),
        "clean": trial.suggest_int("clean", 0, 3),
        "units": trial.suggest_int("units", 32, 248, step=12),
        "voices": trial.suggest_int("voices", 0, 20),
        "input_dropout": trial.suggest_float("input_dropout", 0.0, 0.4),
        "dropout": trial.suggest_float("dropout", 0.2, 0.7),
        "free_units": trial.suggest_int("free_units", 32, 248, step=12),
        "free_dropout": trial.suggest_float("free_dropout", 0.1, 0.5),
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
        "strict": 3,
        "units": 44,
        "voices": 10,
        "first": FIRST,
        "input_dropout": 0.2,
        "dropout": 0.5,
        "free": 1,
        "clean": 3,
        "free_units": 80,
        "free_dropout": 0.25,
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
        synthesised=500,
        weights={
            "ravdess": 1.0,
            "nemo": 0.25,
            "emovo": 0.1,
            "aesdd": 0.1,
            "ased": 0.1,
            "no-speech": 0.1,
            "synthesised": 0.1,
        },
        refit=True,
    ),
    frames=1,
    with_encoder=with_encoder,
    halves=True,
    degrades=degrades,
)
