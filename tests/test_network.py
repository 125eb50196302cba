"""The network and the pipeline around it: known answers, batches, calibration, and the export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest

from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts, network
from ser_cli.model.network import OnnxNetwork
from ser_cli.model.pipeline import Pipeline
from ser_cli.sound.frontend import Frontend, columns


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def inputs(n: int) -> np.ndarray:
    x = np.random.default_rng(0).uniform(0, 0.3, (n, fake.MAX_LEN, 2)).astype("f4")
    x[:, :, 0] *= np.linspace(0, 1.5, n)[:, None]
    x[:, :, 1] = 1
    return x


def expected(x: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    logit = x.mean(axis=1) @ [40, -4]
    return softmax(np.stack([np.zeros_like(logit), logit], axis=1) / temperature)


def pipeline(folder: Path, frontend: Frontend = fake.FRONTEND) -> Pipeline:
    trained = artifacts.load(folder)
    return Pipeline(frontend, trained.preprocessor, OnnxNetwork(trained.onnx), trained.temperature)


def test_another_preprocessor_leaves_the_chosen_labels(tmp_path: Path) -> None:
    trained = artifacts.load(fake.folder(tmp_path))
    one = trained.preprocessor.classes[1]
    network = OnnxNetwork(trained.onnx)
    chosen = Pipeline(fake.FRONTEND, trained.preprocessor, network, labels=(one,))
    again = chosen.with_preprocessor(trained.preprocessor)
    assert again.classes == chosen.classes == (one,)
    assert again.probabilities(list(inputs(3))).shape == (3, 1)


def test_known_probabilities(tmp_path: Path) -> None:
    x = inputs(5)
    found = pipeline(fake.folder(tmp_path)).probabilities(list(x))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(x), atol=1e-5)
    assert found[0].argmax() == 0
    assert found[-1].argmax() == 1


def test_temperature_flattens(tmp_path: Path) -> None:
    x = inputs(5)
    found = pipeline(fake.folder(tmp_path, temperature=2.0)).probabilities(list(x))
    np.testing.assert_allclose(found, expected(x, 2.0), atol=1e-5)


def test_a_network_alone_is_not_calibrated(tmp_path: Path) -> None:
    x = inputs(5)
    ready = pipeline(fake.folder(tmp_path, temperature=2.0))
    found = ready.network.probabilities(list(x), ready.preprocessor)
    np.testing.assert_allclose(found, expected(x), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9])
def test_batches_change_nothing(tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = pipeline(fake.folder(tmp_path))
    x = inputs(9)[:n]
    whole = ready.probabilities(list(x))
    monkeypatch.setattr(network, "BATCH", 2)
    assert ready.probabilities(list(x)).shape == (n, 2)
    # A batch of another size may take another kernel, whose sums differ in float32's last digits.
    np.testing.assert_allclose(ready.probabilities(list(x)), whole, atol=1e-6)


def test_a_network_that_does_not_fit(tmp_path: Path) -> None:
    for changes in ({"max_len": 7}, {"classes": 3}):
        folder = fake.folder(tmp_path / "a")
        fake.unseal(folder)
        fake.network(folder / "model.onnx", **changes)
        artifacts.seal(folder, facts={"recipe": "fake"})
        with pytest.raises(ArtifactsError, match="maps"):
            pipeline(folder)


def test_a_front_end_that_does_not_fit(tmp_path: Path) -> None:
    wider = replace(fake.FRONTEND, columns=columns(mfcc=3))
    with pytest.raises(ArtifactsError, match=r"takes 2 features per frame, but .* makes 3"):
        pipeline(fake.folder(tmp_path), wider)


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    folder = fake.folder(tmp_path)
    fake.unseal(folder)
    (folder / "model.onnx").write_bytes(b"no network")
    artifacts.seal(folder, facts={"recipe": "fake"})
    with pytest.raises(ArtifactsError, match="cannot be loaded"):
        pipeline(folder)


class Pretender:
    """A model whose export computes something else than its call."""

    input_shape = (None, fake.MAX_LEN, 2)

    def __init__(self, error: float) -> None:
        self.error = error

    def __call__(self, x: np.ndarray, training: bool) -> np.ndarray:
        assert training is False
        return expected(x) + self.error

    def export(self, path: Path, format: str, verbose: bool) -> None:
        assert format == "onnx"
        fake.network(path)


def test_export_checks_what_it_wrote(tmp_path: Path) -> None:
    from ser_cli.export.onnx import to_onnx

    to_onnx(Pretender(0), tmp_path / "model.onnx")
    before = (tmp_path / "model.onnx").read_bytes()
    for error in (1e-3, float("nan")):
        with pytest.raises(ArtifactsError, match="differ"):
            to_onnx(Pretender(error), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_keras_exports(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    import onnx

    from ser_cli.export.onnx import to_onnx

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((20, 5)),
            layers.Conv1D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling1D(2),
            layers.SpatialDropout1D(0.2),
            layers.Bidirectional(layers.LSTM(6)),
            layers.Dense(3, activation="softmax"),
        ]
    )
    to_onnx(model, tmp_path / "model.onnx")  # raises where the two differ
    assert (tmp_path / "model.onnx").stat().st_size > 1_000
    # What it would say counts all that was traced before, so that no two files were equal.
    assert onnx.load(tmp_path / "model.onnx").graph.doc_string == ""
