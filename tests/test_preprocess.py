"""Padding and scaling against scikit-learn."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from ser_cli.errors import DataError
from ser_cli.model import preprocess


def clips(seed: int = 0, n_features: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    made = [
        (rng.standard_normal((t, n_features)) * [1, 9, 0.01, 1, 1][:n_features] + 100).astype("f4")
        for t in (3, 8, 12, 20, 7)
    ]
    for clip in made:
        clip[:, 3] = 0  # constant, also where padded
    return made


def test_pad_fills_and_cuts_at_the_end() -> None:
    clip = np.arange(6, dtype="f4").reshape(3, 2)
    assert preprocess.pad(clip, 4).tolist() == [[0, 1], [2, 3], [4, 5], [0, 0]]
    assert preprocess.pad(clip, 2).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("scale", ["frame", "cell"])
def test_equals_standard_scaler(scale: Literal["frame", "cell"]) -> None:
    features = clips()
    fitted = preprocess.fit(features, scale=scale, frames=None, classes=["a"])
    assert fitted.max_len == int(np.percentile([3, 8, 12, 20, 7], 95)) == 18
    padded = np.stack([preprocess.pad(clip, 18) for clip in features])
    flat = padded.reshape(-1, 5) if scale == "frame" else padded.reshape(5, -1)
    oracle = StandardScaler().fit(flat.astype("f8"))
    np.testing.assert_allclose(fitted.mean, oracle.mean_, rtol=1e-12)
    np.testing.assert_allclose(fitted.scale, oracle.scale_, rtol=1e-9)
    expected = oracle.transform(flat.astype("f8")).reshape(padded.shape)
    moved = preprocess.transform(features, fitted)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_one_frame_scales_the_same_by_frame_and_cell() -> None:
    features = [clip[:1] for clip in clips()]
    by_frame = preprocess.fit(features, scale="frame", frames=1, classes=[])
    by_cell = preprocess.fit(features, scale="cell", frames=1, classes=[])
    assert np.array_equal(by_frame.mean, by_cell.mean)
    assert np.array_equal(by_frame.scale, by_cell.scale)


def test_no_scaling_only_pads() -> None:
    features = clips()
    fitted = preprocess.fit(features, scale="none", frames=10, classes=["a"])
    assert fitted.mean.shape == (0,)
    moved = preprocess.transform(features, fitted)
    assert np.array_equal(moved, np.stack([preprocess.pad(clip, 10) for clip in features]))


def test_constant_column_is_divided_by_one() -> None:
    fitted = preprocess.fit(
        [np.full((4, 2), 0.1, "f4")] * 3, scale="frame", frames=4, classes=["a"]
    )
    assert fitted.scale.tolist() == [1, 1]


def test_nothing_to_fit() -> None:
    with pytest.raises(DataError, match="empty"):
        preprocess.fit([], scale="frame", frames=None, classes=["a"])


def test_encode() -> None:
    assert preprocess.encode(["sad", "angry", "sad"], ["angry", "sad"]).tolist() == [1, 0, 1]
    assert preprocess.encode([], ["angry"]).dtype == np.int64
    with pytest.raises(DataError, match="'bored'"):
        preprocess.encode(["bored"], ["angry", "sad"])
