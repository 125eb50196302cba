"""The artifacts folder: other scripts can read it, and nothing in it is trusted or half written."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake
import joblib
import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder, StandardScaler

from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts, pickles, sklearn_files
from ser_cli.model.pickles import read_state
from ser_cli.types import Preprocessor

EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fake.folder(tmp_path / "a", temperature=1.5)


def preprocessor(n: int = 3) -> Preprocessor:
    rng = np.random.default_rng(0)
    return Preprocessor(135, rng.standard_normal(n), rng.uniform(1, 2, n), EIGHT)


def test_reference_scripts_read_what_is_written(tmp_path: Path) -> None:
    made = preprocessor()
    artifacts.write_shared(tmp_path, made)
    scaler = joblib.load(tmp_path / "scaler.pkl")
    encoder = joblib.load(tmp_path / "label_encoder.pkl")
    x = np.random.default_rng(1).standard_normal((4, 3))
    np.testing.assert_allclose(scaler.transform(x), (x - made.mean) / made.scale)
    assert encoder.classes_.dtype == "<U9"
    assert encoder.inverse_transform([7]).tolist() == ["surprised"]
    max_len = np.load(tmp_path / "max_len.npy")
    assert (max_len.shape, max_len.dtype, int(max_len)) == ((), np.int64, 135)


def test_a_system_without_scaling(tmp_path: Path) -> None:
    made = Preprocessor(7, np.zeros(0), np.zeros(0), ("a", "b"))
    artifacts.write_shared(tmp_path, made)
    fake.network(tmp_path / "model.onnx")
    artifacts.seal(tmp_path, facts={"recipe": "fake"})
    back = artifacts.load(tmp_path).preprocessor
    assert (back.mean.shape, back.scale.shape, back.max_len) == ((0,), (0,), 7)
    x = np.ones((2, 5))
    assert np.array_equal(joblib.load(tmp_path / "scaler.pkl").transform(x), x)


def test_load_gives_back_what_was_sealed(folder: Path) -> None:
    back = artifacts.load(folder)
    assert (back.recipe, back.temperature, back.folder) == ("fake", 1.5, folder)
    assert back.preprocessor.classes == fake.CLASSES
    assert back.preprocessor.max_len == fake.MAX_LEN
    assert back.manifest["format"] == 1
    assert set(back.manifest["files"]) == set(artifacts.NEEDED)
    assert artifacts.is_complete(folder)


def fitted() -> StandardScaler:
    return StandardScaler().fit(np.random.default_rng(0).standard_normal((50, 3)))


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("dump", ["pickle", "joblib"])
def test_reads_pickle_and_joblib(tmp_path: Path, dump: str, protocol: int) -> None:
    encoder = LabelEncoder()
    encoder.classes_ = np.array(EIGHT)
    for kind, estimator in (("StandardScaler", fitted()), ("LabelEncoder", encoder)):
        path = tmp_path / kind
        if dump == "pickle":
            path.write_bytes(pickle.dumps(estimator, protocol=protocol))
        else:
            joblib.dump(estimator, path, protocol=protocol)
        state = read_state(path, kind)
        assert state.keys() == estimator.__getstate__().keys()
        for name, value in estimator.__getstate__().items():
            np.testing.assert_array_equal(state[name], value)


class Canary:
    """Runs something when it is unpickled by a trusting reader."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def canaries(target: Path) -> dict[str, Any]:
    scaler, encoder = fitted(), LabelEncoder()
    touch = f"open({str(target)!r}, 'w')"
    scaler.mean_ = Canary(builtins.eval, touch)
    encoder.classes_ = np.array([Canary(builtins.eval, touch), "sad"], dtype=object)
    return {
        "system": Canary(os.system, f'"{sys.executable}" -c "{touch}"'),
        "eval": Canary(builtins.eval, touch),
        "mkdir": Canary(os.mkdir, str(target)),
        "path": Canary(Path.touch, target),
        "in a scaler": scaler,
        "in an array of objects": encoder,
        "joblib within": Canary(joblib.load, str(target)),
        "a bare dict": {"mean_": np.zeros(3)},
        "an unknown estimator": Canary,
        "numpy's loader": Canary(np.load, str(target)),
    }


