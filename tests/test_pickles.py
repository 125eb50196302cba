"""Pickles are read without trust: only what a scaler and an encoder hold, and no code."""

from __future__ import annotations

import builtins
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder, StandardScaler

from ser_cli.errors import ArtifactsError
from ser_cli.model import pickles
from ser_cli.model.pickles import read_state

CLASSES = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


def fitted() -> StandardScaler:
    return StandardScaler().fit(np.random.default_rng(0).standard_normal((50, 3)))


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("dump", ["pickle", "joblib"])
def test_reads_pickle_and_joblib(tmp_path: Path, dump: str, protocol: int) -> None:
    encoder = LabelEncoder()
    encoder.classes_ = np.array(CLASSES)
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
        with pytest.raises(ArtifactsError, match="cannot be trusted"):
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


def dumped(path: Path, dump: str, classes: Any) -> Path:
    encoder = LabelEncoder()
    encoder.classes_ = classes
    if dump == "pickle":
        path.write_bytes(pickle.dumps(encoder))
    else:
        joblib.dump(encoder, path)
    return path


@pytest.mark.parametrize("dump", ["pickle", "joblib"])
def test_classes_of_a_column_of_pandas_are_read(tmp_path: Path, dump: str) -> None:
    fit = LabelEncoder().fit(np.array(["sad", "angry", "sad"], dtype=object))
    assert fit.classes_.dtype.hasobject
    numpys = np.array([np.str_("angry"), "sad"], dtype=object)
    for number, classes in enumerate((fit.classes_, numpys)):
        found = read_state(dumped(tmp_path / f"{number}", dump, classes), "LabelEncoder")
        assert found["classes_"].tolist() == ["angry", "sad"]
        assert found["classes_"].dtype == "<U5"
    empty = read_state(dumped(tmp_path / "e", dump, np.array([], dtype=object)), "LabelEncoder")
    assert empty["classes_"].shape == (0,)


@pytest.mark.parametrize("dump", ["pickle", "joblib"])
@pytest.mark.parametrize("values", [[1, "sad"], [None, "sad"], [["a"], "sad"], [b"a", "sad"]])
def test_objects_that_are_no_text_are_refused(tmp_path: Path, dump: str, values: Any) -> None:
    classes = np.empty(2, dtype=object)
    classes[:] = values
    with pytest.raises(ArtifactsError, match="cannot be trusted"):
        read_state(dumped(tmp_path / "a", dump, classes), "LabelEncoder")


def test_texts_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    classes = np.array(["x" * 100_000, *(["y"] * 1_000)], dtype=object)  # 400 MB as fixed width
    with pytest.raises(ArtifactsError, match="too long"):
        read_state(dumped(tmp_path / "a", "pickle", classes), "LabelEncoder")
