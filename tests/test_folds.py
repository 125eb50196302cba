"""What the folds of a protocol left, pooled."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.model.calibration import calibrate, fit_temperature
from ser_cli.report.folds import pooled
from ser_cli.sound import fingerprint
from ser_cli.training import session, settings
from ser_cli.types import Clip


def outcome(path: Path, names: list[str], dev: np.ndarray, temperature: float) -> Path:
    """Leave what a fold leaves; `dev` is what its network gave before calibration."""
    rng = np.random.default_rng(len(names))
    np.savez(
        path,
        probabilities=calibrate(rng.dirichlet(np.ones(2), len(names)), temperature),
        truth=rng.integers(0, 2, len(names)),
        names=np.array(names),
        labels=np.array(["calm", "sad"]),
        history=np.array(json.dumps([{"epoch": 1, "loss": 0.5}])),
        best_epoch=1,
        temperature=temperature,
        dev=calibrate(dev, temperature),
        dev_truth=np.arange(len(dev)) % 2,
        seconds=2.0,
        audit=np.array(["1 files on both sides of the split"][: len(names) % 2], dtype=str),
    )
    return path


def test_folds_are_pooled_and_calibrated_over_the_dev_clips_of_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 2
    right = np.where(rng.random(400) < 0.8, truth, 1 - truth)
    sure = np.where(right[:, None] == [0, 1], 0.99, 0.01)  # and right four times of five
    files = [
        outcome(tmp_path / "1.npz", ["a", "b"], sure[:100], 0.5),
        outcome(tmp_path / "2.npz", ["c"], sure[100:], 4.0),
    ]
    clips = {name: Clip(Path(name), speaker=name) for name in "abc"}
    found = pooled(files, clips)
    assert [clip.path.name for clip in found.clips] == ["a", "b", "c"]
    assert found.probabilities.shape == (3, 2) and found.labels == ("calm", "sad")
    assert (found.seconds, found.epochs, found.enrolled) == (4.0, (1, 1), None)
    assert found.audit == ("fold 2: 1 files on both sides of the split",)
    # Whatever each fold made of its own part: one temperature for what all networks gave.
    assert found.temperature == pytest.approx(fit_temperature(sure, truth), rel=1e-3)
    share = (right == truth).mean()
    stated = calibrate(sure, found.temperature).max(axis=1).mean()
    assert stated == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("module", ["training.session", "training.dataset", "model.enrolment"])
def test_what_other_code_gave_is_not_taken_for_this_ones(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = session.Work("voice", settings.resolve(recipes.get("voice")))
    before, source = work.fingerprint(), fingerprint._source
    changed = sys.modules[f"ser_cli.{module}"]
    monkeypatch.setattr(
        fingerprint, "_source", lambda m: source(m) + ("MORE = 1\n" if m is changed else "")
    )
    assert work.fingerprint() != before


def test_what_another_network_gave_is_not_taken_for_this_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voice = recipes.get("voice")
    work = session.Work("voice", settings.resolve(voice))
    before = work.fingerprint()
    assert work.fingerprint() == before
    other = replace(voice, build=recipes.get("mfcc-mlp").build)
    monkeypatch.setattr(recipes, "get", lambda *_: other)
    assert work.fingerprint() != before
