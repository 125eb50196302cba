"""What parts hold and lack, and when that is refused or said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ser_cli.data import parts, splits
from ser_cli.data.parts import Count
from ser_cli.errors import DataError
from ser_cli.types import Clip


def said(*heard: str) -> tuple[Clip, ...]:
    """Clips by "speaker emotion", in order."""
    return tuple(
        Clip(Path(f"{n}.wav"), speaker=who, emotion=emotion)
        for n, (who, emotion) in enumerate(text.split(" ") for text in heard)
    )


WHOLE = splits.Split(
    train=said("a x", "a x", "b x", "a y"), dev=said("c x", "c y"), test=said("d x"), leaky=False
)


def test_clips_and_speakers_are_counted() -> None:
    counts = parts.counts(WHOLE)
    assert counts == {
        "train": {"x": Count(3, 2), "y": Count(1, 1)},
        "dev": {"x": Count(1, 1), "y": Count(1, 1)},
        "test": {"x": Count(1, 1), "y": Count(0, 0)},
    }
    assert [str(counts["train"]["x"]), str(counts["test"]["y"])] == ["3 (2)", "0"]
    assert parts.plain(counts)["train"]["x"] == {"clips": 3, "speakers": 2}
    # One clip without a speaker may be of anyone.
    (unknown,) = parts.count(said("a x", " x"), ["x"]).values()
    assert unknown == Count(2, None) and str(unknown) == "2 (?)"


def test_what_a_part_lacks() -> None:
    assert parts.missing(WHOLE) == {"test": ["y"]}
    assert parts.gaps(WHOLE) == ("test has no clip of y",)
    assert parts.missing(replace(WHOLE, test=())) == {}  # no part is no part that lacks something
    assert parts.missing(replace(WHOLE, train=said("a z"))) == {
        "train": ["x", "y"], "dev": ["z"], "test": ["y", "z"]
    }  # fmt: skip


def test_a_gap_is_refused_unless_the_corpus_made_it() -> None:
    with pytest.raises(DataError) as raised:
        parts.checked(WHOLE, "do this")
    assert "test has no clip of y (in total: 2 clips of y by 2 speakers)" in str(raised.value)
    assert raised.value.hint == "do this, or --exclude y"
    named = replace(WHOLE, named=True)
    assert parts.checked(named) is named
    spaced = replace(WHOLE, dev=(*said("c x", "c y"), Clip(Path("s.wav"), "at ease", "e")))
    with pytest.raises(DataError) as raised:
        parts.checked(spaced)
    assert raised.value.hint == "--split random, or --exclude 'at ease' --exclude y"


def test_dev_that_knows_its_speakers_is_told_from_one_that_does_not() -> None:
    assert not WHOLE.dev_leaky
    assert not replace(WHOLE, dev=()).dev_leaky
    assert replace(WHOLE, dev=said("b x", "c y")).dev_leaky
    assert replace(WHOLE, dev=said(" x")).dev_leaky


def test_rows_tell_where_a_clip_lies_in_its_corpus_and_not_on_which_machine(tmp_path: Path) -> None:
    first = Clip(tmp_path / "one" / "a" / "x.wav", "sad", "1", corpus="one")
    second = Clip(tmp_path / "one" / "b" / "x.wav", "sad", "2", corpus="one")
    other = Clip(tmp_path / "elsewhere" / "deep" / "y.wav", "sad", "3", corpus="two")

    def files(*clips: Clip) -> list[str]:
        return [row[0] for row in parts.rows(splits.Split(clips, (), (), leaky=False))[1:]]

    assert files(first, second) == ["a/x.wav", "b/x.wav"]
    relative = Clip(Path("here") / "z.wav", "sad", "4", corpus="one")
    assert len(files(first, relative)) == 2  # a table may name both
    assert files(first, second, other) == ["one/a/x.wav", "one/b/x.wav", "two/y.wav"]
