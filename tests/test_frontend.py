"""A front end: the names of its columns, how its frames lie in time, and its files."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.errors import ArtifactsError
from ser_cli.sound.frontend import Column, Frontend, cells, columns

if TYPE_CHECKING:
    from ser_cli.types import Floats


def names(made: tuple[Column, ...]) -> tuple[str, ...]:
    return tuple(column.name for column in made)


def test_rows_and_cells_are_numbered_in_order() -> None:
    rows = columns(mfcc=2, zcr=1)
    assert names(rows) == ("mfcc_0", "mfcc_1", "zcr_0")
    assert names(cells(rows, 2)) == (
        *("mfcc_0_0", "mfcc_0_1", "mfcc_1_0", "mfcc_1_1"),
        *("zcr_0_0", "zcr_0_1"),
    )


@pytest.mark.parametrize(
    ("name", "row", "family", "unit"),
    [
        ("mfcc_3_107", "mfcc_3", "mfcc", "dB"),
        ("mfcc_3", "mfcc_3", "mfcc", "dB"),
        ("mfcc_delta2_39", "mfcc_delta2_39", "mfcc_delta2", "dB / frame²"),
        ("mfcc_delta_std_0", "mfcc_delta_std_0", "mfcc_delta_std", "dB / frame"),
        ("centroid_max_0", "centroid_max_0", "centroid_max", "Hz"),
        ("wavelet_0_1", "wavelet_0", "wavelet", ""),
    ],
)
def test_a_column_tells_its_row_and_family(name: str, row: str, family: str, unit: str) -> None:
    rows = columns(**{family: 40})
    made = {column.name: column for column in (*rows, *cells(rows, 108))}
    column = made[name]
    assert (column.row, column.family, column.unit) == (row, family, unit)


# --- how frames lie in time


def test_what_frames_look_at_is_known_from_hop_and_field() -> None:
    encoder = replace(fake.FRONTEND, hop=320, field=400, centred=False)
    assert encoder.context(149) == 2.985
    assert encoder.context(1) == 400 / 16_000
    usual = recipes.get("cnn-bilstm").frontend
    assert usual.context(149) == (149 * 512 - 1) / 16_000
    assert recipes.get("logmel-cnn").frontend.context(128) == 3.0  # whatever its frames are


@pytest.mark.parametrize("frames", [9, 100, 149])
def test_a_context_makes_its_frames_and_a_hop_more_makes_one_more(frames: int) -> None:
    frontend = recipes.get("cnn-bilstm").frontend
    n_samples = round(frontend.context(frames) * frontend.sample_rate)
    for more in (0, 1, frontend.hop):
        made = frontend.features(np.zeros(n_samples + more, np.float32))
        assert len(made) == frames + (more > 0)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_a_fixed_duration_cuts_and_pads(seconds: float) -> None:
    heard: list[Floats] = []

    def extract(waveform: Floats) -> Floats:
        heard.append(waveform)
        return fake.extract(waveform)

    fixed = replace(fake.FRONTEND, extract=extract, duration=1.0)
    fixed.features(np.ones(round(seconds * fake.RATE), np.float32))
    assert len(heard[0]) == fake.RATE
    assert heard[0].sum() == fake.RATE * min(seconds, 1.0)


# --- files


def scaled(waveform: Floats, gain: Path, offset: Path) -> Floats:
    """Return features that two files decide upon."""
    made = fake.extract(waveform) * float(gain.read_text()) + float(offset.read_text())
    return made.astype(np.float32)


@pytest.fixture
def with_files(tmp_path: Path) -> Frontend:
    for name, value in (("gain.txt", "3"), ("offset.txt", "1")):
        (tmp_path / name).write_text(value)
    files = (tmp_path / "gain.txt", tmp_path / "offset.txt")
    return replace(fake.FRONTEND, extract=scaled, files=files)


def test_files_are_handed_to_the_extractor_in_their_order(with_files: Frontend) -> None:
    waveform = np.full(fake.HOP, 0.5, np.float32)
    np.testing.assert_array_equal(with_files.features(waveform), [[2.5, 4.0]])


def test_within_takes_the_files_of_another_folder(with_files: Frontend, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "gain.txt").write_text("0")
    with pytest.raises(ArtifactsError, match=r"offset\.txt is missing") as caught:
        with_files.within(other)
    assert "ser train" in caught.value.hint
    (other / "offset.txt").write_text("7")
    moved = with_files.within(other)
    assert moved == replace(with_files, files=(other / "gain.txt", other / "offset.txt"))
    np.testing.assert_array_equal(moved.features(np.ones(1, np.float32)), [[7, 7]])


# --- fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate": 22_050},
        {"hop": 80},
        {"field": 320},
        {"centred": True},
        {"duration": 3.0},
        {"columns": columns(mfcc=2)},
        {"version": 2},
        {"extract": scaled},
    ],
)
def test_whatever_may_change_features_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert replace(fake.FRONTEND, **change).fingerprint() != fake.FRONTEND.fingerprint()


def test_the_fingerprint_is_of_what_files_hold(with_files: Frontend, tmp_path: Path) -> None:
    moved = fake.moved(with_files, tmp_path / "other")
    assert moved.fingerprint() == with_files.fingerprint()
    (tmp_path / "other" / "offset.txt").write_text("2")
    assert moved.fingerprint() != with_files.fingerprint()


def test_a_front_end_travels_to_other_processes(with_files: Frontend) -> None:
    arrived = pickle.loads(pickle.dumps(with_files))
    assert arrived == with_files
    assert arrived.fingerprint() == with_files.fingerprint()
