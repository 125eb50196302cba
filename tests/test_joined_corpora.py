"""Corpora that are joined: nobody becomes somebody else, and no clip is lost or counted twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import EMOTIONS, ser, succeed, tone
from corpus import by_actor, by_table, read_rows

from ser_cli.data import corpora, splits
from ser_cli.errors import DataError
from ser_cli.types import Clip

ACTORS = [f"{number:02d}" for number in range(1, 25)]


def write_table(path: Path, rows: Sequence[tuple[str, ...]], *columns: str) -> Path:
    """Write a table of tones, one for each file it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, (name, *_) in enumerate(rows):
        if not (path.parent / name).exists():
            tone(path.parent / name, 300 + 10 * number, seed=number, seconds=0.1)
    lines = [",".join(row) for row in [("file", "emotion", *columns), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def by_number(path: Path, speakers: list[str]) -> Path:
    """Write a table of speakers that are called as RAVDESS calls its actors."""
    folder = path.stem
    rows = [(f"{folder}/{who}-{what}.wav", what, who) for who in speakers for what in EMOTIONS]
    return write_table(path, rows, "speaker")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two tables whose speakers are called alike."""
    first = by_number(tmp_path / "a.csv", ["1", "2"])
    return first, by_number(tmp_path / "b.csv", ["1", "2", "3"])


def load(*data: Path) -> tuple[Clip, ...]:
    return corpora.load(*map(str, data))


def speakers(clips: tuple[Clip, ...]) -> set[str]:
    return {clip.speaker for clip in clips}


def test_speakers_who_are_called_alike_are_two(pair: tuple[Path, Path]) -> None:
    clips = load(*pair)
    assert speakers(clips) == {"a.csv/1", "a.csv/2", "b.csv/1", "b.csv/2", "b.csv/3"}
    assert Counter(clip.corpus for clip in clips) == {"a.csv": 8, "b.csv": 12}
    assert set(clips) == set(load(pair[0]) + load(pair[1]))
    folds = splits.tuning_folds(clips, 5)
    assert [len(speakers(fold.dev)) for fold in folds] == [1] * 5


def test_a_command_takes_all_that_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = pair
    table = tmp_path / "features.csv"
    command = ("extract", "--data", first, "--data", second, "--jobs", 1, "--table", table)
    done = json.loads(succeed(*command, "--json").out)
    assert (done["clips"], done["failed"], len(read_rows(table))) == (20, [], 20)
    out = tmp_path / "eda"
    done = json.loads(succeed("eda", "--data", second, "--data", first, "--out", out, "--json").out)
    assert done["clips"] == dict.fromkeys(EMOTIONS, 5) and done["speakers"] == 5


def test_a_clip_of_both_is_taken_once(pair: tuple[Path, Path], tmp_path: Path) -> None:
    first, _ = pair
    again = [("../x/../a/1-sad.wav", "Sadness", "9"), ("../a/new.wav", "happy", "9")]
    other = write_table(tmp_path / "x" / "c.csv", again, "speaker")
    clips = load(first, other)
    assert len(clips) == 9
    assert [c.speaker for c in clips if c.path.name == "1-sad.wav"] == ["a.csv/1"]
    assert [c.speaker for c in clips if c.path.name == "new.wav"] == ["c.csv/9"]
    assert load(first, first) == load(first)
    assert len(load(first, tmp_path / "." / "x" / ".." / "a.csv")) == 8


def test_a_clip_that_two_label_differently_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    first, _ = pair
    other = write_table(tmp_path / "c.csv", [("a/1-sad.wav", "happy")])
    with pytest.raises(DataError) as raised:
        load(first, other)
    said = str(raised.value)
    assert said == f"{tmp_path / 'a' / '1-sad.wav'} is sad in a.csv and happy in c.csv"
    assert "leave one of the two out" in raised.value.hint
    done = ser("extract", "--data", first, "--data", other)
    assert done.code == 1 and said in done.err and "Traceback" not in done.err and not done.out


def test_a_clip_that_two_put_into_different_parts_is_refused(tmp_path: Path) -> None:
    first = write_table(tmp_path / "a.csv", [("x.wav", "sad", "train")], "split")
    second = write_table(tmp_path / "b.csv", [("x.wav", "sad", "test")], "split")
    with pytest.raises(DataError, match=r"train in a\.csv and test in b\.csv"):
        load(first, second)


def test_equal_names_in_different_places_are_two(tmp_path: Path) -> None:
    tables = [by_number(tmp_path / where / "clips.csv", ["1"]) for where in "xy"]
    assert speakers(load(*tables)) == {"clips.csv/1", "clips.csv-2/1"}
    folders = [tmp_path / where / "clips" for where in ("p", "q", "r")]
    for number, folder in enumerate(folders):
        for emotion in ("happy", "sad"):
            tone(folder / emotion / "1.wav", 400, seed=number, seconds=0.1)
    clips = load(*folders)
    assert Counter(c.corpus for c in clips) == {"clips": 2, "clips-2": 2, "clips-3": 2}
    assert len({clip.path for clip in clips}) == 6 and speakers(clips) == {""}


def test_a_table_or_folder_is_not_a_corpus_because_it_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = by_number(tmp_path / "ravdess.csv", ACTORS)
    folder = tmp_path / "ravdess"  # the table's clips, and two folders of emotions
    for number, emotion in enumerate(("happy", "sad")):
        tone(tmp_path / "in" / "ravdess" / emotion / "1.wav", 400, seed=number, seconds=0.1)
    (tmp_path / "in" / "ravdess.csv").write_bytes(table.read_bytes())
    clips = load(table)
    assert {clip.corpus for clip in clips} == {"ravdess.csv"}
    assert splits.tunable(clips) == clips and corpora.held_out(clips) == set()
    assert splits.default_split(clips, 1) == splits.by_speaker(clips, 1)
    monkeypatch.chdir(tmp_path / "in")
    for given in ("./ravdess", str(tmp_path / "in" / "ravdess")):
        assert {clip.corpus for clip in corpora.load(given)} == {"ravdess-2"}
    # A name alone is the corpus's, whatever lies here.
    monkeypatch.setenv("SER_RAVDESS_DIR", str(by_actor(tmp_path / "real", channels=("01",))))
    both = corpora.load("ravdess", "./ravdess", str(folder.with_suffix(".csv")))
    assert Counter(c.corpus for c in both) == {"ravdess": 48, "ravdess-2": 2, "ravdess.csv": 96}
    assert corpora.held_out(both) == {f"ravdess/{number}" for number in ACTORS[20:]}


@pytest.fixture(scope="module")
def actors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RAVDESS of 24 actors, who say two emotions."""
    return by_actor(tmp_path_factory.mktemp("joined") / "actors", channels=("01",))


def of(clips: tuple[Clip, ...], home: str) -> set[str]:
    """Return the speakers of one of the corpora, as it calls them."""
    return {c.speaker.removeprefix(f"{home}/") for c in clips if c.corpus == home}


@pytest.mark.parametrize("turned", [False, True])
def test_each_is_split_in_its_own_way(actors: Path, tmp_path: Path, turned: bool) -> None:
    """Its numbers are RAVDESS's, and mean other people."""
    table = by_number(tmp_path / "mine.csv", ACTORS[12:])
    data = (table, actors) if turned else (actors, table)
    clips = load(*data)
    split = splits.default_split(clips, 4)
    assert of(split.test, "ravdess") == set(ACTORS[20:])
    assert of(split.dev, "ravdess") == set(ACTORS[16:20])
    assert of(split.train, "ravdess") == set(ACTORS[:16])
    alone = splits.by_speaker(load(table), 4)
    for part in ("train", "dev", "test"):
        assert of(getattr(split, part), "mine.csv") == of(getattr(alone, part), "mine.csv")
    assert set(split.train + split.dev + split.test) == set(clips)
    assert not split.leaky and not split.dev_leaky and not split.named
    # Whoever is called 21 in the table is none of those that no choice may see.
    left = splits.tunable(clips)
    assert of(left, "mine.csv") == set(ACTORS[12:]) and of(left, "ravdess") == set(ACTORS[:20])


def test_a_table_that_names_its_parts_keeps_them(actors: Path, tmp_path: Path) -> None:
    parts = {"21": "train", "22": "dev", "1": "test"}
    rows = [(f"m/{w}-{e}.wav", e, w, part) for w, part in parts.items() for e in EMOTIONS]
    split = splits.default_split(
        load(actors, write_table(tmp_path / "mine.csv", rows, "speaker", "split")), 0
    )
    assert [of(part, "mine.csv") for part in (split.train, split.dev, split.test)] == [
        {"21"},
        {"22"},
        {"1"},
    ]
    assert of(split.test, "ravdess") == set(ACTORS[20:])


def test_one_that_knows_no_speakers_makes_the_whole_leaky(actors: Path, tmp_path: Path) -> None:
    rows = [(f"m/{n}-{e}.wav", e) for n in range(8) for e in EMOTIONS]
    split = splits.default_split(load(actors, write_table(tmp_path / "mine.csv", rows)), 0)
    assert split.leaky and split.dev_leaky
    assert of(split.test, "ravdess") == set(ACTORS[20:])
    assert Counter(c.corpus for c in split.train + split.dev + split.test)["mine.csv"] == 32


def test_a_protocol_is_of_one_corpus(
    actors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = by_table(tmp_path / "table")
    done = ser("evaluate", "--protocol", "luna5", "--data", actors, "--data", table)
    assert done.code == 1 and "luna5 splits the corpus ravdess" in done.err
    assert f"ravdess, not {actors} + {table}" in done.err
