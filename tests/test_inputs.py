"""Tables of files as what `ser predict` hears: each row is an input, in its place."""

from __future__ import annotations

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pandas
import pytest
import soundfile
from command import Result, ser

import ser_cli
from ser_cli.data import turns
from ser_cli.jobs.trained import PredictJob
from ser_cli.model import artifacts, parallel
from ser_cli.model.trained import Model
from ser_cli.sound import audio
from ser_cli.stages import predict as stage

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE = 16_000
Predict = Callable[..., Result]


def alternating(*levels: float) -> Floats:
    """Return a second of each level."""
    signs = np.resize(np.array([1, -1], np.float32), RATE * len(levels))
    return signs * np.repeat(np.array(levels, np.float32), RATE)


@pytest.fixture
def predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """Make a folder with `clips/talk.wav`, whose seconds are loud, quiet, loud, and `b.wav`."""
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "artifacts")
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    soundfile.write("clips/talk.wav", alternating(0.5, 0.01, 0.5), RATE)
    soundfile.write("clips/b.wav", alternating(0.01), RATE)
    return lambda *arguments: ser("predict", *arguments, "--artifacts", folder)


def rows(text: str) -> list[tuple[str, ...]]:
    """Return file, start, end, emotion and speaker of each row."""
    names = ("file", "start", "end", "emotion", "speaker")
    return [tuple(row[name] for name in names) for row in csv.DictReader(text.splitlines())]


TALK, OTHER = "clips/talk.wav", "clips/b.wav"
EXPECTED = [
    (TALK, "0.0", "1.0", "loud", "ann"),
    (TALK, "1.0", "2.0", "quiet", "bob"),
    (OTHER, "0.0", "1.0", "quiet", ""),
    (TALK, "0.5", "1.0", "loud", ""),
]
TEXT = (
    "file,start,end,speaker,age\ntalk.wav,0,1,ann,3\ntalk.wav,1,2,bob,3\nb.wav,,,,4\n"
    "talk.wav,.5,1,,5\n"
)


def as_table(name: str, text: str = TEXT) -> str:
    Path("clips", name).write_bytes(text.encode())
    return f"clips/{name}"


def test_each_row_of_a_table_is_an_input(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    done = predict(as_table("a.csv"))
    assert done.code == 0 and rows(done.out) == EXPECTED
    assert caplog.text.count("columns that are not used: age") == 1


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(".5", "0,5").replace(",", ";").replace("0;5", "0,5"),
        TEXT.replace(",", "\t"),
        "\ufeff" + TEXT,
        "sep=,\n" + TEXT,
        TEXT.replace("file", "path").replace("speaker", "speaker_id"),
        TEXT.replace("start,end", "start,duration")
        .replace("1,2,", "1,1,")
        .replace(".5,1", ".5,.5"),
    ],
)
def test_a_table_is_read_as_one_that_is_trained_on(predict: Predict, text: str) -> None:
    assert rows(predict(as_table("a.csv", text)).out) == EXPECTED


