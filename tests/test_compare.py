"""Two systems on the same clips: the arithmetic with known answers, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import ser, succeed
from corpus import by_table

from ser_cli.errors import DataError
from ser_cli.report import paired


def test_a_system_is_no_better_than_itself() -> None:
    truth = np.array([0, 1, 2] * 10)
    said = np.array([0, 1, 1] * 10)
    found = paired.compare(truth, said, said, speakers=["x"] * 30)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (found.only_a, found.only_b, found.n) == (0, 0, 30)
    assert found.resampled == "clips"  # one speaker cannot be drawn


def test_mcnemars_test_counts_clips_that_one_alone_labels_right() -> None:
    truth = np.zeros(40, np.int64)
    a, b = np.zeros(40, np.int64), np.zeros(40, np.int64)
    a[:9], b[9:10] = 1, 1  # nine that B alone has right, one that A alone has
    found = paired.compare(truth, a, b, speakers=[""] * 40)
    assert (found.only_a, found.only_b) == (1, 9)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)  # ten coins: at most one head, twice
    assert found.uar_a == pytest.approx(31 / 40) and found.uar_b == pytest.approx(39 / 40)
    assert found.difference == pytest.approx(8 / 40)
    assert 0 < found.low < found.difference < found.high


def test_uar_is_over_classes_and_the_interval_over_speakers() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    a, b = truth.copy(), truth.copy()
    a[90:] = 0  # A misses the rare class whole
    b[:9] = 1
    speakers = [f"s{n % 5}" for n in range(100)]
    found = paired.compare(truth, a, b, speakers=speakers)
    assert found.uar_a == 0.5 and found.uar_b == pytest.approx(0.95)
    assert found.resampled == "speakers" and found.low < 0.45 < found.high
    with pytest.raises(DataError, match="no clip that both"):
        paired.compare(truth[:0], a[:0], b[:0], speakers=[])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        table = by_table(root / "corpus")
        for name, epochs in (("a", 1), ("b", 20)):
            words = ("--data", table, "--recipe", "stats-dense", "--copies", 0)
            succeed("train", *words, "--artifacts", root / name, "--epochs", epochs)
        succeed("train", *words, "--split", "none", "--artifacts", root / "all", "--epochs", 1)
    return root


def test_two_folders_are_compared_on_what_neither_has_learned_from(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(home / "cache"))
    asked = ("evaluate", "--compare", home / "a", home / "b")
    done = succeed(*asked, "--json")
    found = json.loads(done.out)
    assert 0 < found["n"] < 48 and "clips left out" in done.err
    assert found["difference"] == pytest.approx(found["uar_b"] - found["uar_a"])
    assert found["uar_b"] > found["uar_a"] and 0 <= found["p"] <= 1
    shown = succeed(*asked)
    assert "right alone" in shown.out and "McNemar" in shown.err
    back = json.loads(succeed("evaluate", "--compare", home / "b", home / "a", "--json").out)
    assert back["difference"] == pytest.approx(-found["difference"])
    assert back["p"] == pytest.approx(found["p"])


def test_what_cannot_be_compared(home: Path) -> None:
    done = ser("evaluate", "--compare", home / "a", home / "all")
    assert done.code == 1 and "has learned from every clip" in done.err
    done = ser("evaluate", "--compare", home / "a", home / "none")
    assert done.code == 1 and "no such artifacts folder" in done.err
    done = ser("evaluate", "--compare", home / "a")
    assert done.code == 2
    done = ser("evaluate", "--compare", home / "a", home / "b", "--protocol", "emobox6")
    assert done.code == 2 and "--compare takes --data alone" in done.err