@pytest.mark.parametrize(
    "dump", [joblib.dump, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
@pytest.mark.parametrize("name", canaries(Path("x")))
def test_canaries_stay_alive(tmp_path: Path, name: str, dump: Any) -> None:
    target, path = tmp_path / "sung", tmp_path / "scaler.pkl"
    dump(canaries(target)[name], path)
    for kind in ("StandardScaler", "LabelEncoder"):
        with pytest.raises(ArtifactsError, match="not to be trusted"):
            read_state(path, kind)
    assert not target.exists()


def test_the_canaries_do_sing(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(canaries(tmp_path / "sung")["eval"]))
    assert (tmp_path / "sung").exists()


def test_forged_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    joblib.dump(fitted(), path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(ArtifactsError):
            read_state(path, "StandardScaler")
    rng = np.random.default_rng(0)
    for _ in range(300):
        forged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            forged[place] = rng.integers(256)
        path.write_bytes(forged)
        try:
            state = read_state(path, "StandardScaler")
        except ArtifactsError:
            continue
        assert isinstance(state, dict)


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_compressed_one_is_told_how_to_be_written(tmp_path: Path, method: str) -> None:
    joblib.dump(fitted(), tmp_path / "a", compress=(method, 3))
    with pytest.raises(ArtifactsError, match=r"is compressed; write it with .*compress=0"):
        read_state(tmp_path / "a", "StandardScaler")


def test_one_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(fitted(), tmp_path / "a")
    monkeypatch.setattr(pickles, "LARGEST_BYTES", 100)
    with pytest.raises(ArtifactsError, match="larger than any scaler"):
        read_state(tmp_path / "a", "StandardScaler")


def test_wrong_kind_or_missing(tmp_path: Path) -> None:
    joblib.dump(fitted(), tmp_path / "b")
    with pytest.raises(ArtifactsError, match="holds no LabelEncoder"):
        read_state(tmp_path / "b", "LabelEncoder")
    with pytest.raises(ArtifactsError, match="missing"):
        read_state(tmp_path / "c", "StandardScaler")
    encoder = LabelEncoder()
    encoder.classes_ = np.array(EIGHT, dtype=object)  # harmless, but how would one know
    joblib.dump(encoder, tmp_path / "d")
    with pytest.raises(ArtifactsError, match="type 'O8' is refused"):
        read_state(tmp_path / "d", "LabelEncoder")


@pytest.mark.parametrize("name", artifacts.NEEDED)
def test_changed_or_missing_files(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactsError, match="not the file that was sealed") as caught:
        artifacts.load(folder)
    assert "ser train" in caught.value.hint
    path.write_bytes(content + b"x")
    assert not artifacts.is_complete(folder)
    with pytest.raises(ArtifactsError):
        artifacts.load(folder, verify=())
    path.unlink()
    with pytest.raises(ArtifactsError, match="missing"):
        artifacts.load(folder)
    assert not artifacts.is_complete(folder)


def test_unusable_manifests(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "manifest.json"
    for text, reason in (
        ("{", "cannot be read"),
        ("[]", "no manifest"),
        ('{"format": 1}', "no manifest"),
        (manifest.read_text().replace('"format": 1', '"format": 2'), "newer version"),
    ):
        manifest.write_text(text)
        with pytest.raises(ArtifactsError, match=reason) as caught:
            artifacts.load(folder)
        assert caught.value.hint
        assert not artifacts.is_complete(folder)
    manifest.unlink()
    with pytest.raises(ArtifactsError, match="no finished training"):
        artifacts.load(folder)
    with pytest.raises(ArtifactsError, match="no such artifacts folder"):
        artifacts.load(tmp_path / "nowhere")


def test_a_sealed_folder_is_not_written_to(folder: Path) -> None:
    with pytest.raises(ArtifactsError, match="sealed"):
        artifacts.write_shared(folder, preprocessor())
    with pytest.raises(ArtifactsError, match="sealed"):
        artifacts.seal(folder, facts={"recipe": "fake"})
    artifacts.unseal(folder)
    assert not artifacts.is_complete(folder)
    artifacts.write_shared(folder, preprocessor())
    artifacts.seal(folder, facts={"recipe": "fake"})
    assert artifacts.load(folder).preprocessor.max_len == 135


def test_seal_wants_all_that_prediction_needs(tmp_path: Path) -> None:
    artifacts.write_shared(tmp_path, preprocessor())
    with pytest.raises(ArtifactsError, match=r"model\.onnx missing"):
        artifacts.seal(tmp_path, facts={"recipe": "fake"})
    assert not (tmp_path / "manifest.json").exists()


def test_extra_files_are_covered_when_known(folder: Path) -> None:
    artifacts.unseal(folder)
    (folder / "history.csv").write_text("epoch,loss\n")
    (folder / "notes.txt").write_text("mine")
    artifacts.seal(folder, facts={"recipe": "fake"})
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert "history.csv" in files
    assert "notes.txt" not in files
    (folder / "history.csv").write_text("epoch,gain\n")
    artifacts.load(folder)  # what prediction reads is as it was
    with pytest.raises(ArtifactsError, match=r"history\.csv"):
        artifacts.load(folder, verify=artifacts.FILES)


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ser_cli.recipes.get", lambda name: name)  # both recipes exist
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(artifacts, "packaged", lambda: shipped)
    with pytest.raises(ArtifactsError) as caught:
        artifacts.resolve(None, recipe="fake")
    assert caught.value.hint.endswith("ser train --recipe fake")
    shipped.mkdir()
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "unguarded")
    fake.folder(shipped)
    monkeypatch.setattr(artifacts, "packaged", lambda: shipped)
    assert artifacts.resolve(None, recipe="fake") == shipped
    with pytest.raises(ArtifactsError):  # never another recipe's model in silence
        artifacts.resolve(None, recipe="other")
    own = fake.folder(Path("artifacts") / "fake")
    assert artifacts.resolve(None, recipe="fake") == own
    artifacts.unseal(own)  # a training is under way
    assert artifacts.resolve(None, recipe="fake") == shipped
    assert artifacts.resolve(Path("x"), recipe="fake") == Path("x")


def test_the_shipped_model_is_guarded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "packaged", lambda: folder)
    with pytest.raises(ArtifactsError, match="not overwritten"):
        artifacts.unseal(folder.parent / "b" / ".." / folder.name)
    assert artifacts.is_complete(folder)
    artifacts.unseal(folder, allow_packaged=True)
    assert not artifacts.is_complete(folder)


def test_reading_needs_neither_sklearn_nor_joblib(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ser_cli.model import artifacts;"
        f"artifacts.load(Path({str(folder)!r}));"
        "print(*{'sklearn', 'joblib', 'tensorflow', 'scipy'} & sys.modules.keys())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.strip() == ""


@pytest.mark.parametrize("wrong", [np.inf, np.nan, 131.7, 0, -3, [131, 7], "x"])
def test_a_length_that_is_none_is_refused(tmp_path: Path, wrong: object) -> None:
    folder = fake.folder(tmp_path / "model")
    np.save(tmp_path / "l.npy", np.array(wrong))
    with pytest.raises(ArtifactsError, match=r"l\.npy"):
        sklearn_files.read(folder / "scaler.pkl", folder / "label_encoder.pkl", tmp_path / "l.npy")
