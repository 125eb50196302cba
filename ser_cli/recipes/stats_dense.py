"""181 statistics of a clip through four dense layers.

The reference system is Emotion Classification on Speech Data.

The parts the document lists sum to 105. These are built as listed, and the deviations and maxima of
the same families fill the vector up to its 181.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.recipes import Recipe
from ser_cli.sound import descriptors, features
from ser_cli.sound.augment import noise, peak, stretch_and_shift
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Copy, Floats, Params

SAMPLE_RATE = 16_000
N_MFCC, N_MELS = 13, 48
TRIM_DB = 30
SHAPE = ("centroid", "rolloff", "zcr")
DOCUMENTED_COPIES = 3


def extract(waveform: Floats) -> Floats:
    """Return statistics over time of a clip whose silent ends (30 dB below the loudest) are cut.

    Args:
        waveform: (n,) at 16 kHz.

    Returns:
        (1, 181), in this order; those marked * are the document's:

        | values  | of                                      | statistic        |
        |---------|-----------------------------------------|------------------|
        | 13 + 13 | 13 MFCC                                 | mean *, std *    |
        | 13 + 13 | their first derivative                  | mean *, std      |
        | 48 + 48 | power in 48 mel bands, dB               | mean *, std      |
        | 3 + 3   | centroid (Hz), rolloff (Hz), zero-crossing rate | mean *, std * |
        | 3       | the same three                          | maximum          |
        | 12 + 12 | chroma                                  | mean *, std      |
    """
    heard = features.at_least(descriptors.trim(waveform, TRIM_DB), features.SHORTEST)
    spec = features.spectrum(heard, SAMPLE_RATE)
    cepstrum = features.mfcc(features.mel_decibels(spec), N_MFCC)
    shape = np.hstack(
        [
            descriptors.spectral_centroid(spec),
            descriptors.spectral_rolloff(spec),
            descriptors.zero_crossing_rate(heard),
        ]
    )
    parts = (
        _mean_std(cepstrum),
        _mean_std(features.delta(cepstrum)),
        _mean_std(features.mel_decibels(spec, N_MELS)),
        _mean_std(shape),
        shape.max(axis=0),
        _mean_std(features.chroma(spec)),
    )
    return np.hstack(parts, dtype=np.float32)[None]


def augment(waveform: Floats, copy: Copy) -> Floats:
    """Stretch to a tempo of .9, shift by 2 semitones, or add noise of .5 % of the peak, in turn.

    The first three copies are the document's. Later ones do the same with another strength, drawn
    between its opposite and itself.
    """
    strength = 1.0 if copy.number <= DOCUMENTED_COPIES else copy.rng.uniform(-1, 1)
    kind = (copy.number - 1) % DOCUMENTED_COPIES
    if kind == 0:
        return stretch_and_shift(waveform, rate=1 - 0.1 * strength, semitones=0)
    if kind == 1:
        return stretch_and_shift(waveform, rate=1, semitones=2 * strength)
    return noise(waveform, copy.rng, 0.005 * abs(strength) * peak(waveform))


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Stack three times (Dense, BN, Dropout), and a last Dense with Dropout alone."""
    from keras import Input, Sequential, layers

    stack: list[Any] = [Input(shape), layers.Flatten()]
    for number in (1, 2, 3, 4):
        stack.append(layers.Dense(params[f"dense{number}_units"], activation="relu"))
        if number < 4:
            stack.append(layers.BatchNormalization())
        stack.append(layers.Dropout(params["early_dropout" if number < 3 else "late_dropout"]))
    return Sequential([*stack, layers.Dense(n_classes, activation="softmax")])


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest sizes, dropouts, learning rate and batch size."""
    return {
        "dense1_units": trial.suggest_int("dense1_units", 128, 1024, step=128),
        "dense2_units": trial.suggest_int("dense2_units", 64, 512, step=64),
        "dense3_units": trial.suggest_int("dense3_units", 32, 256, step=32),
        "dense4_units": trial.suggest_int("dense4_units", 32, 128, step=32),
        "early_dropout": trial.suggest_float("early_dropout", 0.1, 0.5),
        "late_dropout": trial.suggest_float("late_dropout", 0.1, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
    }


def _mean_std(frames: Floats) -> Floats:
    return np.hstack([frames.mean(axis=0), frames.std(axis=0)])


FRONTEND = Frontend(
    name="stats-dense",
    sample_rate=SAMPLE_RATE,
    columns=columns(
        **{f"{name}_{kind}": N_MFCC for name in ("mfcc", "mfcc_delta") for kind in ("mean", "std")},
        mel_mean=N_MELS,
        mel_std=N_MELS,
        **{f"{name}_{kind}": 1 for kind in ("mean", "std", "max") for name in SHAPE},
        chroma_mean=12,
        chroma_std=12,
    ),
    extract=extract,
    duration=3.5,
)

RECIPE = Recipe(
    name="stats-dense",
    source="Emotion Classification on Speech Data",
    frontend=FRONTEND,
    augment=augment,
    build=build,
    params={
        "dense1_units": 512,
        "dense2_units": 256,
        "dense3_units": 128,
        "dense4_units": 64,
        "early_dropout": 0.3,
        "late_dropout": 0.2,
    },
    search=search,
    train=TrainSettings(batch_size=64, copies=DOCUMENTED_COPIES, schedule="plateau"),
    frames=1,
)
