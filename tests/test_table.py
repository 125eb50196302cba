"""`ser extract --table`: the table of Speech Emotion Recognition, a row per clip."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
from command import EMOTIONS, ser, succeed, tone

from ser_cli.errors import SerError
from ser_cli.report import table
from ser_cli.sound.frontend import cells, columns
from ser_cli.types import Clip

CLIPS = tuple(Clip(Path(f"{n}.wav"), emotion=label) for n, label in enumerate(("sad", 'a, "b"')))
# Thirds, which seven digits would not bring back.
FEATURES = tuple(
    np.array([[frame + 1 / 3, 10 * frame + 1 / 3] for frame in range(n)], np.float32)
    for n in (3, 1)
)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_a_table_is_feature_by_feature_and_padded(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert table.write(path, CLIPS, FEATURES, fake.recipe(frames=2)) == (2, 5)
    head, first, second = rows(path)
    assert head == ["loudness_0_0", "loudness_0_1", "one_0_0", "one_0_1", "label"]
    assert first[-1] == "sad" and second[-1] == 'a, "b"'
    expected = [FEATURES[0][:2].T.ravel(), np.array([1 / 3, 0, 1 / 3, 0], np.float32)]
    found = np.array([first[:-1], second[:-1]]).astype(np.float32)
    np.testing.assert_array_equal(found, expected)  # to the last bit


def test_a_label_is_no_formula_in_a_csv(tmp_path: Path) -> None:
    clips = (replace(CLIPS[0], emotion="=1+1"), CLIPS[1])
    table.write(tmp_path / "t.csv", clips, FEATURES, fake.recipe(frames=2))
    assert rows(tmp_path / "t.csv")[1][-1] == "'=1+1"


def test_the_length_is_the_95th_percentile_or_the_recipes(tmp_path: Path) -> None:
    many = tuple(np.ones((n, 2), np.float32) for n in range(1, 102))
    clips = (CLIPS[0],) * 101
    assert table.write(tmp_path / "t.csv", clips, many, fake.recipe()) == (101, 2 * 96 + 1)
    assert table.write(tmp_path / "t.csv", clips, many, fake.recipe(frames=7)) == (101, 15)


def test_features_of_one_frame_keep_their_names(tmp_path: Path) -> None:
    flat = fake.recipe(frames=1, columns=cells(columns(mfcc=1), 2))
    table.write(tmp_path / "t.csv", CLIPS, FEATURES, flat)
    assert rows(tmp_path / "t.csv")[0] == ["mfcc_0_0", "mfcc_0_1", "label"]


def test_parquet_says_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    for name in ("t.csv", "t.parquet"):
        table.write(tmp_path / name, CLIPS, FEATURES, fake.recipe(frames=2))
    found = pd.read_parquet(tmp_path / "t.parquet")
    expected = pd.read_csv(tmp_path / "t.csv", dtype=dict.fromkeys(found.columns[:-1], "float32"))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert (found.dtypes.iloc[:-1] == np.float32).all()


def test_parquet_without_pyarrow_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    with pytest.raises(SerError, match="needs pyarrow") as caught:
        table.write(tmp_path / "t.parquet", CLIPS, FEATURES, fake.recipe())
    assert 'pip install "speech-emotion[parquet]"' in caught.value.hint
    table.write(tmp_path / "t.csv", CLIPS, FEATURES, fake.recipe())


def corpus(folder: Path) -> Path:
    for number, (emotion, hertz) in enumerate(EMOTIONS.items()):
        tone(folder / emotion / "a.wav", hertz, seed=number)
    return folder


def test_extract_writes_the_table(tmp_path: Path) -> None:
    data, path = corpus(tmp_path / "clips"), tmp_path / "made" / "t.csv"
    done = succeed("extract", "--data", data, "--jobs", 1, "--copies", 1, "--table", path)
    assert f"written: {path}, 4 rows of 2,642 columns" in done.err  # 139 x 19 and the label
    head, *body = rows(path)
    assert head[:2] == ["mfcc_0_0", "mfcc_0_1"] and head[18:20] == ["mfcc_0_18", "mfcc_1_0"]
    assert head[-2:] == ["contrast_6_18", "label"]
    assert [row[-1] for row in body] == list(EMOTIONS)  # by file name, then folder
    broken = data / "sad" / "b.wav"
    broken.write_bytes(b"RIFF")
    done = ser("extract", "--data", data, "--table", path)
    assert done.code == 3 and str(broken) in done.err and len(rows(path)) == 5


def test_what_cannot_be_a_table_is_refused_at_once(tmp_path: Path) -> None:
    data = corpus(tmp_path / "clips")
    recording = data / "sad" / "a.wav"
    before = recording.read_bytes()
    done = ser("extract", "--data", data, "--table", recording)
    assert done.code == 2 and "is not a table file name" in done.err and done.out == ""
    assert recording.read_bytes() == before
    for path in data.rglob("*.wav"):
        path.write_bytes(b"RIFF")
    done = ser("extract", "--data", data, "--table", tmp_path / "t.csv")
    assert done.code == 1 and "there is no table" in done.err
    assert not (tmp_path / "t.csv").exists()
