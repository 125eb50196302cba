"""Databases in audEERING's format, as it documents it: a header, and tables beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_cli.data import corpora, tables
from ser_cli.errors import DataError, SerError

# As `audformat.Database.save` writes it, shortened.
EMODB = """
name: emodb
source: http://emodb.bilderbar.info
usage: unrestricted
languages: [deu]
schemes:
  confidence: {dtype: float, minimum: 0, maximum: 1}
  emotion:
    dtype: str
    labels: [anger, boredom, happiness]
  speaker: {dtype: int, labels: speaker}
tables:
  emotion:
    type: filewise
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence, rater_id: gold}
  files:
    type: filewise
    columns:
      speaker: {scheme_id: speaker}
misc_tables:
  speaker:
    levels: {speaker: int}
    columns:
      gender: {}
"""
EMOTION = "file,emotion,emotion.confidence\na/1.wav,anger,0.9\na/2.wav,,\nb/3.wav,happiness,1\n"
FILES = "file,speaker\na/1.wav,3\na/2.wav,3\nb/3.wav,8\n"

SEGMENTS = """
schemes:
  mood:
    dtype: int
    labels: {0: neutral, 1: {german: Zorn, english: anger}, 2: odd}
  emotion: {dtype: str}
splits:
  kept: {type: dev}
tables:
  segments:
    type: segmented
    split_id: kept
    columns:
      rater1: {scheme_id: emotion, rater_id: r1}
      rater2: {scheme_id: emotion, rater_id: gold}
      speaker: {}
