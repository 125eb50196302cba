"""Folders of clips: by emotion, by part and emotion, by speaker and emotion."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import touch

from ser_cli.data import corpora, splits
from ser_cli.errors import DataError

# What a folder holds -> emotion, speaker and part of each clip, by name.
LAYOUTS = {
    "by emotion": (
        ["happy/a.wav", "sad/b.wav", "sad/session 2/c.wav"],
        {"a": ("happy", "", ""), "b": ("sad", "", ""), "c": ("sad", "", "")},
    ),
    "part, emotion": (
        ["Train/happy/a.wav", "Train/sad/b.wav", "test/happy/c.wav", "validation/sad/d.wav"],
        {
            "a": ("happy", "", "train"),
            "b": ("sad", "", "train"),
            "c": ("happy", "", "test"),
            "d": ("sad", "", "dev"),
        },
    ),
    "emotion, part": (
        ["happy/train/a.wav", "sad/test/b.wav"],
        {"a": ("happy", "", "train"), "b": ("sad", "", "test")},
    ),
    "speaker, emotion": (
        ["0011/Angry/a.wav", "0011/Happy/b.wav", "0012/Angry/c.wav"],
        {"a": ("angry", "0011", ""), "b": ("happy", "0011", ""), "c": ("angry", "0012", "")},
    ),
    "part, speaker, emotion": (
        ["train/anna/happy/a.wav", "test/ben/sad/b.wav"],
        {"a": ("happy", "anna", "train"), "b": ("sad", "ben", "test")},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised(layout: str, tmp_path: Path) -> None:
    files, expected = LAYOUTS[layout]
    for file in files:
        touch(tmp_path / "my clips" / file)
    found = {
        clip.path.stem: (clip.emotion, clip.speaker.rpartition("/")[2], clip.split)
        for clip in corpora.load(str(tmp_path / "my clips"))
    }
    assert found == expected


def test_the_parts_of_a_folder_are_its_split(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in ("train/happy/a", "train/sad/b", "dev/happy/c", "dev/sad/d", "test/sad/e"):
        touch(tmp_path / f"{file}.wav")
    split = splits.default_split(corpora.load(str(tmp_path)), 0)
    assert [clip.path.stem for clip in split.train] == ["a", "b"]
    assert [clip.path.stem for clip in split.test] == ["e"]
    told = f"{tmp_path}: the folders dev, test, train are taken for the parts of a split"
    assert caplog.messages == [told]


@pytest.mark.parametrize("other", ["extra/misc/z", "happy/z"])
def test_parts_beside_other_folders_are_refused(other: str, tmp_path: Path) -> None:
    for file in ("train/happy/a", "train/sad/b", "test/happy/c", "test/sad/d", other):
        touch(tmp_path / f"{file}.wav")
    with pytest.raises(DataError, match=f"test, train, .* others: {other.partition('/')[0]}"):
        corpora.load(str(tmp_path))


def test_one_folder_around_all_is_no_speaker(tmp_path: Path) -> None:
    for file in ("data/happy/a", "data/sad/b"):
        touch(tmp_path / f"{file}.wav")
    found = [(clip.emotion, clip.speaker) for clip in corpora.load(str(tmp_path))]
    assert found == [("happy", ""), ("sad", "")]


def test_what_carries_no_label_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for file in ("happy/a", "sad/b", "c", "d"):
        touch(tmp_path / f"{file}.wav")
    assert len(corpora.load(str(tmp_path))) == 2
    assert "2 files lie in no folder of an emotion, and are not used" in caplog.text


def test_a_folder_without_labels_is_refused_and_no_more_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`ser export` checks on such recordings after all, so "not used" would be untrue."""
    touch(tmp_path / "a.wav")
    with pytest.raises(DataError, match="at least two sub-folders"):
        corpora.load(str(tmp_path))
    assert not caplog.messages


def test_speakers_taken_from_folders_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in ("x/happy/a", "y/sad/b"):
        touch(tmp_path / f"{file}.wav")
    corpora.load(str(tmp_path))
    assert caplog.messages == ["the upper folders are taken for speakers: x, y"]


def test_folders_that_name_no_emotion_are_no_labels(tmp_path: Path) -> None:
    for file in ("actor 1/a", "actor 2/b"):
        touch(tmp_path / f"{file}.wav")
    with pytest.raises(DataError, match="known as an emotion: actor 1, actor 2"):
        corpora.load(str(tmp_path))
    assert len(corpora.load(str(tmp_path), as_given=True)) == 2


def test_a_folder_of_a_speaker_beside_those_of_emotions_is_no_class(tmp_path: Path) -> None:
    for file in ("angry/a", "happy/b", "spk01/c", "spk02/angry/d"):
        touch(tmp_path / f"{file}.wav")
    with pytest.raises(DataError, match=r"beside folders of emotions .*: spk01, spk02") as raised:
        corpora.load(str(tmp_path))
    assert "--labels-as-given" in raised.value.hint
    assert {c.emotion for c in corpora.load(str(tmp_path), as_given=True)} >= {"spk01", "spk02"}
    assert len(corpora.load(str(tmp_path), classes=("spk01", "spk02"))) == 4


def test_a_copy_of_ravdess_with_the_emotion_appended_is_ravdess(tmp_path: Path) -> None:
    touch(tmp_path / "Actor_01" / "03-01-05-01-01-01-01_angry.wav")
    touch(tmp_path / "Actor_02" / "03-01-03-01-01-01-02_happy.wav")
    found = [(clip.emotion, clip.speaker) for clip in corpora.load(str(tmp_path))]
    assert found == [("happy", "ravdess/02"), ("angry", "ravdess/01")]
