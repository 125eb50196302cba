"""Corpora: what is found, how it is labelled, and that its order does not depend on the disk."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus import touch, write_index

from ser_cli.data import corpora
from ser_cli.data.corpora import folder, ravdess
from ser_cli.data.labels import EMOTIONS, normalise_label
from ser_cli.data.store import remember
from ser_cli.data.verification import Verification, verify
from ser_cli.errors import DataError, UsageError
from ser_cli.types import Clip

SOURCE = ravdess.SOURCE
NAME = "03-01-06-02-01-02-11"


@pytest.fixture(autouse=True)
def _no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)


@pytest.mark.parametrize("name", corpora.names())
def test_every_corpus_keeps_the_contract(name: str, tmp_path: Path) -> None:
    corpus = corpora.get(name)
    assert name == corpus.name
    assert corpus.about and "\n" not in corpus.about
    assert corpus.licence and isinstance(corpus.citation, str)
    assert corpus.parse("no clip of any corpus") is None
    assert not corpus.usual_protocol or corpus.usual_protocol in {p.name for p in corpus.protocols}
    assert not corpus.matches(str(tmp_path / "absent"))
    with pytest.raises(DataError) as raised:
        corpus.load(str(tmp_path / "absent"))
    assert raised.value.hint


def test_names_are_found_by_the_files() -> None:
    assert corpora.names() == (
        *("aesdd", "ased", "audformat", "cremad", "emodb", "emovo", "folder", "nemo", "ravdess"),
        *("savee", "table", "tess"),
    )


def test_those_that_know_their_own_files_are_asked_first() -> None:
    own = [corpus.name for corpus in corpora.known()]
    assert own[-3:] == ["audformat", "folder", "table"] and len(own) == len(corpora.names())


def test_unknown_corpus_names_the_known() -> None:
    with pytest.raises(UsageError, match="iemocap") as raised:
        corpora.get("iemocap")
    assert "nemo, ravdess, savee, table" in raised.value.hint


def test_absent_data_suggests_the_download(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder") as raised:
        corpora.load(str(tmp_path / "nowhere"))
    assert "ser download ravdess" in raised.value.hint


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder of clips nor a CSV table"):
        corpora.load(str(touch(tmp_path / "notes.txt")))


@pytest.mark.parametrize(
    ("seen", "written"),
    [
        *((emotion.upper(), emotion) for emotion in EMOTIONS),
        ("fear", "fearful"),
        (" Surprise ", "surprised"),
        ("Disgusted", "disgust"),
        ("happiness", "happy"),
        ("sadness", "sad"),
        ("Anger", "angry"),
        ("ps", "surprised"),
        ("pleasant_surprise", "surprised"),
        ("  Bored", "bored"),
    ],
)
def test_labels_have_one_spelling(seen: str, written: str) -> None:
    assert normalise_label(seen) == written


def test_emotions_are_sorted_and_keep_their_spelling() -> None:
    assert list(EMOTIONS) == sorted(map(normalise_label, EMOTIONS))


def test_ravdess_name_is_read_field_by_field() -> None:
    assert ravdess.parse(f"{NAME}.wav") == {
        "emotion": "fearful",
        "speaker": "11",
        "channel": "speech",
        "intensity": "strong",
        "statement": "kids",
        "repetition": "2",
        "sex": "male",
    }
    other = ravdess.parse("03-02-01-01-02-01-24")
    assert other is not None
    assert (other["emotion"], other["channel"], other["sex"]) == ("neutral", "song", "female")
    assert (other["statement"], other["intensity"], other["repetition"]) == ("dogs", "normal", "1")


@pytest.mark.parametrize(
    "name",
    [
        "01-01-06-01-02-01-12.mp4",
        "02-01-06-01-02-01-12.mp4",
        "03-01-09-01-02-01-12.wav",
        "03-01-06-01-02-01-25.wav",
        "03-01-06-01-02-01-00.wav",
        "03-01-06-01-02-01.wav",
        "03-01-06-01-02-01-12 (1).wav",
        "x03-01-06-01-02-01-12.wav",
        "",
    ],
)
def test_other_names_and_videos_are_not_clips(name: str) -> None:
    assert ravdess.parse(name) is None


def test_ravdess_clips_are_taken_once_in_one_order(tmp_path: Path) -> None:
    touch(tmp_path / "b" / "Actor_11" / f"{NAME}.wav")
    touch(tmp_path / "a" / "Actor_11" / f"{NAME}.wav")
    touch(tmp_path / "a" / "Actor_11" / f"{NAME}.flac")
    touch(tmp_path / "a" / "Actor_11" / f"._{NAME}.wav")
    touch(tmp_path / ".hidden" / "03-01-01-01-01-01-02.wav")
    touch(tmp_path / "z" / "03-01-01-01-01-01-01.WAV")
    touch(tmp_path / "readme.txt")
    clips = corpora.load(str(tmp_path))
    assert [clip.path.relative_to(tmp_path).as_posix() for clip in clips] == [
        "z/03-01-01-01-01-01-01.WAV",
        f"a/Actor_11/{NAME}.flac",
    ]
    assert [clip.speaker for clip in clips] == ["ravdess/01", "ravdess/11"]
    assert [clip.facts["intensity"] for clip in clips] == ["normal", "strong"]
    assert corpora.has_speakers(clips)


def test_a_stray_file_does_not_turn_actors_into_labels(tmp_path: Path) -> None:
    touch(tmp_path / "Actor_11" / f"{NAME}.wav")
    touch(tmp_path / "Actor_12" / "03-01-01-01-01-01-12.wav")
    touch(tmp_path / "Actor_12" / "mine.wav")
    assert {clip.emotion for clip in corpora.load(str(tmp_path))} == {"fearful", "neutral"}


def test_mixed_corpora_sorted_by_emotion_are_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "fear" / f"{NAME}.wav")
    touch(tmp_path / "sad" / "OAF_back_sad.wav")
    clips = corpora.load(str(tmp_path))
    assert [clip.corpus for clip in clips] == [tmp_path.name, tmp_path.name]
    assert not any(clip.speaker for clip in clips)


def test_ravdess_by_name_is_found_where_it_was_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="not on this machine") as raised:
        corpora.load("ravdess")
    assert "ser download-ravdess" in raised.value.hint
    first = touch(tmp_path / "first" / f"{NAME}.wav")
    second = touch(tmp_path / "second" / f"{NAME}.wav")
    remember("ravdess", str(first.parent))
    assert [clip.path for clip in corpora.load("ravdess")] == [first]
    monkeypatch.setenv("SER_RAVDESS_DIR", str(second.parent))
    assert [clip.path for clip in corpora.load("ravdess")] == [second]
    monkeypatch.setenv("SER_RAVDESS_DIR", str(tmp_path / "gone"))
    with pytest.raises(DataError, match="no such folder"):
        corpora.load("ravdess")


def test_a_folder_without_clips_is_no_ravdess(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sound files"):
        ravdess.load(str(tmp_path))


def test_folder_labels_are_its_sub_folders(tmp_path: Path) -> None:
    touch(tmp_path / "Surprise" / "b.wav")
    touch(tmp_path / "sad" / "deep" / "er" / "a.mp3")
    touch(tmp_path / "bored" / "a.m4a")
    touch(tmp_path / "bored" / "._a.m4a")
    touch(tmp_path / "bored" / "notes.txt")
    touch(tmp_path / "loose.wav")
    clips = corpora.load(str(tmp_path))
    assert [(clip.path.name, clip.emotion) for clip in clips] == [
        ("a.m4a", "bored"),
        ("a.mp3", "sad"),
        ("b.wav", "surprised"),
    ]
    assert not corpora.has_speakers(clips)
    assert not corpora.has_speakers(())


def test_equal_names_are_ordered_by_their_folders(tmp_path: Path) -> None:
    for label in ("sad", "angry", "happy"):
        touch(tmp_path / label / "1.wav")
    assert [clip.emotion for clip in folder.load(str(tmp_path))] == ["angry", "happy", "sad"]


@pytest.mark.parametrize("labels", [(), ("sad",)])
def test_a_folder_needs_two_labels(tmp_path: Path, labels: tuple[str, ...]) -> None:
    for label in labels:
        touch(tmp_path / label / "1.wav")
    (tmp_path / "happy").mkdir()
    with pytest.raises(DataError, match="at least two sub-folders") as raised:
        corpora.load(str(tmp_path))
    assert "CSV" in raised.value.hint


def test_index_names_the_whole_corpus() -> None:
    counts = Counter(str((ravdess.parse(name) or {})["emotion"]) for name in SOURCE.digests())
    assert counts == {
        "calm": 376,
        "happy": 376,
        "sad": 376,
        "angry": 376,
        "fearful": 376,
        "disgust": 192,
        "surprised": 192,
        "neutral": 188,
    }
    assert (len(SOURCE.digests("speech")), len(SOURCE.digests("song"))) == (1440, 1012)
    index = SOURCE.digests()
    # As published, these two repetitions hold the same samples; every other clip is unique.
    assert index["03-01-03-01-02-01-07"] == index["03-01-03-01-02-02-07"]
    assert len(set(index.values())) == 2451
    assert not any(name.endswith("-18") for name in SOURCE.digests("song"))


def sine(path: Path, hertz: float, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    one = 9000 * np.sin(2 * np.pi * hertz * np.arange(4800) / 48_000)
    many = np.stack([one / (channel + 1) for channel in range(channels)], axis=1)
    soundfile.write(path, many.astype(np.int16), 48_000, subtype="PCM_16")
    return path


@pytest.mark.parametrize("channels", [1, 2])
def test_digest_is_of_the_samples_not_of_the_format(tmp_path: Path, channels: int) -> None:
    wav = sine(tmp_path / "a.wav", 440, channels)
    assert SOURCE.digest(wav) == SOURCE.digest(sine(tmp_path / "a.flac", 440, channels))
    assert SOURCE.digest(wav) != SOURCE.digest(sine(tmp_path / "b.wav", 441, channels))
    assert len(SOURCE.digest(wav)) == 64


def test_verify_tells_missing_wrong_and_right(tmp_path: Path) -> None:
    names = [f"03-0{channel}-01-01-01-01-0{actor}" for channel in (1, 2) for actor in (1, 2, 3)]
    for number, name in enumerate(names):
        sine(tmp_path / f"{name}.wav", 100 + number)
    source = replace(SOURCE, index=write_index(tmp_path, tmp_path / "index.csv"))
    assert verify(source, tmp_path) == Verification((), (), 6)

    sine(tmp_path / f"{names[0]}.wav", 999)
    (tmp_path / f"{names[1]}.wav").write_bytes(b"RIFF")
    (tmp_path / f"{names[5]}.wav").unlink()
    told: list[tuple[int, int, str]] = []
    found = verify(source, tmp_path, lambda *step: told.append(step))
    assert found == Verification((names[5],), (names[0], names[1]), 3)
    assert told[-1] == (5, 5, "verifying")
    speech = verify(source, tmp_path, part="speech", trusted=[names[0]])
    assert speech == Verification((), (names[1],), 2)


def test_real_corpus_loads_whole(ravdess: Path) -> None:
    clips = corpora.load(str(ravdess))
    assert len(clips) == 2452
    assert [clip.path.name for clip in clips] == sorted(clip.path.name for clip in clips)
    assert len({clip.speaker for clip in clips}) == 24


def test_index_holds_for_a_sample_of_the_real_corpus(ravdess: Path) -> None:
    index, paths = SOURCE.digests(), SOURCE.paths(ravdess)
    for name in random.Random(3).sample(sorted(paths), 20):
        assert SOURCE.digest(paths[name]) == index[name]


def test_index_holds_for_a_copy_as_wav(ravdess: Path, tmp_path: Path) -> None:
    name, path = next(iter(SOURCE.paths(ravdess).items()))
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(tmp_path / f"{name}.wav", samples, rate, subtype="PCM_16")
    assert SOURCE.digest(tmp_path / f"{name}.wav") == SOURCE.digests()[name]


@pytest.mark.slow
def test_index_is_what_the_real_corpus_gives(ravdess: Path, tmp_path: Path) -> None:
    made = write_index(ravdess, tmp_path / "index.csv")
    assert made.read_bytes() == SOURCE.index.read_bytes()
    assert verify(SOURCE, ravdess) == Verification((), (), 2452)


def test_clips_in_a_moved_copy_keep_their_order(ravdess: Path, tmp_path: Path) -> None:
    paths = list(SOURCE.paths(ravdess).values())[::400]
    for number, path in enumerate(reversed(paths)):
        target = tmp_path / str(number) / path.name
        target.parent.mkdir()
        shutil.copy(path, target)
    assert [clip.path.name for clip in corpora.load(str(tmp_path))] == [p.name for p in paths]


def test_clips_are_told_in_few_words() -> None:
    clips = [Clip(Path(f"{n}.wav"), speaker=f"x/{n % 2}", corpus="xy"[n % 2]) for n in range(3)]
    assert corpora.told(clips) == "x, y, 3 clips, 2 speakers"
    assert corpora.told(clips[:1]) == "x, 1 clip, 1 speaker"
    assert corpora.told([*clips, Clip(Path("4.wav"))]) == "x, y, 4 clips, speakers not known"
