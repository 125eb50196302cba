"""The rate of an epoch follows from the settings and the epochs before it."""

from __future__ import annotations

from typing import Any

import pytest

from ser_cli.errors import UsageError
from ser_cli.training.schedule import learning_rate
from ser_cli.types import TrainSettings


def settings(**changes: Any) -> TrainSettings:
    fields: dict[str, Any] = {
        "schedule": "plateau",
        "learning_rate": 0.02,
        "min_learning_rate": 0.0,
        "plateau_factor": 0.5,
        "plateau_patience": 2,
        "epochs": 10,
    }
    return TrainSettings(**fields | changes)


def rates(chosen: TrainSettings, *dev: float) -> list[float]:
    """Return the rate of every epoch and of the one that follows."""
    rows = [{"loss": 1.0 / (1 + n), "dev_loss": loss} for n, loss in enumerate(dev)]
    return [learning_rate(chosen, rows[:n]) for n in range(len(rows) + 1)]


def test_a_cosine_falls_over_all_epochs() -> None:
    falling = rates(settings(schedule="cosine"), *[1.0] * 10)
    assert falling[0] == 0.02
    assert falling[5] == pytest.approx(0.01)
    assert falling[10] == pytest.approx(0, abs=1e-12)
    assert falling == sorted(falling, reverse=True)
    raised = rates(settings(schedule="cosine", min_learning_rate=0.01), *[1.0] * 10)
    assert raised[10] == pytest.approx(0.01) and raised[5] == pytest.approx(0.015)


def test_a_constant_rate_stays() -> None:
    assert set(rates(settings(schedule="constant"), *[1.0] * 5)) == {0.02}


def test_a_plateau_lowers_the_rate_after_its_patience() -> None:
    # The first loss is the best; after two without a better one the rate is halved.
    assert rates(settings(), 1, 1, 1, 1, 1) == [0.02, 0.02, 0.02, 0.01, 0.01, 0.005]
    assert rates(settings(), 3, 2, 1, 0.5) == [0.02] * 5
    # A better loss begins the count anew, a hardly better one does not.
    assert rates(settings(), 1, 1, 0.9, 1, 1) == [0.02] * 5 + [0.01]
    assert rates(settings(), 1, 0.99995, 0.9999) == [0.02] * 3 + [0.01]


def test_a_plateau_ends_at_the_least_rate() -> None:
    low = settings(plateau_patience=1, min_learning_rate=0.004)
    assert rates(low, 1, 1, 1, 1, 1) == [0.02, 0.02, 0.01, 0.005, 0.004, 0.004]


def test_a_plateau_equals_kerass() -> None:
    import keras
    import numpy as np

    losses = np.random.default_rng(0).uniform(0, 1, 40).tolist()
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", factor=0.7, patience=3, min_lr=1e-3
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.02), loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    theirs = [0.02]
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        theirs.append(float(model.optimizer.learning_rate))
    chosen = settings(plateau_factor=0.7, plateau_patience=3, min_learning_rate=1e-3)
    assert len(set(theirs)) > 3
    np.testing.assert_allclose(rates(chosen, *losses), theirs, rtol=1e-5)


def test_without_dev_the_training_loss_is_watched() -> None:
    rows = [{"loss": 1.0}, {"loss": 1.0}, {"loss": 1.0}]
    assert learning_rate(settings(), rows) == 0.01
    assert learning_rate(settings(), [{"loss": 1.0}, {"loss": 0.5}, {"loss": 0.2}]) == 0.02


def test_an_unknown_schedule() -> None:
    with pytest.raises(UsageError, match="there is no schedule 'step'") as raised:
        learning_rate(settings(schedule="step"), [])
    assert "plateau" in raised.value.hint
