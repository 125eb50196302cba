"""Who is in train, dev and test: published folds, random parts, tables, and the audit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ser_cli.data import protocols, splits
from ser_cli.data.corpora import ravdess
from ser_cli.errors import DataError, UsageError
from ser_cli.types import Clip

FOLDS = {
    "emobox6": [
        {1, 11, 20, 21},
        {4, 10, 12, 14},
        {8, 9, 19, 23},
        {3, 5, 7, 24},
        {2, 15, 16, 18},
        {6, 13, 17, 22},
    ],
    "luna5": [
        {2, 5, 14, 15, 16},
        {3, 6, 7, 13, 18},
        {10, 11, 12, 19, 20},
        {8, 17, 21, 23, 24},
        {1, 4, 9, 22},
    ],
}
INDEPENDENT = ("actors21-24", "emobox6", "luna5")
LEAKY = ("random70", "random70-speech", "random10")


def corpus() -> tuple[Clip, ...]:
    """All 2,452 clips of RAVDESS by their names; the files are not needed."""
    return tuple(
        Clip(
            Path(f"{name}.wav"),
            emotion=facts["emotion"],
            speaker=f"ravdess/{facts['speaker']}",
            corpus="ravdess",
            facts=facts,
        )
        for name in ravdess.SOURCE.digests()
        if (facts := ravdess.parse(name))
    )


CLIPS = corpus()


def folds(name: str, seed: int = 0) -> tuple[splits.Split, ...]:
    return protocols.get(name).folds(CLIPS, seed)


def actors(clips: tuple[Clip, ...]) -> set[int]:
    return {actor(clip) for clip in clips}


def actor(clip: Clip) -> int:
    return int(clip.speaker.removeprefix("ravdess/"))


def sizes(split: splits.Split) -> tuple[int, int, int]:
    return len(split.train), len(split.dev), len(split.test)


def people(*speakers: str, clips_each: int = 4, emotions: int = 2) -> tuple[Clip, ...]:
    return tuple(
        Clip(Path(f"{who}{n}.wav"), emotion="abcdefgh"[n % emotions], speaker=who)
        for who in speakers
        for n in range(clips_each)
    )


def test_all_protocols_are_known() -> None:
    assert set(protocols.names()) == {*INDEPENDENT, *LEAKY}
    assert {name for name in protocols.names() if protocols.is_leaky(name)} == set(LEAKY)
    assert not protocols.is_leaky("loso")
    for name in protocols.names():
        found = protocols.get(name)
        assert found.name == name and "\n" not in found.about
        assert protocols.corpus_of(name) is ravdess.CORPUS
    with pytest.raises(UsageError, match="loso") as raised:
        protocols.get("loso")
    assert "emobox6" in raised.value.hint


@pytest.mark.parametrize("name", protocols.names())
def test_no_clip_is_in_two_parts(name: str) -> None:
    for split in folds(name):
        parts = [{clip.path for clip in part} for part in (split.train, split.dev, split.test)]
        assert all(parts)
        assert len(set.union(*parts)) == sum(map(len, parts)) == sum(sizes(split))
        assert split.leaky is protocols.get(name).leaky


@pytest.mark.parametrize("name", INDEPENDENT)
def test_nobody_is_in_two_parts(name: str) -> None:
    for split in folds(name):
        who = [actors(part) for part in (split.train, split.dev, split.test)]
        assert not who[0] & who[1] and not who[0] & who[2] and not who[1] & who[2]
        # A test actor's song would give the voice away as well.
        assert not any(
            clip.facts["channel"] == "song" and actor(clip) in who[2] for clip in split.train
        )


@pytest.mark.parametrize("name", FOLDS)
def test_published_folds(name: str) -> None:
    made = folds(name)
    assert [actors(split.test) for split in made] == FOLDS[name]
    # The next fold chooses the epoch, cyclically; all others train.
    assert [actors(split.dev) for split in made] == FOLDS[name][1:] + FOLDS[name][:1]
    for split in made:
        assert actors(split.train) == set(range(1, 25)) - actors(split.test) - actors(split.dev)
    tested = Counter(clip.path for split in made for clip in split.test)
    speech = {clip.path for clip in CLIPS if clip.facts["channel"] == "speech"}
    assert set(tested) == speech and set(tested.values()) == {1}
    assert {clip.facts["channel"] for split in made for clip in split.test + split.dev} == {
        "speech"
    }
    assert {clip.facts["channel"] for clip in made[0].train} == {"speech", "song"}


def test_actors21_24() -> None:
    (split,) = folds("actors21-24")
    assert [sorted(actors(part)) for part in (split.train, split.dev, split.test)] == [
        list(range(1, 17)),
        [17, 18, 19, 20],
        [21, 22, 23, 24],
    ]
    # 60 spoken and 44 sung clips each; actor 18 does not sing.
    assert sizes(split) == (16 * 104, 4 * 104 - 44, 4 * 104)
    assert len(protocols.part_of(split.test, "speech")) == 240
    assert len(protocols.part_of(split.test, "song")) == 176
    assert len(protocols.part_of(split.test, "speech+song")) == 416


@pytest.mark.parametrize(
    ("name", "expected"), [("random70", (1716, 368, 368)), ("random70-speech", (1008, 216, 216))]
)
def test_random70_is_the_reference_split(name: str, expected: tuple[int, int, int]) -> None:
    (split,) = folds(name)
    assert sizes(split) == expected
    assert (split,) == folds(name, seed=7)  # the seed is the document's, 42
    whole = split.train + split.dev + split.test
    for part in (split.train, split.dev, split.test):
        for emotion, count in Counter(clip.emotion for clip in whole).items():
            share = sum(clip.emotion == emotion for clip in part)
            assert share == pytest.approx(count * len(part) / len(whole), abs=1)
    if name == "random70-speech":
        assert {clip.facts["channel"] for clip in whole} == {"speech"}


def test_random10_tests_every_spoken_clip_once() -> None:
    made = folds("random10")
    assert len(made) == 10
    tested = Counter(clip.path for split in made for clip in split.test)
    assert len(tested) == 1440 and set(tested.values()) == {1}
    assert {sizes(split) for split in made} == {(1166, 130, 144)}
    assert {c.facts["channel"] for s in made for c in s.train + s.dev + s.test} == {"speech"}
    assert made == folds("random10") != folds("random10", seed=1)


def test_tuning_never_sees_the_untouched_actors() -> None:
    for n in (2, 3, 5):
        made = splits.tuning_folds(CLIPS, n)
        assert len(made) == n
        dev = [actors(split.dev) for split in made]
        assert set.union(*dev) == set(range(1, 21)) and sum(map(len, dev)) == 20
        for split in made:
            assert split.test == () and not split.leaky
            assert actors(split.train) == set(range(1, 21)) - actors(split.dev)
    assert actors(splits.tunable(CLIPS)) == set(range(1, 21))


def test_tuning_of_another_corpus_uses_all_its_speakers() -> None:
    clips = people("19", "21", "22", "23")
    assert splits.tunable(clips) == clips
    assert [actors(split.dev) for split in splits.tuning_folds(clips, 2)] == [{19, 22}, {21, 23}]
    with pytest.raises(DataError, match=r"5 folds need .*, 5 or more; 4 known"):
        splits.tuning_folds(clips, 5)


def test_by_speaker_is_repeatable_and_takes_whole_speakers() -> None:
    clips = people(*"abcdefghijkl")
    split = splits.by_speaker(clips, 3)
    assert split == splits.by_speaker(clips, 3)
    assert {splits.by_speaker(clips, seed).test for seed in range(5)} != {split.test}
    assert sizes(split) == (8 * 4, 2 * 4, 2 * 4)
    who = [{clip.speaker for clip in part} for part in (split.train, split.dev, split.test)]
    assert set.union(*who) == set("abcdefghijkl") and sum(map(len, who)) == 12
    assert not split.leaky


@pytest.mark.parametrize("n", [3, 4, 6, 8])
def test_by_speaker_leaves_nobody_out(n: int) -> None:
    split = splits.by_speaker(people(*"abcdefgh"[:n]), 0)
    parts = [len({clip.speaker for clip in part}) for part in (split.train, split.dev, split.test)]
    assert parts == [n - 2, 1, 1]


@pytest.mark.parametrize("speakers", [(), ("a",), ("a", "b"), ("a", "b", "")])
def test_by_speaker_needs_three(speakers: tuple[str, ...]) -> None:
    known = 0 if "" in speakers else len(speakers)
    with pytest.raises(DataError, match=f"clip's speaker, at least 3; {known} (are|is)") as raised:
        splits.by_speaker(people(*speakers), 0)
    assert "speaker" in raised.value.hint and "--split random" in raised.value.hint


def test_clips_of_unknown_speakers_make_no_independent_split() -> None:
    # They could be of anyone, of a test speaker too.
    clips = people("a", "b", "c", "d", "", clips_each=16)
    with pytest.raises(DataError, match="every clip's speaker"):
        splits.by_speaker(clips, 0)
    assert splits.default_split(clips, 0).leaky
    with pytest.raises(DataError, match="every clip's speaker"):
        splits.tuning_folds(clips, 2)


def test_random_split_wants_enough_of_each_emotion() -> None:
    with pytest.raises(DataError, match="too few") as raised:
        splits.random_split(people("a", emotions=4), 0)
    assert "7 clips" in raised.value.hint


def test_a_class_of_one_clip_is_named() -> None:
    clips = (*people("a", clips_each=20), Clip(Path("x.wav"), emotion="at ease", speaker="a"))
    with pytest.raises(DataError, match="too few clips of at ease to be on both sides") as raised:
        splits.random_split(clips, 0)
    assert raised.value.hint.endswith("or --exclude 'at ease'")
    many = (*people(*"abcdef", clips_each=8), Clip(Path("x.wav"), emotion="e", speaker="a"))
    with pytest.raises(DataError, match=r"dev has no clip of e; .*1 clip of e by 1 speaker"):
        splits.default_split(many, 0)


def table(*rows: tuple[str, str, str]) -> tuple[Clip, ...]:
    return tuple(
        Clip(Path(f"{n}.wav"), emotion=emotion, speaker=who, corpus="table", split=part)
        for n, (who, emotion, part) in enumerate(rows)
    )


def test_a_table_names_its_own_parts() -> None:
    clips = table(("a", "x", "test"), ("b", "x", "train"), ("c", "x", "dev"), ("d", "y", "train"))
    split = splits.from_table(clips)
    assert (split.train, split.dev, split.test) == ((clips[1], clips[3]), (clips[2],), (clips[0],))
    assert not split.leaky and splits.default_split(clips, 0) == split


def test_a_table_that_shares_speakers_is_leaky() -> None:
    for part in ("train", "dev"):
        clips = table(("a", "x", "test"), ("a", "x", part), ("b", "x", "train"), ("c", "x", "dev"))
        assert splits.from_table(clips).leaky
    # Not to know who speaks is not to know that they are others.
    for known in (("", "b"), ("b", ""), ("", "")):
        rows = zip(known, "xx", ("test", "train"), strict=True)
        assert splits.from_table(table(*rows, ("c", "x", "dev"))).leaky
    assert not splits.from_table(table(("", "x", "train"), ("", "x", "dev"))).leaky


def test_a_table_without_dev_takes_it_from_train() -> None:
    rows = [("a", "xy"[n % 2], "train") for n in range(40)] + [("b", "x", "test")]
    split = splits.from_table(table(*rows))
    assert sizes(split) == (34, 6, 1)
    assert {clip.split for clip in split.dev} == {"train"}
    assert split.dev_leaky and not split.leaky  # only one speaker is known: dev knows its voice
    with pytest.raises(DataError, match="no clip is marked train"):
        splits.from_table(table(("a", "x", "test")))


def test_a_table_without_dev_takes_speakers_from_train() -> None:
    voices = [(who, emotion, "train") for who in "abcdefghijkl" for emotion in "xyy"]
    split = splits.from_table(table(*voices, ("z", "x", "test")))
    assert sizes(split) == (30, 6, 1)
    assert not split.dev_leaky and len({clip.speaker for clip in split.dev}) == 2
    assert splits.from_table(table(*voices[:6])).dev[0].speaker in "ab"
    # Nobody says it twice over: dev cannot have it without taking it from train.
    with pytest.raises(DataError, match=r"has no clip of q .*1 clip of q by 1 speaker") as raised:
        splits.from_table(table(*voices, ("m", "q", "train")))
    assert "column split" in raised.value.hint


def test_a_table_may_leave_an_emotion_out_of_its_own_parts() -> None:
    clips = table(("a", "x", "train"), ("a", "y", "train"), ("b", "x", "dev"), ("c", "y", "test"))
    assert splits.from_table(clips).named


def test_an_automatic_split_without_an_emotion_is_refused() -> None:
    """Two clips of 119: they used to be in training alone, and nobody was told."""
    often = [(who, emotion, "") for who in "abcdefghijklm" for emotion in "123456789"]
    rare = table(*often, ("a", "rare", ""), ("b", "rare", ""))
    with pytest.raises(DataError, match="has no clip of rare") as raised:
        splits.random_split(rare, 0)
    assert "about 7" in raised.value.hint
    actors = tuple(c for c in CLIPS if c.emotion != "calm" or actor(c) not in range(17, 21))
    with pytest.raises(DataError, match="dev has no clip of calm"):
        splits.default_split(actors, 0)
    few = people("a", "b", "c") + people("a", emotions=3)
    with pytest.raises(DataError, match=r"no clip of c \(.* of c by 1 speaker\)") as raised:
        splits.by_speaker(few, 0)
    assert "--split random, or --exclude c" in raised.value.hint


def test_the_default_is_what_a_careful_user_would_choose() -> None:
    assert (splits.default_split(CLIPS, 5),) == folds("actors21-24")
    assert splits.default_split(people(*"abcd"), 1) == splits.by_speaker(people(*"abcd"), 1)
    anonymous = people("", clips_each=40)
    assert splits.default_split(anonymous, 1) == splits.random_split(anonymous, 1)
    assert splits.default_split(anonymous, 1).leaky
    # RAVDESS without its last actors is split by those that are there.
    first = tuple(clip for clip in CLIPS if actor(clip) < 21)
    assert splits.default_split(first, 2) == splits.by_speaker(first, 2)
