"""A model's clips under other conditions: every one is a change, and is scored and shown."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from command import ser, succeed
from corpus import by_table

from ser_cli.report import plotting, robustness
from ser_cli.report.evaluation import Evaluation
from ser_cli.report.robustness import Tried
from ser_cli.sound.conditions import CLEAN, CONDITIONS, under
from ser_cli.stages import evaluate
from ser_cli.types import Clip, Copy

if TYPE_CHECKING:
    from ser_cli.model.pipeline import Pipeline

RATE = 16_000


def voice() -> np.ndarray:
    at = np.arange(RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 300 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at))
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(2 * RATE)
    return (np.pad(tone, RATE // 2) + quiet).astype(np.float32)


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_condition_is_a_change_and_the_same_each_time(name: str, rate: int) -> None:
    change, before = partial(under, name, rate), voice()
    first, again = (change(before, Copy(1, np.random.default_rng(0))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32 and np.isfinite(first).all() and len(first)
    assert (first.shape == before.shape and np.array_equal(first, before)) == (name == CLEAN)
    np.testing.assert_array_equal(before, voice())


def test_clean_clips_come_first() -> None:
    assert next(iter(CONDITIONS)) == CLEAN


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("robustness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        data = ("--data", by_table(root / "corpus"), "--recipe", "stats-dense")
        succeed("train", *data, "--artifacts", root / "trained", "--epochs", 15, "--copies", 0)
        asked = ("evaluate", "--artifacts", root / "trained", "--robustness", "--report")
        told = succeed(*asked, "--out", root / "out", "--json").out
        (root / "told.json").write_text(told, encoding="utf-8")
    return root


def test_each_condition_is_scored(home: Path) -> None:
    record = json.loads((home / "told.json").read_text(encoding="utf-8"))
    tried = {row["condition"]: row for row in record["robustness"]}
    assert list(tried) == list(CONDITIONS)
    clean = tried[CLEAN]
    assert clean["uar"] == pytest.approx(record["results"][0]["uar"])
    assert clean["kept"] == clean["same"] == 1
    for row in tried.values():
        assert row["kept"] == pytest.approx(row["uar"] / clean["uar"])
        assert 0 <= row["same"] <= 1
    assert tried["white noise, 0 dB"]["same"] < 1  # tones drown


@pytest.mark.parametrize("channels", [("speech", "song"), ("song",), ()])
def test_what_is_sung_is_left_out_and_that_is_said(
    channels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = tuple(
        Clip(Path(f"{n}.wav"), "happy", facts={"channel": one}) for n, one in enumerate(channels)
    ) or (Clip(Path("0.wav"), "happy"),)
    nothing = np.zeros((len(clips), 1), np.float32)
    scored = Evaluation("", "", (), clips, np.zeros(len(clips), int), nothing)
    tried: list[Clip] = []
    monkeypatch.setattr(robustness, "measure", lambda clips, *_, **__: tried.extend(clips))
    found = evaluate._under_conditions(scored, cast("Pipeline", None), None)
    mixed = len(channels) == 2
    assert tried == list(clips[:1] if mixed else clips)
    said = ("other conditions: of the clip of speech alone",)
    assert found.notes == (said if mixed else ())


def test_the_page_shows_them(home: Path) -> None:
    page = (home / "out" / "report.html").read_text(encoding="utf-8")
    assert "Under other conditions" in page
    assert all(name.replace("&", "&amp;") in page for name in CONDITIONS)


def test_the_table_and_the_picture_show_them() -> None:
    tried = (Tried("clean", 0.8, 1.0, 1.0), Tried("8 kHz", 0.6, 0.75, 0.7))
    head, rows = robustness.table(tried)
    assert head[0] == "condition" and rows[1] == ("8 kHz", "60.0", "75.0", "70.0")
    drawn = plotting.svg(robustness.figure(tried))
    assert "8 kHz" in drawn and ">60.0<" in drawn


def test_only_a_trained_folder_is_tried() -> None:
    done = ser("evaluate", "--robustness", "--protocol", "emobox6")
    assert done.code == 2 and "--robustness tries a trained folder" in done.err
