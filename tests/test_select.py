"""Clips are left out, capped and repeated as asked, and never in another way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ser_cli.data import corpora, select
from ser_cli.data.labels import EMOTIONS, normalise_label
from ser_cli.data.select import Selection
from ser_cli.errors import UsageError
from ser_cli.jobs.clips import ExtractJob
from ser_cli.jobs.training import TrainJob
from ser_cli.types import Clip

COUNTS = {"angry": 12, "calm": 7, "sad": 3}


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = ["file,emotion"]
    for number in range(max(COUNTS.values())):
        rows += [f"{n}-{number:02d}.wav,{n}" for n, count in COUNTS.items() if number < count]
    for row in rows[1:]:
        (tmp_path / row.split(",")[0]).write_bytes(b"")
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


def load(data: str, selection: Selection, *, seed: int) -> tuple[Clip, ...]:
    return select.choose(corpora.load(data), selection, seed=seed)


def counts(clips: tuple[Clip, ...]) -> dict[str, int]:
    return dict(Counter(clip.emotion for clip in clips))


def test_by_itself_a_selection_takes_all_in_order(table: str) -> None:
    clips = load(table, select.ALL, seed=0)
    assert counts(clips) == COUNTS
    assert load(table, Selection(per_class=12), seed=5) == clips
    assert select.ALL.describe() == ()


def test_emotions_are_left_out(table: str) -> None:
    clips = load(table, Selection(exclude=("sad",)), seed=0)
    assert counts(clips) == {"angry": 12, "calm": 7}
    whole = load(table, select.ALL, seed=0)
    assert clips == tuple(clip for clip in whole if clip.emotion != "sad")


def test_classes_are_capped_by_a_draw(table: str) -> None:
    capped = Selection(per_class=4)
    first, again, other = (load(table, capped, seed=seed) for seed in (1, 1, 2))
    assert counts(first) == {"angry": 4, "calm": 4, "sad": 3}
    assert first == again and first != other
    whole = load(table, select.ALL, seed=0)
    assert [whole.index(clip) for clip in first] == sorted(whole.index(clip) for clip in first)
    # Not the first ones, and the same whatever is left out beside them.
    assert first != tuple(c for c in whole if int(c.path.stem[-2:]) < 4)
    without = load(table, Selection(("calm",), 4), seed=1)
    assert without == tuple(clip for clip in first if clip.emotion != "calm")


def test_what_is_not_there_cannot_be_chosen(table: str) -> None:
    for wrong, named in (
        (Selection(exclude=("bored",)), "bored"),
        (Selection(oversample=("bored",)), "bored"),
        (Selection(exclude=("sad",), oversample=("sad",)), "sad"),
    ):
        with pytest.raises(UsageError, match=f"no clip is '{named}'") as raised:
            load(table, wrong, seed=0)
        assert "angry, calm" in raised.value.hint
    with pytest.raises(UsageError, match="fewer than two emotions"):
        load(table, Selection(exclude=("calm", "sad")), seed=0)


def test_repeats_fill_a_class_up_to_the_largest(table: str) -> None:
    train = load(table, select.ALL, seed=0)
    again = select.repeats(train, ("sad",), seed=0)
    assert counts(train + again) == COUNTS | {"sad": 12}
    assert set(Counter(again).values()) == {3}  # each of three as often as the others
    some = select.repeats(train, ("calm",), seed=0)
    assert len(some) == len(set(some)) == 5
    assert select.repeats(train, ("calm",), seed=0) == some
    assert select.repeats(train, ("calm",), seed=1) != some
    both = counts(train + select.repeats(train, ("calm", "sad"), seed=0))
    assert both == dict.fromkeys(COUNTS, 12)


def test_nothing_to_repeat(table: str) -> None:
    train = load(table, select.ALL, seed=0)
    for labels in ((), ("angry",), ("bored",)):
        assert select.repeats(train, labels, seed=0) == ()
    assert select.repeats((), ("sad",), seed=0) == ()


def test_a_description_names_every_choice() -> None:
    chosen = Selection(("calm", "sad"), 300, ("neutral",))
    assert chosen.describe() == ("no calm", "no sad", "at most 300 a class", "neutral oversampled")


def test_options_take_any_spelling_once() -> None:
    assert TrainJob().selection == ExtractJob().selection == select.ALL
    job = TrainJob(exclude=("Fear", "sad", "fearful"), per_class=3, oversample=("surprise",))
    assert job.selection == Selection(("fearful", "sad"), 3, ("surprised",))
    assert ExtractJob(exclude=("Fear",)).selection == Selection(("fearful",))


@pytest.mark.parametrize(
    "spelling", ["fear", "fearful", "surprise", "surprised", "angry", "Neutral"]
)
def test_other_spellings_are_accepted(spelling: str) -> None:
    assert normalise_label(spelling) in EMOTIONS


def test_a_choice_of_ravdess(ravdess: Path) -> None:
    clips = load(str(ravdess), Selection(("sad",), 300), seed=0)
    assert counts(clips) == {
        **dict.fromkeys(("angry", "calm", "fearful", "happy"), 300),
        **{"disgust": 192, "surprised": 192, "neutral": 188},
    }
    assert len(clips) == 1772
