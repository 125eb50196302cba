"""What each recipe takes from its document: columns, sizes, layers, training, copies."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import pytest
from librosa import feature

from ser_cli import recipes
from ser_cli.sound import augment
from ser_cli.training import trainer
from ser_cli.types import Copy

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats

# What the documents state, of the input and of the training; what they leave open is not held here.
STATED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cnn-lstm-attention": (
        {"sample_rate": 22_050, "frames": 216, "width": 187, "scale": "cell"},
        {"learning_rate": 1e-4, "batch_size": 8, "epochs": 100, "patience": 10, "copies": 1}
        | {"schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5}
        | {"min_learning_rate": 1e-6},
    ),
    "logmel-cnn": (
        {"sample_rate": 22_050, "duration": 3.0, "frames": 128, "width": 128},
        {"learning_rate": 5e-4, "schedule": "plateau"},
    ),
    "mfcc-cnn1d": (
        {"sample_rate": 22_050, "width": 2376},
        {"batch_size": 64, "epochs": 40, "schedule": "plateau"},
    ),
    "mfcc-mlp": ({"sample_rate": 22_050, "duration": 3.0, "width": 40}, {}),
    "stats-dense": (
        {"sample_rate": 16_000, "duration": 3.5, "width": 181},
        {"learning_rate": 1e-3, "batch_size": 64, "epochs": 100, "patience": 10, "copies": 3}
        | {"schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5},
    ),
}


def noise(rate: int, seconds: float = 1.5) -> Floats:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def network(name: str, classes: int = 8) -> keras.Model:
    recipe = recipes.get(name)
    trainer.prepare(0, threads=1)
    return recipe.build((recipe.frames or 135, recipe.frontend.width), classes, recipe.params)


def kinds(model: keras.Model) -> list[str]:
    ignored = ("InputLayer", "Reshape", "Flatten")
    found = [type(layer).__name__ for layer in model.layers]
    return [kind for kind in found if kind not in ignored]


def rates(model: keras.Model) -> list[float]:
    return [layer.rate for layer in model.layers if "Dropout" in type(layer).__name__]


@pytest.mark.parametrize("name", STATED)
def test_a_recipe_is_what_its_document_states(name: str) -> None:
    recipe, (sound, training) = recipes.get(name), STATED[name]
    for key, stated in sound.items():
        holder = recipe.frontend if hasattr(recipe.frontend, key) else recipe
        assert getattr(holder, key) == stated, key
    assert {key: getattr(recipe.train, key) for key in training} == training


def test_mfcc_mlp_hears_the_mean_mfcc() -> None:
    waveform = noise(22_050, 3.0)
    expected = feature.mfcc(y=waveform, sr=22_050, n_mfcc=40).mean(axis=1)
    made = recipes.get("mfcc-mlp").frontend.features(waveform)
    np.testing.assert_allclose(made, expected[None], atol=2e-3)
    assert kinds(network("mfcc-mlp")) == ["Dense", "Dropout"] * 2 + ["Dense"]


def test_logmel_cnn_sees_the_first_128_frames() -> None:
    waveform = noise(22_050, 3.0)
    mel = librosa.power_to_db(feature.melspectrogram(y=waveform, sr=22_050))
    assert mel.shape == (128, 130)
    made = recipes.get("logmel-cnn").frontend.features(waveform)
    np.testing.assert_allclose(made, mel[:, :128].T, atol=2e-3)


def test_logmel_cnn_stacks_what_its_document_says() -> None:
    model = network("logmel-cnn")
    block = ["Conv2D", "BatchNormalization", "MaxPooling2D", "Dropout"]
    assert kinds(model) == block * 3 + ["AveragePooling2D", "Dense", "Dropout", "Dense"]
    dense = model.layers[-3]
    # 128 mel bands in pools of 4, 4 and 2 are 4; their mean over all that is left of the time.
    assert dense.units == 256 and dense.kernel.shape[0] == 4 * 128
    assert model.layers[0].output.shape[1:] == (128, 128, 1)
    assert model.layers[1].output.shape[1:] == (128, 128, 32)


def test_mfcc_cnn1d_hears_22_rows_one_after_the_other() -> None:
    waveform = noise(22_050, 2.5)
    rows = np.vstack(
        [
            feature.mfcc(y=waveform, sr=22_050, n_mfcc=20),
            feature.zero_crossing_rate(waveform),
            feature.rms(y=waveform),
        ]
    )
    assert rows.shape == (22, 108)
    made = recipes.get("mfcc-cnn1d").frontend.features(waveform)
    np.testing.assert_allclose(made, rows.reshape(1, 2376), atol=2e-3)


def test_mfcc_cnn1d_has_the_stated_size() -> None:
    model = network("mfcc-cnn1d")
    assert model.count_params() == 7_193_736
    block = ["Conv1D", "BatchNormalization", "MaxPooling1D"]
    end = ["Dropout", "Dense", "BatchNormalization", "Dropout", "Dense"]
    assert kinds(model) == block * 5 + end


def test_stats_dense_hears_181_statistics_of_what_is_not_silent() -> None:
    quiet = np.zeros(16_000, np.float32)
    waveform = np.concatenate([quiet, noise(16_000), quiet])  # 3.5 s
    heard, _ = librosa.effects.trim(waveform, top_db=30)
    assert 1.4 * 16_000 < len(heard) < 1.8 * 16_000
    cepstrum = feature.mfcc(y=heard, sr=16_000, n_mfcc=13)
    delta = feature.delta(cepstrum)
    mel = librosa.power_to_db(feature.melspectrogram(y=heard, sr=16_000, n_mels=48))
    shape = np.vstack(
        [
            feature.spectral_centroid(y=heard, sr=16_000),
            feature.spectral_rolloff(y=heard, sr=16_000),
            feature.zero_crossing_rate(heard),
        ]
    )
    chroma = feature.chroma_stft(y=heard, sr=16_000)
    expected = [cepstrum.mean(1), cepstrum.std(1), delta.mean(1), delta.std(1)]
    expected += [mel.mean(1), mel.std(1), shape.mean(1), shape.std(1), shape.max(1)]
    expected += [chroma.mean(1), chroma.std(1)]
    made = recipes.get("stats-dense").frontend.features(waveform)
    assert made.shape == (1, 181)
    np.testing.assert_allclose(made[0], np.concatenate(expected), rtol=1e-4, atol=2e-3)


def test_stats_dense_stacks_what_its_document_says() -> None:
    model = network("stats-dense", classes=7)
    block = ["Dense", "BatchNormalization", "Dropout"]
    assert kinds(model) == block * 3 + ["Dense", "Dropout", "Dense"]
    assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [
        *(512, 256, 128, 64),
        7,
    ]
    assert rates(model) == [0.3, 0.3, 0.2, 0.2]


def test_stats_dense_makes_the_three_stated_copies() -> None:
    change, rate = recipes.get("stats-dense").augment, 16_000
    tone = (0.4 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    slow, high, hissing = (change(tone, Copy(n, np.random.default_rng(0))) for n in (1, 2, 3))
    assert len(slow) == pytest.approx(rate / 0.9, abs=2)
    expected = augment.stretch_and_shift(tone, rate=1, semitones=2)
    np.testing.assert_allclose(high, expected, atol=1e-6)
    assert (hissing - tone).std() == pytest.approx(0.005 * 0.4, rel=0.05)
    # Whatever the generator says, but for the noise itself.
    for number, made in ((1, slow), (2, high)):
        again = change(tone, Copy(number, np.random.default_rng(9)))
        np.testing.assert_array_equal(again, made)


def attention_columns(waveform: Floats) -> np.ndarray:
    cepstrum = feature.mfcc(y=waveform, sr=22_050, n_mfcc=13)
    return np.vstack(
        [
            cepstrum,
            feature.delta(cepstrum),
            feature.delta(cepstrum, order=2),
            feature.chroma_stft(y=waveform, sr=22_050),
            librosa.power_to_db(feature.melspectrogram(y=waveform, sr=22_050)),
            feature.zero_crossing_rate(waveform),
            feature.spectral_contrast(y=waveform, sr=22_050),
        ]
    )


def test_cnn_lstm_attention_columns_are_librosas_in_the_stated_order() -> None:
    waveform = noise(22_050)
    made = recipes.get("cnn-lstm-attention").frontend.extract(waveform)
    np.testing.assert_allclose(made, attention_columns(waveform).T, atol=2e-3)


def test_cnn_lstm_attention_rms_has_one_row_more_and_else_nothing() -> None:
    waveform = noise(22_050)
    plain, more = recipes.get("cnn-lstm-attention"), recipes.get("cnn-lstm-attention-rms")
    made = more.frontend.extract(waveform)
    np.testing.assert_array_equal(made[:, :187], plain.frontend.extract(waveform))
    np.testing.assert_allclose(made[:, 187], feature.rms(y=waveform)[0], rtol=1e-4)
    assert (more.params, more.train) == (plain.params, plain.train) and more.build is plain.build


def test_cnn_lstm_attention_has_the_size_of_its_layers() -> None:
    def lstm(inputs: int, units: int) -> int:
        return 2 * 4 * (units * (inputs + units) + units)  # both ways; three gates and the cell

    expected = (
        *(3 * 187 * 64 + 64, 4 * 64, 3 * 64 * 128 + 128, 4 * 128),
        *(lstm(128, 128), lstm(256, 128)),
        256 * 256,  # the attention's W
        512 * 8 + 8,
    )
    assert network("cnn-lstm-attention").count_params() == sum(expected)


def test_cnn_lstm_attention_halves_the_frames_and_attends_as_luong() -> None:
    import keras

    model = network("cnn-lstm-attention")
    recurrent = [layer for layer in model.layers if type(layer).__name__ == "Bidirectional"]
    assert [layer.input.shape[1:] for layer in recurrent] == [(108, 128), (108, 256)]
    outputs = recurrent[1].output
    joined = model.layers[-1].input
    assert joined.shape == (None, 512)
    inside = keras.Model(model.input, [outputs[0], outputs[1], outputs[3], joined])
    x = np.random.default_rng(0).standard_normal((3, 216, 187)).astype(np.float32)
    frames, forth, back, context_and_state = map(np.asarray, inside(x, training=False))
    state = np.concatenate([forth, back], axis=1)
    np.testing.assert_allclose(forth, frames[:, -1, :128], atol=1e-6)  # the last frame heard
    np.testing.assert_allclose(back, frames[:, 0, 128:], atol=1e-6)
    (w,) = [layer for layer in model.layers if getattr(layer, "use_bias", True) is False]
    scores = np.einsum("nq,qk,ntk->nt", state, np.asarray(w.kernel), frames)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert weights.std() > 1e-5  # not all alike: there is something to get wrong
    context = np.einsum("nt,ntk->nk", weights, frames)
    np.testing.assert_allclose(context_and_state[:, :256], context, atol=1e-5)
    np.testing.assert_allclose(context_and_state[:, 256:], state, atol=1e-6)
    assert rates(model) == [0.5, 0.5]


def drawn(name: str, monkeypatch: pytest.MonkeyPatch, n: int = 400) -> list[dict[str, float]]:
    """Return the amounts of each change in n copies, without doing any."""
    copies: list[dict[str, float]] = []

    def moved(waveform: Floats, *, rate: float, semitones: float) -> Floats:
        copies[-1] |= {"rate": rate} if rate != 1 else {}
        copies[-1] |= {"semitones": semitones} if semitones else {}
        return waveform

    def note(kind: str, amount: float, waveform: Floats) -> Floats:
        copies[-1][kind] = amount
        return waveform

    module = import_module(f"ser_cli.recipes.{name.replace('-', '_')}")
    for kind, noted in {
        "stretch_and_shift": moved,
        "speed": lambda w, rate: note("speed", rate, w),
        "shift": lambda w, samples: note("shift", samples, w),
        "noise": lambda w, rng, amount: note("noise", amount, w),
    }.items():
        if hasattr(module, kind):
            monkeypatch.setattr(module, kind, noted)
    waveform = np.array([0.1, -0.5], np.float32)
    for seed in range(n):
        copies.append({})
        recipes.get(name).augment(waveform, Copy(1, np.random.default_rng(seed)))
    return copies


def reaches(copies: list[dict[str, float]], kind: str, low: float, high: float) -> bool:
    amounts = [copy[kind] for copy in copies if kind in copy]
    edge = 0.1 * (high - low)
    return low <= min(amounts) < low + edge and high - edge < max(amounts) <= high


def test_mfcc_cnn1d_makes_all_five_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = drawn("mfcc-cnn1d", monkeypatch)
    for kind, low, high in (
        ("rate", 0.9, 1.1),
        ("semitones", -1, 1),
        ("speed", 0.9, 1.1),
        ("shift", -0.25 * 22_050, 0.25 * 22_050),
        ("noise", 0, 0.035 * 0.5),  # of the peak
    ):
        assert reaches(copies, kind, low, high), kind
        assert 0.4 < np.mean([kind in copy for copy in copies]) < 0.6, kind


def test_cnn_lstm_attention_makes_one_to_three_of_four_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copies = drawn("cnn-lstm-attention", monkeypatch)
    for kind, low, high in (
        ("rate", 0.8, 1.2),
        ("semitones", -1, 1),
        ("shift", -2 * 22_050, 2 * 22_050),
        ("noise", 0, 0.035 * 0.5),
    ):
        assert reaches(copies, kind, low, high), kind
        assert 0.4 < np.mean([kind in copy for copy in copies]) < 0.6, kind
    counts = np.bincount([len(copy) for copy in copies], minlength=5) / len(copies)
    assert counts[[0, 4]].sum() == 0 and counts[1:4].min() > 0.25


def test_cnn_bilstm_frames_and_columns() -> None:
    frontend = recipes.get("cnn-bilstm").frontend
    assert (frontend.width, frontend.sample_rate, frontend.duration) == (139, 16_000, None)
    for n in (8 * 512, 16_000, 50_000):
        assert frontend.extract(np.zeros(n, np.float32)).shape == (1 + n // 512, 139)
    # Shorter than the 9 frames a derivative needs: silence follows.
    assert frontend.extract(np.full(100, 0.1, np.float32)).shape == (9, 139)


def test_cnn_bilstm_columns_are_librosas_in_the_stated_order() -> None:
    waveform, rate = noise(16_000), 16_000
    cepstrum = feature.mfcc(y=waveform, sr=rate, n_mfcc=40)
    rows = np.vstack(
        [
            cepstrum,
            feature.delta(cepstrum),
            feature.delta(cepstrum, order=2),
            feature.chroma_stft(y=waveform, sr=rate),
            feature.spectral_contrast(y=waveform, sr=rate),
        ]
    )
    np.testing.assert_allclose(
        recipes.get("cnn-bilstm").frontend.extract(waveform), rows.T, atol=2e-3
    )


def test_cnn_bilstm_has_the_stated_size() -> None:
    recipe = recipes.get("cnn-bilstm")
    frames, features, classes = 135, 139, 8
    conv1, conv2, conv3, kernel, lstm, dense = 224, 256, 128, 7, 224, 160

    def convolution(inputs: int, filters: int) -> int:
        normalisation = 4 * filters  # gain, offset, and two running statistics
        return kernel * inputs * filters + filters + normalisation

    one_way = 4 * (lstm * (conv3 + lstm) + lstm)  # three gates and the cell
    expected = (
        convolution(features, conv1)
        + convolution(conv1, conv2)
        + convolution(conv2, conv3)
        + 2 * one_way
        + (2 * lstm * dense + dense)
        + (dense * classes + classes)
    )
    model = recipe.build((frames, features), classes, recipe.params)
    assert model.count_params() == expected


def test_cnn_bilstm_stacks_what_its_document_says() -> None:
    recipe = recipes.get("cnn-bilstm")
    model = recipe.build((135, 139), 8, recipe.params)
    names = [type(layer).__name__ for layer in model.layers]
    block = ["Conv1D", "BatchNormalization", "MaxPooling1D", "SpatialDropout1D"]
    assert names == block * 3 + ["Bidirectional", "Dense", "Dropout", "Dense"]
    assert [layer.rate for layer in model.layers if "Dropout" in type(layer).__name__] == [
        *(0.2, 0.2, 0.2),
        0.3,
    ]
    assert len(model.losses) == 7  # L2 of three convolutions, both ways of the LSTM, two denses