"""
ROWS = (
    "file,start,end,rater1,rater2,speaker\n"
    "a/1.wav,0 days 00:00:00,0 days 00:00:00.250000,sad,happy,x\n"
    "a/1.wav,0 days 00:00:00.250000,,happy,sad,y\n"
)


def database(folder: Path, header: str, **of: str) -> str:
    for name in ("a/1.wav", "a/2.wav", "b/3.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.zeros(4_000), 8_000)
    (folder / "db.yaml").write_text(header, encoding="utf-8")
    for name, text in of.items():
        (folder / f"db.{name}.csv").write_text(text, encoding="utf-8")
    return str(folder)


def test_speakers_are_joined_from_the_table_of_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = database(tmp_path / "berlin", EMODB, emotion=EMOTION, files=FILES)
    first, second = corpora.load(data)
    assert (first.path, first.emotion) == (tmp_path / "berlin" / "a" / "1.wav", "angry")
    assert (second.emotion, second.speaker) == ("happy", "berlin/8")
    assert caplog.messages == [
        f"{data}: the table 'emotion' is read",
        f"{data}: the speakers are those of the table 'files'",
        f"{Path(data, 'db.emotion.csv')}: 1 of 3 rows has no emotion, and is not used",
    ]


def test_segments_are_cut_and_the_gold_standard_is_taken(tmp_path: Path) -> None:
    found = corpora.load(database(tmp_path / "db", SEGMENTS, segments=ROWS))
    assert [(c.emotion, c.start, c.end, c.speaker, c.split) for c in found] == [
        ("happy", 0.0, 0.25, "db/x", "dev"),
        ("sad", 0.25, None, "db/y", "dev"),
    ]


def test_labels_are_read_by_what_they_mean(tmp_path: Path) -> None:
    header = SEGMENTS.replace("rater1: {scheme_id: emotion", "emotion: {scheme_id: mood")
    rows = "file,emotion\na/1.wav,0\na/2.wav,1\nb/3.wav,2\n"
    found = corpora.load(database(tmp_path, header, segments=rows))
    assert [clip.emotion for clip in found] == ["neutral", "angry", "odd"]


def test_a_table_may_be_named_itself(tmp_path: Path) -> None:
    both = EMODB.replace("  files:", "  other:\n    columns: {emotion: {}}\n  files:")
    database(tmp_path, both, emotion=EMOTION, files=FILES, other="file,emotion\na/2.wav,sad\n")
    (clip,) = corpora.load(str(tmp_path / "db.other.csv"))
    assert (clip.emotion, clip.speaker) == ("sad", "db.other.csv/3")
    assert {c.emotion for c in corpora.load(str(tmp_path))} == {"angry", "happy"}


def test_which_of_several_tables_is_asked_for(tmp_path: Path) -> None:
    header = "tables: {train: {columns: {emotion: {}}}, test: {columns: {emotion: {}}}}"
    with pytest.raises(DataError, match="several tables hold emotions: train, test") as raised:
        corpora.load(database(tmp_path, header))
    assert raised.value.hint == f"name one: --data {tmp_path / 'db.train.csv'}"


def test_tables_are_read_from_parquet(tmp_path: Path) -> None:
    import pandas as pd

    data = database(tmp_path / "db", SEGMENTS)
    frame = pd.DataFrame(
        {
            "file": ["a/1.wav", "a/1.wav", "a/2.wav"],
            "start": pd.to_timedelta([0.0, 0.25, 0.0], unit="s"),
            "end": pd.to_timedelta([0.25, None, 0.1], unit="s"),
            "rater2": pd.Categorical(["happy", "sad", None]),
        }
    )
    frame.to_parquet(tmp_path / "db" / "db.segments.parquet", index=False)
    found = corpora.load(data)
    assert [(c.emotion, c.start, c.end) for c in found] == [
        ("happy", 0.0, 0.25),
        ("sad", 0.25, None),
    ]


def test_parquet_without_its_library_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(SerError, match="pip install"):
        tables.read_parquet(tmp_path / "x.parquet", hint="")


def test_parquet_that_is_none_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    file = tmp_path / "x.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as a table"):
        tables.read_parquet(file, hint="")
    pd.DataFrame({"file": ["a"] * 100}).to_parquet(file)
    monkeypatch.setattr(tables, "MOST_CELLS", 99)
    with pytest.raises(DataError, match="too large"):
        tables.read_parquet(file, hint="")


MERGED = "".join(
    f"{name}: &{name} {{<<: [{', '.join(9 * [f'*{before}'])}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("tables: {files: {columns: {speaker: {}}}}", "no table has a column emotion.*: files"),
        ("name: empty", "no table has a column emotion.*: none"),
        ("- a list", "no table has a column emotion"),
        ("tables: [emotion]\nschemes: 3", "no table has a column emotion"),
        ("tables: {emotion: {columns: {emotion: {}}}}", "has no db.emotion.csv and no"),
        ("tables: {../../emotion: {columns: {emotion: {}}}}", "has no db"),
        ("name: [", "cannot be read as the header"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read as the header"),
        ("[" * 5000, "cannot be read as the header"),
        (f"a: &a {{x: 1}}\n{MERGED}", "cannot be read as the header"),
    ],
)
def test_a_header_that_does_not_serve_is_named(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        corpora.load(database(tmp_path, header))
    assert raised.value.hint


def test_the_name_of_a_table_leads_out_of_no_folder(tmp_path: Path) -> None:
    header = "tables: {x/../../outside: {columns: {emotion: {}}}}"
    data = database(tmp_path / "db", header)
    (tmp_path / "db" / "db.x").mkdir()
    (tmp_path / "outside.csv").write_text(f"file,emotion\n{tmp_path}/db/a/1.wav,sad\n")
    with pytest.raises(DataError, match=r"has no db.x/"):
        corpora.load(data)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("file,feeling\na/1.wav,sad\n", "lacks file or emotion; it has file, feeling"),
        ("file,emotion\na/1.wav,\n", "has no rows"),
        ("file,emotion\nx.wav,anger\n", "1 of 1 file is not there: line 2"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        corpora.load(database(tmp_path, EMODB, emotion=rows, files=FILES))


def test_several_raters_without_a_gold_standard_are_asked_about(tmp_path: Path) -> None:
    header = SEGMENTS.replace("gold", "r2")
    with pytest.raises(DataError, match="several columns hold emotions: rater1, rater2"):
        corpora.load(database(tmp_path, header, segments=ROWS))


def test_a_table_that_the_header_does_not_know_is_read_as_it_is(tmp_path: Path) -> None:
    database(tmp_path, EMODB, mine="file,emotion,speaker\na/1.wav,anger,me\n", files=FILES)
    (clip,) = corpora.load(str(tmp_path / "db.mine.csv"))
    assert (clip.emotion, clip.split) == ("angry", "")
