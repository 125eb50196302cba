"""Tables whose rows are parts of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_cli.data import bounds, corpora, parts, splits
from ser_cli.data.corpora import table
from ser_cli.data.splits import Split
from ser_cli.data.store import write_csv
from ser_cli.errors import DataError
from ser_cli.model import artifacts
from ser_cli.model.heard import Heard
from ser_cli.types import Clip

RATE = 8_000
Bounds = tuple[float, float | None]


def sound(path: Path, seconds: float = 2.0) -> None:
    soundfile.write(path, np.zeros(round(seconds * RATE)), RATE)


def load(folder: Path, text: str) -> list[Bounds]:
    sound(folder / "a.wav")
    (folder / "clips.csv").write_text(text, encoding="utf-8")
    return [(clip.start, clip.end) for clip in table.load(str(folder / "clips.csv"))]


@pytest.mark.parametrize(
    "head", ["start,end", "onset,offset", "Begin_Time,End_Time", "start_time,stop", "begin,finish"]
)
def test_rows_are_parts_of_files(tmp_path: Path, head: str) -> None:
    found = load(tmp_path, f"file,{head},emotion\na.wav,1.25,1.75,sad\na.wav,0,0.5,sad\n")
    assert found == [(0.0, 0.5), (1.25, 1.75)]


@pytest.mark.parametrize("head", ["start,duration", "offset,duration", "onset,duration"])
def test_a_part_may_state_how_long_it_is(tmp_path: Path, head: str) -> None:
    assert load(tmp_path, f"file,{head},emotion\na.wav,0.1,0.2,sad\n") == [(0.1, 0.3)]


def test_a_duration_alone_is_that_of_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(tmp_path, "file,duration,emotion\na.wav,2.0,sad\n") == [bounds.WHOLE]
    assert "not used: duration" in caplog.text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        (".5", 0.5),
        ("2e-01", 0.2),
        ("0 days 00:00:01.500000", 1.5),
        ("0 days 00:00:01.500000500", 1.500001),
        ("0 days", 0.0),
        ("00:00:01.5", 1.5),
        ("0:01", 1.0),
    ],
)
def test_times_are_read_as_they_are_written(tmp_path: Path, text: str, seconds: float) -> None:
    found = load(tmp_path, f"file,start,end,emotion\na.wav,{text},1.9,sad\n")
    assert found == [(seconds, 1.9)]


def test_times_may_have_a_decimal_comma(tmp_path: Path) -> None:
    assert load(tmp_path, "file;start;end;emotion\na.wav;0,5;1,25;sad\n") == [(0.5, 1.25)]


@pytest.mark.parametrize("end", ["", "NaT", "nan"])
def test_a_part_without_an_end_ends_with_its_file(tmp_path: Path, end: str) -> None:
    rows = f"a.wav,0 days 00:00:01,{end},sad\na.wav,0 days,{end},sad\n"
    assert load(tmp_path, f"file,start,end,emotion\n{rows}") == [bounds.WHOLE, (1.0, None)]


@pytest.mark.parametrize("end", ["2.0", "1.995", "2.05"])
def test_a_row_of_a_whole_file_is_that_file(tmp_path: Path, end: str) -> None:
    assert load(tmp_path, f"file,start,end,emotion\na.wav,0.0,{end},sad\n") == [bounds.WHOLE]


def test_parts_may_overlap_and_the_same_one_counts_once(tmp_path: Path) -> None:
    rows = "a.wav,0,1,sad\na.wav,0.5,1.5,happy\n./a.wav,0.0,1.00,sad\n"
    assert load(tmp_path, f"file,start,end,emotion\n{rows}") == [(0.0, 1.0), (0.5, 1.5)]
    with pytest.raises(DataError, match="lines 2 and 3: two different rows for a"):
        load(tmp_path, "file,start,end,emotion\na.wav,0,1,sad\na.wav,0,1,happy\n")


def test_a_file_is_one_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    load(tmp_path, "file,start,end,emotion\na.wav,0,1,sad\ndeep/../a.wav,1,2,sad\n")
    assert len({clip.path for clip in table.load(str(tmp_path / "clips.csv"))}) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,1", "it begins at 1 s and ends at 1 s"),
        ("1.5,0.5", "it begins at 1.5 s and ends at 0.5 s"),
        ("-1,1", "'-1' is no time in a file"),
        ("-1 days +23:59:59,1", "'-1 days .23:59:59' is no time"),
        ("inf,", "'inf' is no time in a file"),
        ("nan,1", "it has no start"),
        ("soon,1", "'soon' is no time"),
        ("0.5,2.5", "from 0.5 s to 2.5 s, and a.wav has 2.00 s"),
        ("500,1500", "from 500 s to 1500 s, and a.wav has 2.00 s"),
        ("2,", "from 2 s on, and a.wav has 2.00 s"),
    ],
)
def test_rows_that_name_no_part_are_listed(tmp_path: Path, row: str, reason: str) -> None:
    rows = f"a.wav,{row},sad\na.wav,0,1,sad\na.wav,{row},sad\n"
    found = rf"2 of 3 rows name no part of their file: line 2: {reason}, line 4: {reason}"
    with pytest.raises(DataError, match=found) as raised:
        load(tmp_path, f"file,start,end,emotion\n{rows}")
    assert "seconds from the beginning" in raised.value.hint


@pytest.mark.parametrize(
    ("head", "message"), [("start", "begin in their files"), ("stop", "end in their files")]
)
def test_half_of_a_part_is_refused_by_name(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"{message} \({head}\)"):
        load(tmp_path, f"file,{head},emotion\na.wav,1,sad\n")


def test_a_file_that_cannot_be_read_is_told_of_with_its_sound(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    assert load(tmp_path, "file,start,end,emotion\nb.wav,0,1,sad\n") == [(0.0, 1.0)]


def test_what_was_split_is_read_back(tmp_path: Path) -> None:
    for number in range(3):
        sound(tmp_path / f"{number}.wav", 2.0 + number)
    train, dev, test = (thirds(tmp_path / f"{n}.wav") for n in range(3))
    split = Split(train, (*dev, Clip(tmp_path / "0.wav", emotion="sad")), test, leaky=False)
    rows = parts.rows(split)
    assert rows[0] == ["file", "start", "end", "emotion", "speaker", "split", "recording"]
    write_csv(tmp_path / artifacts.SPLIT, rows)
    again = table.load(str(tmp_path / artifacts.SPLIT))
    everything = split.train + split.dev + split.test
    assert {c.segment for c in again} == {c.segment for c in everything}
    heard = Heard(tmp_path)
    assert heard.roles_of(everything) == 3 * ["train"] + 4 * ["dev"] + 3 * ["test"]
    assert heard.roles_of([replace(train[0], end=0.6)]) == [None]
    assert parts.rows(Split((Clip(tmp_path / "0.wav"),), (), (), leaky=False))[0][1] == "emotion"


def thirds(path: Path) -> tuple[Clip, ...]:
    spans: tuple[Bounds, ...] = ((0.0, 0.5), (0.5, 1.25), (1.5, None))
    return tuple(Clip(path, emotion="sad", start=start, end=end) for start, end in spans)


def by_recording(recordings: int, speaker: str = "") -> tuple[Clip, ...]:
    """Return clips of which ten each are parts of one recording, of either emotion."""
    return tuple(
        Clip(Path(f"{n}.wav"), ("sad", "happy")[k % 2], speaker, start=float(k), end=k + 1.0)
        for n in range(recordings)
        for k in range(10)
    )


@pytest.mark.parametrize("speaker", ["", "one"])
def test_no_recording_is_on_both_sides(speaker: str) -> None:
    clips = by_recording(20, speaker)
    split = splits.default_split(clips, seed=1)
    sides = [{clip.path for clip in part} for part in (split.train, split.dev, split.test)]
    assert [len(side) for side in sides] == [14, 3, 3]
    assert len(set.union(*sides)) == 20
    assert len(split.train) + len(split.dev) + len(split.test) == len(clips)


def test_dev_of_a_table_with_parts_shares_no_recording_with_training() -> None:
    clips = tuple(replace(clip, split="train") for clip in by_recording(10))
    split = splits.default_split(clips, seed=0)
    assert not {clip.path for clip in split.train} & {clip.path for clip in split.dev}
    assert split.dev


def dialogues(*pairs: str) -> tuple[Clip, ...]:
    """Return clips of recordings in which each of a pair says each of two emotions five times."""
    return tuple(
        Clip(Path(f"{n}.wav"), ("sad", "happy")[k % 2], pair[k // 10], start=float(k), end=k + 1.0)
        for n, pair in enumerate(pairs)
        for k in range(20)
    )


def test_parties_of_a_dialogue_stay_together() -> None:
    split = splits.by_speaker(dialogues("ab", "cd", "be", "fg", "hi", "jk", "lm"), seed=0)
    sides = [{clip.speaker for clip in part} for part in (split.train, split.dev, split.test)]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 13
    assert all(len(side & set(pair)) in (0, len(pair)) for side in sides for pair in ("abe", "cd"))
    files = [{clip.path for clip in part} for part in (split.train, split.dev, split.test)]
    assert len(set.union(*files)) == sum(map(len, files)) == 7


def test_who_speaks_with_everybody_is_dealt_alone() -> None:
    split = splits.by_speaker(dialogues("ab", "ac", "ad", "ae"), seed=0)
    sides = [{clip.speaker for clip in part} for part in (split.train, split.dev, split.test)]
    assert [len(side) for side in sides] == [3, 1, 1] and len(set.union(*sides)) == 5


@pytest.mark.parametrize("recordings", [1, 2])
def test_too_few_recordings_are_not_split(recordings: int) -> None:
    with pytest.raises(DataError, match="parts of one recording"):
        splits.random_split(by_recording(recordings), seed=0)


def test_two_labels_of_one_part_in_two_tables_are_refused(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    for name, label in (("one", "sad"), ("two", "happy")):
        text = f"file,start,end,emotion\na.wav,0,1,{label}\na.wav,1,2,calm\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    assert len(corpora.load(str(tmp_path / "one.csv"), str(tmp_path / "one.csv"))) == 2
    with pytest.raises(DataError, match=r"a.wav#t=0,1 is sad in one.csv and happy in two.csv"):
        corpora.load(str(tmp_path / "one.csv"), str(tmp_path / "two.csv"))