def test_a_table_of_windows_1252_and_one_in_parquet(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write("clips/gr\u00fc\u00df.wav", alternating(0.5), RATE)
    Path("clips/w.csv").write_bytes("file;x\ngr\u00fc\u00df.wav;sch\u00f6n\n".encode("cp1252"))
    done = predict("clips/w.csv")
    assert rows(done.out) == [("clips/gr\u00fc\u00df.wav", "0.0", "1.0", "loud", "")]
    assert "read as Windows-1252" in caplog.text
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame(
        {"file": ["talk.wav", "b.wav"], "start": [1.0, None], "end": [2.0, None]}
    )
    table.to_parquet("clips/a.parquet")
    assert rows(predict("clips/a.parquet").out) == [
        (TALK, "1.0", "2.0", "quiet", ""),
        (OTHER, "0.0", "1.0", "quiet", ""),
    ]


def test_without_pyarrow_it_is_said_how_to_get_it(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    done = predict(as_table("a.parquet"))
    assert done.code == 1 and 'pip install "speech-emotion[parquet]"' in done.err


def test_what_is_not_there_is_listed_and_every_row_keeps_its_place(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    Path("clips/bad.wav").write_text("no sound at all", encoding="utf-8")
    text = "file,start,end\nno.wav,0,1\nb.wav,,\nbad.wav,0,1\nbad.wav,1,2\n,,\ngone.wav,,\n"
    done = predict(as_table("a.csv", text))
    assert "2 of 5 files are not there: line 2: 'no.wav', line 7: 'gone.wav';" in caplog.text
    assert done.code == 3
    assert [row[:3] for row in rows(done.out)] == [
        ("clips/no.wav", "0.0", "1.0"),
        (OTHER, "0.0", "1.0"),
        ("clips/bad.wav", "0.0", "1.0"),
        ("clips/bad.wav", "1.0", "2.0"),
        ("clips/gone.wav", "", ""),
    ]
    assert "4 of 5 rows are errors" in done.err and "line 2: 'no.wav' is not there" in done.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file\n", "no rows below its header"),
        ("name,start,end\na.wav,0,1\n", "lacks the column file; it has name, start, end"),
        (
            "file,start,end\nb.wav,1,x\nb.wav,2,1\n",
            "2 of 2 rows name no part of their file: line 2",
        ),
        ("file,start\nb.wav,1\n", "not where they end"),
        ("name\na\n", "may be file,start,end,speaker"),
        ("file,file\na,b\n", "two columns"),
    ],
)
def test_tables_that_are_none(predict: Predict, text: str, words: str) -> None:
    done = predict(as_table("a.csv", text))
    assert done.code == 1 and words in done.err and not done.out


def test_a_part_ends_with_its_file_or_is_an_error(predict: Predict) -> None:
    text = "file,start,end\ntalk.wav,2,3.05\ntalk.wav,2,\ntalk.wav,2.5,9\ntalk.wav,3,4\n"
    done = predict(as_table("a.csv", text))
    found = list(csv.DictReader(done.out.splitlines()))
    assert [(row["start"], row["end"], row["status"], row["flags"]) for row in found] == [
        ("2.0", "3.05", "ok", ""),
        ("2.0", "3.0", "ok", ""),
        ("2.5", "3.0", "warning", "past end"),
        ("3.0", "4.0", "error", ""),
    ]
    assert done.code == 3 and "ends at 3.00 s, before its part from 3 s on" in found[3]["error"]


def test_what_a_limit_cuts_off_is_told_as_such(predict: Predict) -> None:
    soundfile.write("long.wav", alternating(*[0.5] * 5), RATE)
    Path("a.csv").write_text("file,start,end\nlong.wav,3,4\nlong.wav,4,5\n", encoding="utf-8")
    done = predict("a.csv", "--max-hours", 0.001)
    assert "3.6,loud" in done.out and "cut;past end" in done.out
    assert "ends at 3.60 s (--max-hours), before its part from 4 s on" in done.out


def test_parts_have_windows_of_their_own(predict: Predict) -> None:
    done = predict(
        as_table("a.csv", "file,start,end,speaker\ntalk.wav,0.5,2.5,ann\n"), "--window", 1
    )
    assert [row[1:3] + row[4:] for row in rows(done.out)] == [
        ("0.5", "1.5", "ann"),
        ("1.5", "2.5", "ann"),
    ]


def test_parts_in_their_order_are_read_in_one_go(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[int] = []
    real = audio.spans

    def spans(parts: Any, spans: Any) -> Any:
        wanted.append(len(spans))
        return real(parts, spans)

    monkeypatch.setattr(audio, "spans", spans)
    predict(as_table("a.csv"))
    assert wanted == [2, 1]


def test_a_table_out_of_order_is_told(predict: Predict, caplog: pytest.LogCaptureFixture) -> None:
    lines = ["talk.wav,1,2", "talk.wav,0,1"] * 6
    predict(as_table("a.csv", "\n".join(["file,start,end", *lines])))
    assert "times, which takes long" not in caplog.text
    lines = ["talk.wav,1,2", "talk.wav,0,1"] * 11
    predict(as_table("a.csv", "\n".join(["file,start,end", *lines])))
    assert "a.csv: 1 file is read 12 times" in caplog.text


def test_workers_change_nothing(predict: Predict) -> None:
    table = as_table("a.csv", TEXT + "no.wav,0,1,,\n")
    trained = artifacts.load(Path("artifacts"))
    with ThreadPoolExecutor(2) as pool:
        for options in ({}, {"window": 0.25}, {"channel": "1"}):
            job = PredictJob(paths=(table,), **options)
            alone = list(stage.predict(job, trained))
            spread = list(stage.predict(job, trained, executor=pool))
            assert [str(row) for row in spread] == [str(row) for row in alone] and alone


def test_a_worker_that_dies_costs_rows_and_no_places(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(folder: Path, hearing: bytes, plan: Any, chunk: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(parallel, "_label", die)
    job = PredictJob(paths=(as_table("a.csv"),))
    with ThreadPoolExecutor(2) as pool:
        found = list(stage.predict(job, artifacts.load(Path("artifacts")), executor=pool))
    assert [(row.file, row.start, row.status) for row in found][:2] == [
        *((TALK, 0.0, "error"), (TALK, 1.0, "error"))
    ]
    assert len(found) == len(EXPECTED)


def test_a_table_goes_on_where_it_ended(predict: Predict) -> None:
    table, out = as_table("a.csv"), Path("out.csv")
    assert predict(table, "--csv", out).code == 0 and rows(out.read_text()) == EXPECTED
    assert "3 of 3 files were done before" in predict(table, "--csv", out).err
    as_table("a.csv", TEXT + "b.wav,0,.5,,\n")  # a row more: the others stay
    assert "3 of 4 files were done before" in predict(table, "--csv", out).err
    assert rows(out.read_text())[:4] == EXPECTED and len(rows(out.read_text())) == 5
    as_table("a.csv", TEXT.replace("1,2", "1,3"))  # another part: predicted anew
    done = predict(table, "--csv", out)
    assert done.code == 0 and rows(out.read_text())[1][:3] == (TALK, "1.0", "3.0")
    as_table("a.csv", "file\nb.wav\n")
    done = predict(table, "--csv", out)
    assert done.code == 2 and f"there are rows of {TALK}, which is not named now" in done.err


def test_outputs_for_each_keep_folders_and_are_never_two_in_one(predict: Predict) -> None:
    soundfile.write("outside.wav", alternating(0.5), RATE)
    Path("a.csv").write_text("file\nclips/talk.wav\n", encoding="utf-8")
    as_table("b.csv", "file\n../outside.wav\n")
    assert predict("a.csv", "clips/b.csv", "--out", "labels/deep/%.txt").code == 0
    assert (
        Path("labels/deep/clips/talk.txt").is_file() and Path("labels/deep/outside.txt").is_file()
    )
    done = predict(as_table("c.csv"), "--out", "more/%.txt")
    assert done.code == 2 and "sort the table by file and start" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--timeline",), "a timeline is of whole recordings"),
        (("--speakers", "clips/who.csv"), "both say what is heard"),
        (("--channel", "each"), "others are named already"),
    ],
)
def test_what_contradicts_a_table_of_parts(
    predict: Predict, options: tuple[str, ...], words: str
) -> None:
    as_table("who.csv", "start,end,speaker\n0,1,ann\n")
    done = predict(as_table("a.csv"), *options)
    assert done.code == 2 and words in done.err


def test_a_table_of_whole_files_has_timelines_and_speakers(predict: Predict) -> None:
    table = as_table("a.csv", "file,speaker\ntalk.wav,ann\nb.wav,\n")
    assert [row[-1] for row in rows(predict(table).out)] == ["ann", ""]
    assert predict(table, "--timeline").code == 0


def test_a_sound_that_is_called_like_a_table_is_one(predict: Predict) -> None:
    Path(OTHER).rename("clips/sound.csv")
    assert rows(predict("clips/sound.csv").out)[0][3] == "quiet"


def test_a_file_of_a_table_is_never_standard_input(predict: Predict) -> None:
    Path(OTHER).rename("-")
    Path("a.csv").write_text("file\n./-\n", encoding="utf-8")
    done = predict("a.csv")
    assert done.code == 0 and [row[0] for row in rows(done.out)] == [str(Path.cwd() / "-")]


def test_python_takes_the_same_columns(predict: Predict) -> None:
    model = ser_cli.load(Path("artifacts"))
    table = pandas.read_csv(as_table("a.csv"))
    table["file"] = "clips/" + table["file"]
    expected = rows(predict("clips/a.csv").out)
    for given in (table, table.set_index(["file", "start", "end"]), "clips/a.csv"):
        found = model.predict(given).to_dicts()
        assert [
            (row["file"], str(row["start"]), str(row["end"]), row["emotion"], row["speaker"])
            for row in found
        ] == expected
    times = table.assign(start=pandas.to_timedelta(table["start"], unit="s"), end=np.nan)
    assert model.predict(times)[1].end == 3.0
    (error,) = model.timeline(table.iloc[:1])
    assert error.status == "error" and "whole recordings" in error.error
    assert model.predict(table.iloc[:0]) == []
    with pytest.raises(TypeError, match="names, not bytes"):
        model.predict(pandas.DataFrame({"file": [b"RIFF"]}))
    with pytest.raises(TypeError, match="two columns of one name"):
        model.predict(pandas.DataFrame([["a.wav", "b.wav"]], columns=["file", "File"]))


def test_whose_turns_are_told_by_path_or_refused(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        soundfile.write(f"{folder}/talk.wav", alternating(0.5, 0.5), RATE)
    who = Path("who.csv")
    who.write_text("file,start,end,speaker\na/talk.wav,0,1,ann\nb/talk.wav,1,2,bob\n")
    done = predict("a", "b", "--speakers", who)
    assert [row[4] for row in rows(done.out)] == ["ann", "bob"]
    who.write_text("file,start,end,speaker\na/talk.wav,0,1,ann\n")
    done = predict("a", "b", "--speakers", who)
    assert done.code == 3 and "b/talk.wav: nobody says who speaks" in done.out
    for text in ("file,start,end,speaker\ntalk,0,1,ann\n", "start,end,speaker\n0,1,ann\n"):
        who.write_text(text)
        done = predict("a", "b", "--speakers", who)
        assert done.code == 2 and "whether that is a/talk.wav or b/talk.wav" in done.err
        assert predict("a", "--speakers", who).code == 0
    who.write_text("file,start,end,speaker\n/x/talk.wav,0,1,ann\n")
    done = predict("a", "--speakers", who)
    assert done.code == 0
    assert "turns in another folder are taken: '/x/talk.wav' for a/talk" in caplog.text
    who.write_text("file,start,end,speaker\n/x/talk.wav,0,1,ann\n/y/talk.wav,0,1,ann\n")
    done = predict("a", "--speakers", who)
    assert done.code == 2 and "none of these is a/talk.wav" in done.err


def test_turns_past_the_end_are_cut_or_errors_and_said(predict: Predict) -> None:
    Path("who.rttm").write_text(
        "SPEAKER talk 1 5 1 <NA> <NA> bob\nSPEAKER talk 1 2 0.9 <NA> <NA> ann\n"
        "SPEAKER talk 1 2.5 0.7 <NA> <NA> eve\nSPEAKER talk 1 4 1 <NA> <NA> ann\n",
        encoding="utf-8",
    )
    done = predict(TALK, "--speakers", "who.rttm")
    found = list(csv.DictReader(done.out.splitlines()))
    assert [(row["speaker"], row["end"], row["flags"]) for row in found] == [
        *(("ann", "2.9", ""), ("eve", "3.0", "past end"), ("ann", "5.0", ""), ("bob", "6.0", ""))
    ]
    assert [row["status"] for row in found] == ["ok", "warning", "error", "error"]
    assert done.code == 3


def test_a_row_for_each_channel_however_many(predict: Predict) -> None:
    one = alternating(0.5)
    for count in (1, 2, 4):
        soundfile.write(f"{count}.wav", np.stack([one * 0.5**n for n in range(count)], 1), RATE)
    found = [rows(predict(f"{n}.wav", "--channel", "each").out) for n in (1, 2, 4)]
    assert [[row[-1] for row in own] for own in found] == [
        *([""], ["left", "right"], ["left", "right", "3", "4"])
    ]
    done = predict("1.wav", TALK, "2.wav", "--channel", "each")
    assert done.code == 0 and done.err.count("one channel") == 1
    assert "one channel is all that 2 of 3 files have: 1.wav, clips/talk.wav" in done.err
    soundfile.write("many.wav", np.zeros((800, 65), "f4"), RATE)
    done = predict("many.wav", "--channel", "each")
    assert done.code == 3 and "has 65 channels" in done.out


def test_turns_are_read_once(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    real = turns.read

    def read(file: Path) -> turns.Turns:
        asked.append(file)
        return real(file)

    monkeypatch.setattr(turns, "read", read)
    Path("who.csv").write_text("start,end,speaker\n0,1,ann\n", encoding="utf-8")
    assert predict(TALK, "--speakers", "who.csv", "--csv", "out.csv").code == 0
    assert asked == [Path("who.csv")]


def test_no_more_is_enrolled_than_is_heard(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = np.stack([alternating(0.5), alternating(0.01)], 1)
    soundfile.write("call.wav", both, RATE)
    soundfile.write("right.wav", both[:, 1], RATE)
    monkeypatch.setattr(Model, "can_enrol", True)
    alone, heard, mixed = (
        next(csv.DictReader(predict(*given, "--same-speaker").out.splitlines()))["confidence"]
        for given in (("right.wav",), ("call.wav", "--channel", "right"), ("call.wav",))
    )
    assert heard == alone != mixed


@pytest.mark.parametrize("option", ["--csv", "--out"])
def test_a_table_is_never_written_over(predict: Predict, option: str) -> None:
    table = as_table("a.csv")
    done = predict(table, option, "clips/../clips/a.csv", "--force")
    assert done.code == 2 and "is read, too" in done.err
    who = as_table("who.csv", "start,end,speaker\n0,1,ann\n")
    assert predict(TALK, "--speakers", who, option, who, "--force").code == 2
    assert Path(table).read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("option", ["--smooth", "--shortest", "--pause"])
def test_what_is_of_a_timeline_is_not_passed_over(predict: Predict, option: str) -> None:
    done = predict(TALK, option, "3")
    assert done.code == 2 and "add --timeline" in done.err


def test_a_timeline_of_short_windows_needs_no_step(predict: Predict) -> None:
    assert predict(TALK, "--timeline", "--window", ".5").code == 0


def test_turns_in_parquet_and_channels_of_an_rttm(
    predict: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"SPEAKER talk {n} 0 1 <NA> <NA> {who}\n" for n, who in ((1, "ann"), (2, "bob"))]
    Path("who.rttm").write_text("".join(lines), encoding="utf-8")
    assert [row[-1] for row in rows(predict(TALK, "--speakers", "who.rttm").out)] == ["ann", "bob"]
    assert "who.rttm tells channels apart" in caplog.text
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"start": [0], "end": [1.5], "speaker": ["eve"]}).to_parquet("who.parquet")
    assert rows(predict(TALK, "--speakers", "who.parquet").out) == [
        (TALK, "0.0", "1.5", "loud", "eve")
    ]
