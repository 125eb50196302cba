from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ser_cli.errors import DataError
from ser_cli.model.calibration import HIGHEST, LOWEST, calibrate, fit_temperature


def drawn(n: int = 20000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities, and truths drawn from exactly those probabilities."""
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(5), n)
    truth = (probabilities.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return probabilities, np.minimum(truth, 4)


def test_one_changes_nothing() -> None:
    probabilities = drawn(10)[0]
    np.testing.assert_allclose(calibrate(probabilities, 1.0), probabilities, rtol=1e-6)


def test_known_answer() -> None:
    np.testing.assert_allclose(calibrate(np.array([0.8, 0.2]), 2.0), [2 / 3, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("distortion", [0.5, 1.0, 2.5])
def test_the_distortion_is_found_and_undone(distortion: float) -> None:
    honest, truth = drawn()
    distorted = calibrate(honest, 1 / distortion)
    temperature = fit_temperature(distorted, truth)
    assert temperature == pytest.approx(distortion, rel=0.05)
    np.testing.assert_allclose(calibrate(distorted, temperature), honest, atol=0.02)


def test_the_search_finds_the_minimum() -> None:
    honest, truth = drawn(300)
    overconfident = calibrate(honest, 0.6).astype(np.float64)

    def loss(temperature: float) -> float:
        right = calibrate(overconfident, temperature)[np.arange(len(truth)), truth]
        return -float(np.log(right.astype(np.float64)).mean())

    grid = np.geomspace(LOWEST, HIGHEST, 400)
    best = min(grid, key=loss)
    assert fit_temperature(overconfident, truth) == pytest.approx(best, rel=0.01)


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=8, unique=True), st.floats(LOWEST, HIGHEST)
)
def test_no_label_changes_and_rows_sum_to_one(weights: list[int], temperature: float) -> None:
    probabilities = np.array(weights) / sum(weights)
    changed = calibrate(probabilities, temperature)
    assert changed.argmax() == probabilities.argmax()
    assert changed.sum() == pytest.approx(1, abs=1e-5)


def test_always_right_and_always_wrong_stay_in_range() -> None:
    sure = np.tile(np.array([0.9, 0.1], np.float32), (20, 1))
    assert fit_temperature(sure, np.zeros(20, np.int64)) == pytest.approx(LOWEST, rel=1e-4)
    assert fit_temperature(sure, np.ones(20, np.int64)) == pytest.approx(HIGHEST, rel=1e-4)


def test_a_zero_of_an_underflowed_softmax_is_one_error_among_many() -> None:
    honest, truth = drawn(5000)
    honest[0], truth[0] = (0, 1, 0, 0, 0), 3
    assert 1 < fit_temperature(honest, truth) < 1.2  # an infinite loss would end at HIGHEST
    assert np.isfinite(calibrate(honest, 3.0)).all()


def test_nonsense_is_refused() -> None:
    with pytest.raises(DataError, match="no clip"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="NaN"):
        fit_temperature(np.array([[np.nan, 1]]), np.array([0]))
    for temperature in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            calibrate(np.array([0.5, 0.5]), temperature)
