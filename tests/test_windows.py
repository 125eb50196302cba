"""Recordings cut into what a network hears at once, and put together again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import fake
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from ser_cli import recipes
from ser_cli.model import artifacts, windows
from ser_cli.model.network import OnnxNetwork
from ser_cli.model.pipeline import Pipeline
from ser_cli.sound.frontend import Frontend
from ser_cli.types import Audio

if TYPE_CHECKING:
    from pathlib import Path

    from ser_cli.types import Floats

HOP, FIELD = 320, 400  # of an encoder's frames
QUIET, LOUD = 0.02, 0.5


def framed(waveform: Floats) -> Floats:
    """Return the level of each frame that lies inside the waveform, as an encoder lays them."""
    frames = sliding_window_view(np.abs(waveform), FIELD)[::HOP]
    return np.stack([frames.mean(axis=1), np.ones(len(frames))], axis=1).astype(np.float32)


ENCODER = replace(fake.FRONTEND, extract=framed, hop=HOP, field=FIELD, centred=False)


def sound(*parts: tuple[float, float]) -> Audio:
    """Return parts of a level and a length in seconds, one after the other."""
    levels = np.concatenate([np.full(round(s * fake.RATE), level, "f4") for level, s in parts])
    return Audio(levels * np.resize([1, -1], len(levels)).astype("f4"), fake.RATE)


def plan(frontend: Frontend, max_len: int, **rows: float) -> windows.Plan:
    return windows.Plan(frontend, frontend.context(max_len), **rows)


@pytest.mark.parametrize("seconds", [2.9, 2.985, 3.0, 7.77, 20.3])
@pytest.mark.parametrize("frontend", [ENCODER, recipes.get("cnn-bilstm").frontend, fake.FRONTEND])
def test_no_window_makes_more_frames_than_a_network_takes(
    frontend: Frontend, seconds: float
) -> None:
    for max_len in (99, 149):
        cut = windows.cut("a", sound((LOUD, seconds)), plan(frontend, max_len))
        made = [len(features) for features in cut.features]
        assert max(made) <= max_len
        if len(made) > 1:  # and none wastes what it could hear
            assert set(made) == {max_len}
        assert len(cut.features) == len(cut.windows)
        assert cut.windows[0].start == 0
        assert cut.windows[-1].end == pytest.approx(seconds)
        for one, following in zip(cut.windows, cut.windows[1:], strict=False):
            assert one.start < following.start <= one.end


def test_windows_lie_in_their_rows() -> None:
    cut = windows.cut("a", sound((LOUD, 4.0)), plan(fake.FRONTEND, 100, window=2.0, step=1.0))
    assert [(row.start, row.end, count) for row, count in cut.rows] == [
        *((0, 2, 3), (1, 3, 3), (2, 4, 3))
    ]
    assert [(span.start, span.end) for span in cut.windows] == [
        *((0, 1), (0.5, 1.5), (1, 2)),
        *((1, 2), (1.5, 2.5), (2, 3)),
        *((2, 3), (2.5, 3.5), (3, 4)),
    ]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))
    return Pipeline(fake.FRONTEND, trained.preprocessor, OnnxNetwork(trained.onnx))


def test_windows_keep_their_own_probabilities(pipeline: Pipeline) -> None:
    whole = plan(fake.FRONTEND, fake.MAX_LEN)
    cuts = [
        windows.cut("a", sound((QUIET, 2.0), (LOUD, 1.0)), whole),
        windows.Cut("b", error="no sound"),
        windows.cut("c", sound((LOUD, 0.7)), whole),
    ]
    first, second, third = pipeline.listen(cuts)
    assert [heard.cut.file for heard in (first, second, third)] == ["a", "b", "c"]
    assert [heard.probabilities.shape for heard in (first, second, third)] == [
        *((5, 2), (0, 2), (1, 2))
    ]
    assert first.cut.windows == cuts[0].windows and second.cut.error == "no sound"
    for heard, cut in ((first, cuts[0]), (third, cuts[2])):
        for own, features in zip(heard.probabilities, cut.features, strict=True):
            alone = pipeline.probabilities([features])[0]
            np.testing.assert_allclose(own, alone, atol=1e-6)
    loud = first.probabilities[:, 1]
    assert loud[:3].max() < 0.1 and loud[4] > 0.9  # not all alike: nothing is averaged yet


def test_rows_are_the_means_of_their_windows(pipeline: Pipeline) -> None:
    cut = windows.cut(
        "a", sound((QUIET, 2.0), (LOUD, 1.0)), plan(fake.FRONTEND, fake.MAX_LEN, window=1.5)
    )
    (heard,) = pipeline.listen([cut])
    rows = windows.predictions(heard, fake.CLASSES)
    assert [count for _, count in heard.cut.rows] == [2, 2] and len(heard.probabilities) == 4
    for row, own in zip(rows, (heard.probabilities[:2], heard.probabilities[2:]), strict=True):
        np.testing.assert_allclose(fake.shares(row), own.mean(axis=0), atol=1e-7)
        assert row.emotion == fake.CLASSES[own.mean(axis=0).argmax()]
        assert row.confidence == pytest.approx(own.mean(axis=0).max())
        assert row.flags == ("long",)
    assert [(row.start, row.end) for row in rows] == [(0, 1.5), (1.5, 3)]
