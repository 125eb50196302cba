"""187 features per frame through two convolutions, two BiLSTMs and Luong's attention.

The reference system is Speech Emotion Recognition.

Each of the 216 x 187 cells has its own mean and deviation, as the document scales them. The 128 mel
bands are in dB, where it states only spectrogram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.recipes import Recipe
from ser_cli.sound import descriptors, features
from ser_cli.sound.augment import noise, peak, shift, stretch_and_shift
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.types import Copy, Floats, Params

SAMPLE_RATE = 22_050
N_MFCC, N_MELS = 13, 128


def extract(waveform: Floats) -> Floats:
    """Return 13 MFCC, two derivatives, 12 chroma, 128 mel dB, ZCR and 7 contrasts per frame.

    Args:
        waveform: (n,) at 22,050 Hz; shorter ones than 9 frames are followed by silence.

    Returns:
        (t, 187) with t = 1 + n // 512.
    """
    waveform = features.at_least(waveform, features.SHORTEST)
    spec = features.spectrum(waveform, SAMPLE_RATE)
    mel = features.mel_decibels(spec, N_MELS)
    cepstrum = features.mfcc(mel, N_MFCC)
    parts = (
        cepstrum,
        features.delta(cepstrum),
        features.delta(cepstrum, order=2),
        features.chroma(spec),
        mel,
        descriptors.zero_crossing_rate(waveform),
        features.spectral_contrast(spec),
    )
    return np.hstack(parts, dtype=np.float32)


def augment(waveform: Floats, copy: Copy) -> Floats:
    """Do one to three of these: tempo .8 to 1.2, pitch +-1 semitone, shift +-2 s, noise.

    The noise is up to .035 of the peak. The document draws so many, without saying more than that
    for its rarest class.
    """
    rng = copy.rng
    chosen = rng.permutation(4)[: rng.integers(1, 4)]
    rate = rng.uniform(0.8, 1.2) if 0 in chosen else 1.0
    semitones = rng.uniform(-1, 1) if 1 in chosen else 0.0
    if 0 in chosen or 1 in chosen:
        waveform = stretch_and_shift(waveform, rate=rate, semitones=semitones)
    if 2 in chosen:
        waveform = shift(waveform, round(rng.uniform(-2, 2) * SAMPLE_RATE))
    if 3 in chosen:
        waveform = noise(waveform, rng, peak(waveform) * rng.uniform(0, 0.035))
    return waveform


def build(shape: tuple[int, int], n_classes: int, params: Params) -> keras.Model:
    """Join 2 x (Conv1D, BN, ReLU), MaxPool, 2 x BiLSTM, attention, Dropout and softmax.

    The attention is Luong's "general" one (2015): the last state of both directions asks, every
    frame answers with state . W . frame, and the frames averaged by the softmax of their answers
    are joined to that state, 512 values with 128 units.
    """
    from keras import Input, Model, layers

    frames = entry = Input(shape)
    for block in ("conv1", "conv2"):
        frames = layers.Conv1D(params[f"{block}_filters"], 3, padding="same")(frames)
        frames = layers.ReLU()(layers.BatchNormalization()(frames))
    frames = layers.MaxPooling1D(2)(frames)
    units, dropout = params["lstm_units"], params["dropout"]
    frames = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(frames)
    frames = layers.Dropout(dropout)(frames)
    last = layers.LSTM(units, return_sequences=True, return_state=True)
    frames, forth, _, back, _ = layers.Bidirectional(last)(frames)
    state = layers.Concatenate()([forth, back])
    query = layers.Reshape((1, 2 * units))(layers.Dense(2 * units, use_bias=False)(state))
    context = layers.Flatten()(layers.Attention()([query, frames]))
    joined = layers.Dropout(dropout)(layers.Concatenate()([context, state]))
    return Model(entry, layers.Dense(n_classes, activation="softmax")(joined))


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Suggest filters, LSTM size, dropout, learning rate and batch size."""
    return {
        "conv1_filters": trial.suggest_int("conv1_filters", 32, 128, step=32),
        "conv2_filters": trial.suggest_int("conv2_filters", 64, 256, step=64),
        "lstm_units": trial.suggest_int("lstm_units", 32, 256, step=32),
        "dropout": trial.suggest_float("dropout", 0.2, 0.6),
        "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [8, 16, 32, 64]),
    }


FRONTEND = Frontend(
    name="cnn-lstm-attention",
    sample_rate=SAMPLE_RATE,
    columns=columns(
        mfcc=N_MFCC, mfcc_delta=N_MFCC, mfcc_delta2=N_MFCC, chroma=12, mel=N_MELS, zcr=1, contrast=7
    ),
    extract=extract,
)

RECIPE = Recipe(
    name="cnn-lstm-attention",
    source="Speech Emotion Recognition",
    frontend=FRONTEND,
    augment=augment,
    build=build,
    params={"conv1_filters": 64, "conv2_filters": 128, "lstm_units": 128, "dropout": 0.5},
    search=search,
    train=TrainSettings(
        learning_rate=1e-4, batch_size=8, copies=1, schedule="plateau", min_learning_rate=1e-6
    ),
    frames=216,
    scale="cell",
)
