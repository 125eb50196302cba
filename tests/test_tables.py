"""Tables of clips as people save them, and what is said where one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import touch

from ser_cli.data import corpora, splits, tables
from ser_cli.data.corpora import table
from ser_cli.errors import DataError
from ser_cli.model.rows import columns


def write(folder: Path, text: str, encoding: str = "utf-8") -> str:
    for name in ("a.wav", "deep/b.wav"):
        touch(folder / name)
    path = folder / "clips.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_table_is_read_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = write(
        tmp_path,
        "File, Emotion,speaker,split,comment\r\n"
        '"deep/b.wav",Fear,anna,Validation,"one, two"\r\n'
        "\r\n"
        "a.wav,bored,,\r\n",
        "utf-8-sig",
    )
    first, second = corpora.load(data)
    assert (first.path, first.emotion, first.split) == (tmp_path / "a.wav", "bored", "")
    assert (second.path, second.emotion) == (tmp_path / "deep" / "b.wav", "fearful")
    assert (second.speaker, second.split, second.corpus) == ("clips.csv/anna", "dev", "clips.csv")
    assert caplog.messages[0] == f"{data}: columns that are not used: comment"


@pytest.mark.parametrize("sign", tables.SEPARATORS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("stated", [False, True])
def test_every_way_to_save_a_table(tmp_path: Path, sign: str, encoding: str, stated: bool) -> None:
    lines = [("file", "emotion", "speaker"), ("a.wav", "Ärger", "1"), ("deep/b.wav", "Freude", "2")]
    text = "\r\n".join(map(sign.join, lines))
    if stated:
        text = f"sep={sign}\r\n{text}"
    clips = table.load(write(tmp_path, text, encoding))
    assert [(clip.emotion, clip.speaker) for clip in clips] == [("ärger", "1"), ("freude", "2")]


def test_a_guessed_encoding_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table.load(write(tmp_path, "file,emotion\na.wav,fröhlich\n", "cp1252"))
    assert caplog.messages == [
        f"{tmp_path / 'clips.csv'} is no UTF-8: read as Windows-1252 (save it as UTF-8 if names "
        "look wrong)"
    ]


@pytest.mark.parametrize(
    ("encoding", "first", "second"),
    [
        ("cp1252", "colère", "dégoût"),
        ("cp1252", "müde", "enttäuscht"),
        ("cp1250", "złość", "radość"),
        ("cp1250", "štěstí", "hněv"),
        ("cp1251", "злость", "радость"),
        ("cp1254", "mutlu", "k\u0131zg\u0131n"),
    ],
)
def test_an_encoding_is_guessed_by_the_words_for_emotions(
    tmp_path: Path, encoding: str, first: str, second: str
) -> None:
    found = table.load(
        write(tmp_path, f"file,emotion\na.wav,{first}\ndeep/b.wav,{second}\n", encoding)
    )
    assert [clip.emotion for clip in found] == [first, second]


def test_an_encoding_that_cannot_be_guessed_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "clips.csv").write_bytes(b"file,emotion\na.wav,\x98\x81\x8d\x90\n")
    with pytest.raises(DataError, match="cannot be read as a table") as raised:
        table.load(str(tmp_path / "clips.csv"))
    assert "UTF-8" in raised.value.hint


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    text = "path,label,speaker_id,set\na.wav,happy,anna,Training\ndeep/b.wav,sad,ben,Devel\n"
    first, second = table.load(write(tmp_path, text))
    assert (first.emotion, first.speaker, first.split) == ("happy", "anna", "train")
    assert (second.emotion, second.speaker, second.split) == ("sad", "ben", "dev")


def test_our_own_names_of_columns_come_first(tmp_path: Path) -> None:
    (clip,) = table.load(write(tmp_path, "path,file,label,emotion\nx.wav,a.wav,1,happy\n"))
    assert (clip.path.name, clip.emotion) == ("a.wav", "happy")


@pytest.mark.parametrize("name", ["deep\\b.wav", "./deep/b.wav", "{folder}/deep/b.wav"])
def test_files_are_found_however_they_are_written(tmp_path: Path, name: str) -> None:
    text = f"file,emotion\n{name.format(folder=tmp_path)},sad\n"
    (clip,) = table.load(write(tmp_path, text))
    assert clip.path.resolve() == (tmp_path / "deep" / "b.wav").resolve()


def test_a_name_in_the_other_unicode_form_is_found(tmp_path: Path) -> None:
    touch(tmp_path / "A\u0308.wav")
    (clip,) = table.load(write(tmp_path, "file,emotion\n\u00c4.wav,sad\n"))
    assert clip.path.is_file()


def test_labels_are_one_in_either_unicode_form(tmp_path: Path) -> None:
    text = "file,emotion\na.wav,A\u0308rger\ndeep/b.wav,\u00c4rger\n"
    assert len({clip.emotion for clip in table.load(write(tmp_path, text))}) == 1


def test_all_files_that_are_not_there_are_listed(tmp_path: Path) -> None:
    data = write(tmp_path, "file,emotion\nx.wav,sad\na.wav,sad\n\ny.wav,sad\n")
    with pytest.raises(DataError, match=r"2 of 3 files .*: line 2: 'x.wav', line 5: 'y.wav'"):
        table.load(data)


def test_a_blank_speaker_is_one_unknown_speaker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [(f"{who}-{label}.wav", label, who) for who in "abcd" for label in ("happy", "sad")]
    for name, *_ in names:
        touch(tmp_path / name)
    rows = [",".join(row) for row in names]
    rows[0] = rows[0].removesuffix("a")
    clips = corpora.load(write(tmp_path, "\n".join(["file,emotion,speaker", *rows])))
    assert "1 of 8 rows has no speaker (line 2)" in caplog.text
    assert {clip.speaker.rpartition("/")[2] for clip in clips} == {*"abcd", table.UNKNOWN}
    assert corpora.has_speakers(clips)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.wav\n", "lacks the columns file, emotion"),
        ("", "lacks the columns file, emotion; it has none"),
        ("file,emotion\n", "no rows"),
        ("file,emotion\na.wav,sad\nc.wav,sad\n", "1 of 2 files is not there: line 3: 'c.wav'"),
        ("file,emotion\n,sad\n", "line 2: ''"),
        ("file,emotion\na.wav\n", "line 2: the emotion is empty"),
        ("file,emotion,file\na.wav,sad,b.wav\n", "two columns 'file'"),
        ("file,emotion\na, b.wav,sad\n", "line 2: 3 cells under 2 columns"),
        ("file,emotion\na.wav,-\n", "line 2: the emotion is empty"),
        ("file,emotion\na.wav,NaN\n", "line 2: the emotion is empty"),
        ("file,emotion,split\na.wav,sad,holdout\n", "line 2: the split 'holdout'"),
        (
            "file,emotion\na.wav,sad\ndeep/b.wav,sad\ndeep/../a.wav,happy\n",
            "lines 2 and 4: two different rows for a.wav",
        ),
        ("file,emotion,speaker\na.wav,sad,x\na.wav,sad,y\n", "lines 2 and 3"),
        ("file,emotion,split\na.wav,sad,train\na.wav,sad,test\n", "lines 2 and 3"),
    ],
)
def test_a_table_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    data = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as raised:
        table.load(data)
    assert raised.value.hint


def test_a_set_of_sentences_is_no_part_of_a_split(tmp_path: Path) -> None:
    text = "file,emotion,set\na.wav,sad,A\ndeep/b.wav,happy,B\n"
    assert [clip.split for clip in table.load(write(tmp_path, text))] == ["", ""]


@pytest.mark.parametrize("text", ["file,emotion\ra.wav,sad\r", "\n\nfile,emotion\na.wav,sad\n"])
def test_lines_may_end_in_any_way(text: str, tmp_path: Path) -> None:
    assert [clip.emotion for clip in table.load(write(tmp_path, text))] == ["sad"]


def test_a_name_that_cannot_be_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 file is not there"):
        table.load(write(tmp_path, f"file,emotion\n{'a' * 300}.wav,sad\n"))


def test_bytes_that_are_no_text_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_bytes(b"file,emotion\n\x00\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as a table"):
        table.load(str(tmp_path / "clips.csv"))


def test_a_row_that_is_repeated_counts_once(tmp_path: Path) -> None:
    data = write(tmp_path, "file,emotion\na.wav,Fear\ndeep/b.wav,sad\n./a.wav,fearful\n")
    assert [clip.emotion for clip in table.load(data)] == ["fearful", "sad"]


def test_one_emotion_is_nothing_to_learn(tmp_path: Path) -> None:
    for number in range(9):
        touch(tmp_path / f"{number}.wav")
    rows = "".join(f"{number}.wav,happy\n" for number in range(9))
    clips = corpora.load(write(tmp_path, f"file,emotion\n{rows}"))
    with pytest.raises(DataError, match="all training clips are 'happy'"):
        splits.default_split(clips, 0)


def test_labels_that_are_no_emotions_are_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path, "file,emotion\na.wav,anna\ndeep/b.wav,ben\n")
    with pytest.raises(DataError, match="known as an emotion: anna, ben") as raised:
        corpora.load(data)
    assert "--labels-as-given" in raised.value.hint
    assert len(corpora.load(data, as_given=True)) == 2
    assert len(corpora.load(data, classes=("ben",))) == 2


def test_a_class_called_like_a_column_gets_another_name() -> None:
    names = columns(("file", "happy"))
    assert names[5:7] == ("p_file", "happy") and len(names) == len(set(names))
    assert columns(("p_file", "end", "file"))[5:8] == ("p_file", "p_end", "p_p_file")
