"""Speakers dealt to parts: every emotion everywhere, in its share, the same on every machine."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_cli.data import dealing, parts, splits
from ser_cli.errors import DataError
from ser_cli.types import Clip

# A made-up corpus of 29 people, hardly one of whom is heard in more than one emotion.
TALK = {
    "angry": {"A1": 20, "A2": 30, "X1": 4, "A3": 46},
    "happy": {
        "B1": 10, "B2": 4, "B3": 2, "B4": 6, "B5": 4, "B6": 12, "B7": 6, "B8": 2, "B9": 2,
        "B10": 4, "B11": 2, "X1": 2, "X2": 6, "X3": 10, "B12": 28,
    },
    "neutral": {"C1": 6, "C2": 8, "C3": 4, "C4": 2, "X1": 10, "X2": 70},
    "sad": {"D1": 2, "D2": 4, "D3": 6, "D4": 36, "D5": 42, "D6": 2, "D7": 4, "X3": 4},
}  # fmt: skip


def corpus(said: dict[str, dict[str, int]]) -> tuple[Clip, ...]:
    return tuple(
        Clip(Path(f"{emotion}-{who}-{n}.wav"), emotion=emotion, speaker=who)
        for emotion, speakers in said.items()
        for who, number in speakers.items()
        for n in range(number)
    )


def people(clips: tuple[Clip, ...]) -> set[str]:
    return {clip.speaker for clip in clips}


def whole(split: splits.Split) -> list[tuple[Clip, ...]]:
    return [split.train, split.dev, split.test]


@pytest.mark.parametrize("seed", range(8))
def test_no_part_forgets_an_emotion(seed: int) -> None:
    clips = corpus(TALK)
    split = splits.by_speaker(clips, seed)
    assert parts.missing(split) == {}
    assert [len(people(part)) for part in whole(split)] == [19, 5, 5]
    assert sum(len(part) for part in whole(split)) == len(clips) == 400
    assert min(Counter(clip.emotion for clip in split.train).values()) >= 45


def test_folds_do_not_forget_one_either() -> None:
    for n in (2, 3, 4):
        folds = splits.tuning_folds(corpus(TALK), n)
        assert [parts.missing(fold) for fold in folds] == [{}] * n
        assert set.union(*(people(fold.dev) for fold in folds)) == people(corpus(TALK))
        assert sum(len(people(fold.dev)) for fold in folds) == 29
        assert all(people(fold.train).isdisjoint(people(fold.dev)) for fold in folds)
    in_turn = [fold.dev for fold in splits.tuning_folds(corpus(TALK), 3)]
    assert splits.dealt_in_turn(in_turn)
    # In turn, one of four would have no anger.
    assert not splits.dealt_in_turn([f.dev for f in splits.tuning_folds(corpus(TALK), 4)])
    with pytest.raises(DataError, match="dev has no clip of angry") as raised:
        splits.tuning_folds(corpus(TALK), 5)
    assert "fewer --folds" in raised.value.hint and "--exclude angry" in raised.value.hint


says = st.integers(3, 6).flatmap(
    lambda n: st.lists(st.frozensets(st.sampled_from("wxyz"), min_size=1), min_size=n, max_size=n)
)


def coverable(spoken: list[frozenset[str]], n_parts: int) -> bool:
    """Try every way."""
    labels = frozenset.union(*spoken)
    return any(
        all(
            frozenset().union(*(s for s, own in zip(spoken, way, strict=True) if own == part))
            == labels
            for part in range(n_parts)
        )
        for way in product(range(n_parts), repeat=len(spoken))
    )


@settings(max_examples=40, deadline=None)
@given(says, st.integers(0, 3))
def test_where_there_is_a_way_it_is_found(spoken: list[frozenset[str]], seed: int) -> None:
    clips = corpus({e: {f"s{n}": 2 for n, said in enumerate(spoken) if e in said} for e in "wxyz"})
    if not coverable(spoken, 3) or len(frozenset.union(*spoken)) == 1:
        with pytest.raises(DataError, match=r"has no clip of|nothing to tell apart"):
            splits.by_speaker(clips, seed)
        return
    split = splits.by_speaker(clips, seed)
    assert parts.missing(split) == {}
    assert split == splits.by_speaker(clips, seed)
    who = [people(part) for part in whole(split)]
    assert sum(map(len, who)) == len(set.union(*who)) == len(spoken)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(3, 9), min_size=2, max_size=5), st.integers(0, 9))
def test_three_speakers_are_enough_for_an_emotion(speakers: list[int], seed: int) -> None:
    """Each speaks in one emotion only: a sixth may be too few to hear all of them."""
    clips = corpus({f"e{e}": {f"{e}-{k}": k + 1 for k in range(n)} for e, n in enumerate(speakers)})
    split = splits.by_speaker(clips, seed)
    assert parts.missing(split) == {}
    share = max(1, round(sum(speakers) / 6))
    for part in (split.dev, split.test):
        assert share <= len(people(part)) <= max(share, len(speakers))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(3, 40), st.integers(0, 9))
def test_a_sixth_of_the_speakers_each(data: st.DataObject, n: int, seed: int) -> None:
    each = st.lists(st.integers(1, 9), min_size=n, max_size=n)
    clips = corpus({e: {f"s{k}": m for k, m in enumerate(data.draw(each))} for e in "xyz"})
    split = splits.by_speaker(clips, seed)
    share = max(1, round(n / 6))
    assert [len(people(part)) for part in whole(split)] == [n - 2 * share, share, share]


def test_the_evenest_of_many_ways_is_taken() -> None:
    """Two of twelve speakers say nearly everything of one emotion: they go apart."""
    loud = {"s0": 50, "s1": 50, **{f"s{n}": 2 for n in range(2, 12)}}
    clips = corpus({"x": loud, "y": {f"s{n}": 10 for n in range(12)}})
    for seed in range(5):
        split = splits.by_speaker(clips, seed)
        x = [sum(clip.emotion == "x" for clip in part) for part in whole(split)]
        assert x[0] >= 50 and max(x[1], x[2]) <= 52 + 2
        assert {"s0", "s1"} & people(split.train)


def test_what_cannot_be_is_not_searched_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any four of ten speakers share an emotion, so one of these lies wholly in a part."""
    fours = enumerate(combinations(range(10), 4))
    clips = corpus({f"e{n}": {f"s{k}": 1 for k in four} for n, four in fours})
    monkeypatch.setattr(dealing, "STEPS", 20)
    search = dealing._Search(dealing._counted(clips)[1] > 0, 3)
    assert search.place(np.arange(10)) is None
    assert search._steps < 100  # of 155
    monkeypatch.setattr(dealing, "DRAWS", 2)
    with pytest.raises(DataError, match="no clip of e"):
        splits.by_speaker(clips, 0)
