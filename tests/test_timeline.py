"""Who sounds like what and when: passages of speech, joined windows, channels, turns."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
from command import ser

import ser_cli
from ser_cli.data import turns
from ser_cli.errors import DataError
from ser_cli.model.rows import Rows
from ser_cli.model.timeline import timeline, timelines
from ser_cli.model.votes import failed
from ser_cli.report import over_time
from ser_cli.sound import audio, passages
from ser_cli.sound.band import is_narrow
from ser_cli.sound.degrade import narrow
from ser_cli.types import Joining, Prediction, Turn
from ser_cli.web import listening

CLASSES = ("quiet", "loud")
CLIPS = Path(__file__).parent / "clips"
PLAIN = Joining(smoothing_s=0.0, shortest_s=0.0, pause_s=0.5)


def window(start: float, end: float, loud: float, **more: Any) -> Prediction:
    shares = np.array([1 - loud, loud], np.float32)
    emotion = CLASSES[int(shares.argmax())]
    row = Prediction("a", start, end, emotion, float(shares.max()), shares)
    return replace(row, **more)


def joined(rows: list[Prediction], joining: Joining = PLAIN) -> list[tuple[float, float, str]]:
    return [(row.start, row.end, row.emotion) for row in timeline(rows, CLASSES, joining)]


def test_neighbours_that_sound_alike_are_one_row() -> None:
    rows = [window(0, 1, 0.9), window(1, 2, 0.7), window(2, 3, 0.2)]
    one, other = timeline(rows, CLASSES, PLAIN)
    assert (one.start, one.end, one.emotion) == (0, 2, "loud")
    np.testing.assert_allclose(fake.shares(one), [0.2, 0.8], atol=1e-6)
    assert one.confidence == pytest.approx(0.8)
    assert (other.start, other.end, other.emotion) == (2, 3, "quiet")


def test_where_windows_overlap_they_are_averaged() -> None:
    rows = [window(0, 2, 0.9), window(1, 3, 0.3), window(2, 4, 0.2)]
    # 0 to 1: .9; 1 to 2: (.9 + .3) / 2; 2 to 4: (.3 + .2) / 2, and .2 alone behind 3.
    assert joined(rows) == [(0, 2, "loud"), (2, 4, "quiet")]


def test_what_is_too_short_goes_to_the_nearer_neighbour() -> None:
    rows = [window(0, 2, 0.9), window(2, 2.5, 0.4), window(2.5, 4, 0.9)]
    assert joined(rows) == [(0, 2, "loud"), (2, 2.5, "quiet"), (2.5, 4, "loud")]
    assert joined(rows, replace(PLAIN, shortest_s=1.0)) == [(0, 4, "loud")]
    alone = [window(0, 0.4, 0.9)]
    assert joined(alone, replace(PLAIN, shortest_s=1.0)) == [(0, 0.4, "loud")]


def test_smoothing_averages_the_neighbourhood() -> None:
    rows = [window(at, at + 1, loud) for at, loud in enumerate((0.9, 0.9, 0.3, 0.9, 0.9))]
    assert len(joined(rows)) == 3
    assert joined(rows, replace(PLAIN, smoothing_s=2.1)) == [(0, 5, "loud")]


def test_a_pause_parts_what_it_is_longer_than() -> None:
    rows = [window(0, 1, 0.9), window(1.4, 2, 0.9), window(3, 4, 0.9)]
    assert joined(rows) == [(0, 2, "loud"), (3, 4, "loud")]


def test_flags_and_errors_are_passed_on() -> None:
    odd = window(0, 1, 0.9, flags=("clipped", "long"), status="warning")
    rows = [odd, window(1, 2, 0.9, flags=("clipped",)), failed("a", "it ended")]
    row, error = timeline(rows, CLASSES, PLAIN)
    assert (row.flags, row.status) == (("clipped",), "warning")
    assert error.status == "error" and math.isnan(error.start)


def test_windows_in_which_nothing_was_heard_have_no_part() -> None:
    mute = [window(at, at + 1, 0.9, flags=("silent",), status="warning") for at in range(1, 9)]
    rows = [window(0, 1, 0.2), *mute, window(9, 10, 0.2)]
    (first, second) = timeline(rows, CLASSES, PLAIN)
    assert [(row.start, row.end, row.flags) for row in (first, second)] == [(0, 1, ()), (9, 10, ())]
    assert not list(timeline(mute, CLASSES, PLAIN))


def test_hours_without_a_pause_take_seconds() -> None:
    rows = [window(at, at + 4, 0.9) for at in range(10_000)]
    before = time.process_time()
    assert joined(rows) == [(0, 10_003, "loud")]
    assert time.process_time() - before < 4


def test_speakers_have_timelines_of_their_own() -> None:
    rows = [window(at, at + 1, 0.9, speaker=who) for who in ("left", "right") for at in (0, 2)]
    found = timelines(rows, CLASSES, PLAIN)
    assert [(row.start, row.speaker) for row in found] == [
        *((0, "left"), (0, "right"), (2, "left"), (2, "right"))
    ]


def spoken(rate: int = 16_000) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Return two sentences with a second of silence around each, and where they are."""
    silence, parts, places, at = np.zeros(rate, np.float32), [], [], 0
    for name in ("espeak-calm.flac", "espeak-statement.flac"):
        clip = audio.load(CLIPS / name, sample_rate=rate).waveform
        parts += [silence, clip]
        places.append(((at + rate) / rate, (at + rate + len(clip)) / rate))
        at += rate + len(clip)
    return np.concatenate([*parts, silence]), places


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_passages_are_where_somebody_speaks(rate: int) -> None:
    wave, places = spoken(rate)
    for size in (len(wave), 3_001):
        parts = [wave[at : at + size] for at in range(0, len(wave), size)]
        found = list(passages.passages(parts, sample_rate=rate, pause_s=0.7))
        assert len(found) == 2
        for (first, sound), (start, end) in zip(found, places, strict=True):
            assert first / rate == pytest.approx(start, abs=0.3)
            assert (first + len(sound)) / rate == pytest.approx(end, abs=0.5)
            assert np.array_equal(sound, wave[first : first + len(sound)])


def test_a_passage_that_goes_on_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    wave, _ = spoken()
    monkeypatch.setattr(passages, "LONGEST_S", 1.0)
    places = []
    for size in (1_600, 7_001, len(wave)):  # however it comes
        parts = [wave[at : at + size] for at in range(0, len(wave), size)]
        found = list(passages.passages(parts, sample_rate=16_000, pause_s=0.7))
        places.append([(first, len(sound)) for first, sound in found])
        assert all(np.array_equal(sound, wave[at : at + len(sound)]) for at, sound in found)
    assert len(places[0]) > 3 and places[0] == places[1] == places[2]
    assert max(length for _, length in places[0]) < 16_000 * 1.5


def test_spans_are_cut_out_of_a_stream() -> None:
    wave = np.arange(1_000, dtype=np.float32)
    wanted = [(0, 10), (5, 700), (100, 101), (100, 400), (990, 1_200), (1_100, 1_200)]
    for size in (1_000, 64, 7):
        parts = [wave[at : at + size] for at in range(0, len(wave), size)]
        found = list(audio.spans(parts, wanted))
        for (start, end), cut in zip(wanted, found, strict=True):
            assert np.array_equal(cut, wave[start:end])


def test_a_telephone_is_told_by_its_band() -> None:
    for name in ("espeak-calm.flac", "espeak-happy.flac"):
        wave = audio.load(CLIPS / name, sample_rate=16_000).waveform
        assert not is_narrow(wave, 16_000)
        assert is_narrow(narrow(wave, sample_rate=16_000), 16_000)
        assert is_narrow(audio.load(CLIPS / name, sample_rate=8_000).waveform, 8_000)


def test_turns_are_read_from_rttm_and_tables(tmp_path: Path) -> None:
    rttm = tmp_path / "a.rttm"
    rttm.write_text(
        ";; a remark\nSPEAKER talk 1 2.5 1.5 <NA> <NA> ann <NA> <NA>\n"
        "SPEAKER talk 1 0.0 2.0 <NA> <NA> bob <NA> <NA>\n",
        encoding="utf-8",
    )
    expected = (Turn(0.0, 2.0, "bob"), Turn(2.5, 4.0, "ann"))
    assert turns.read(rttm) == {"talk": expected}
    table = tmp_path / "a.csv"
    table.write_text("Start;End;Speaker\n2,5;4;ann\n0;2;bob\n", encoding="utf-8")
    assert turns.read(table) == {"": expected}
    table.write_text("file,start,duration,speaker\nx/talk.wav,2.5,1.5,ann\n", encoding="utf-8")
    assert turns.read(table) == {"x/talk.wav": expected[1:]}


def test_turns_belong_to_the_recording_that_they_name(tmp_path: Path) -> None:
    wave, _ = spoken()
    for name in ("03-01-05-01-01-01-01.Mix-Headset.wav", "b.wav"):
        soundfile.write(tmp_path / name, wave, 16_000)
    rttm = tmp_path / "a.rttm"
    line = "SPEAKER 03-01-05-01-01-01-01.Mix-Headset 1 1 2 <NA> <NA> ann <NA> <NA>\n"
    rttm.write_text(line, encoding="utf-8")
    assert list(turns.read(rttm)) == ["03-01-05-01-01-01-01.Mix-Headset"]
    done = ser("predict", tmp_path, "--speakers", rttm)
    first, second = done.out.splitlines()[1:]
    assert first.endswith(",ann") and done.code == 3
    assert "nobody says who speaks when in 'b', but in '03-01-05" in second


def test_rows_that_are_no_files_are_not_scored(tmp_path: Path) -> None:
    wave, _ = spoken()
    soundfile.write(tmp_path / "03-01-05-01-01-01-01.wav", wave, 16_000)
    assert "scored on" in ser("predict", tmp_path).err
    assert "scored on" not in ser("predict", tmp_path, "--timeline").err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.rttm", "", "names no turn"),
        ("a.rttm", "SPEAKER talk 1 x 1 <NA> <NA> ann", "line 1"),
        ("a.rttm", "SPEAKER talk 1 0", "line 1"),
        ("a.csv", "start,end\n0,1\n", "lacks the column speaker"),
        ("a.csv", "file,speaker\na.wav,ann\n", "who speaks when"),
        ("a.csv", "file,start,end,speaker\na.wav,0,1,ann\n,1,2,ann\n", "line 3"),
        ("a.csv", "start,end,speaker\n2,1,ann\n", "line 2"),
        ("a.csv", "start,end,speaker\n0,1,\n", "line 2"),
        ("b.rttm", None, "cannot be read"),
    ],
)
def test_turns_that_are_none(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        turns.read(tmp_path / name)


def test_a_call_has_a_timeline_for_each_side(tmp_path: Path) -> None:
    wave, places = spoken()
    half = round(16_000 * (places[0][1] + 0.5))
    left, right = wave.copy(), wave.copy()
    left[half:] = 0
    right[:half] = 0
    soundfile.write(tmp_path / "call.wav", np.stack([left, right], 1), 16_000)
    done = ser("predict", tmp_path / "call.wav", "--timeline", "--channel", "each", "--pause", 0.7)
    rows = [line.split(",") for line in done.out.splitlines()[1:]]
    assert [row[-1] for row in rows] == ["left", "right"]
    for row, (start, end) in zip(rows, places, strict=True):
        assert float(row[1]) == pytest.approx(start, abs=0.3)
        assert float(row[2]) == pytest.approx(end, abs=0.5)
    done = ser("predict", tmp_path / "call.wav", "--channel", 3)
    assert done.code == 3 and "there is no channel 3, it has 2" in done.out
    done = ser("predict", tmp_path / "call.wav", "--channel", "middle")
    assert done.code == 2 and "is no channel" in done.err


def test_turns_are_rows(tmp_path: Path) -> None:
    wave, _ = spoken()
    soundfile.write(tmp_path / "talk.wav", wave, 16_000)
    table = tmp_path / "who.csv"
    table.write_text("start,end,speaker\n1,4,ann\n0,0.9,bob\n", encoding="utf-8")
    done = ser("predict", tmp_path / "talk.wav", "--speakers", table)
    first, second = (line.split(",") for line in done.out.splitlines()[1:])
    assert (first[1:3], first[-1], first[-3]) == (["0.0", "0.9"], "bob", "silent")
    assert (second[1:3], second[-1]) == (["1.0", "4.0"], "ann") and second[-4] == "ok"
    kept = ("predict", tmp_path / "talk.wav", "--speakers", table, "--csv", tmp_path / "out.csv")
    assert ser(*kept).code == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == done.out
    assert "1 of 1 file was done before" in ser(*kept).err
    table.write_text("start,end,speaker\n1,4,eve\n", encoding="utf-8")
    assert ser(*kept).code != 0  # the rows there are of other turns
    table.write_text("start,end,speaker\n1,4,ann\n100,101,bob\n", encoding="utf-8")
    done = ser("predict", tmp_path / "talk.wav", "--speakers", table)
    assert done.code == 3 and "ends at 8.47 s, before its part from 100 s on" in done.out
    done = ser("predict", tmp_path / "talk.wav", "--speakers", table, "--timeline")
    assert done.code == 2 and "exclude each other" in done.err


def test_a_sound_without_speech_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(64_000) / 16_000) / k for k in range(1, 9))
    for name, sound in (("noise", 0.1 * rng.standard_normal(64_000)), ("hum", 0.1 * hum)):
        soundfile.write(tmp_path / f"{name}.wav", sound, 16_000)
        done = ser("predict", tmp_path / f"{name}.wav")
        row = done.out.splitlines()[1].split(",")
        assert row[3] == "uncertain" and float(row[4]) <= 0.3
        assert row[-4] == "warning" and row[-3] == "no speech"


@pytest.mark.parametrize("more", [(), ("--jobs", 2)])
def test_a_recording_without_a_row_is_told_and_done(tmp_path: Path, more: tuple[Any, ...]) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000)
    for name in ("noise.wav", "more.wav"):
        soundfile.write(tmp_path / name, noise, 16_000)
    kept = ("predict", tmp_path, "--timeline", "--csv", tmp_path / "out.csv", *more)
    for before in ("", "2 of 2 files were done before"):
        done = ser(*kept)
        assert done.code == 0 and before in done.err
        assert "nobody speaks in 2 of 2 files: " in done.err and "noise.wav" in done.err
        assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_python_and_the_page_have_the_rows_of_the_command(tmp_path: Path) -> None:
    wave, _ = spoken()
    soundfile.write(tmp_path / "talk.wav", wave, 16_000)
    done = ser("predict", tmp_path / "talk.wav", "--timeline", "--json")
    expected = [json.loads(line) for line in done.out.splitlines()]
    model = ser_cli.load()
    found = model.timeline(tmp_path / "talk.wav").to_dicts()
    with (tmp_path / "talk.wav").open("rb") as upload:
        work = listening.Work()
        (own,) = listening.listen([upload], model, work, rows=listening.TIMELINE)
        shown = Rows(own.rows, model.classes).to_dicts()
        heard = listening.prepared(model, listening.Wish(), [upload], work)
        (own,) = listening.listen([upload], heard, work, rows=listening.TIMELINE)
        upon = Rows(own.rows, model.classes).to_dicts()
    assert own.is_timeline and own.seconds == len(wave) / 16_000
    assert len(expected) > 1 and found == expected == shown
    enrolled = model.enrol(tmp_path / "talk.wav").timeline(tmp_path / "talk.wav").to_dicts()
    assert upon == enrolled != found


def test_a_picture_shows_every_stretch(tmp_path: Path) -> None:
    rows = [window(0, 1, 0.9), window(0.5, 1.5, 0.2), window(3, 4, 0.6, speaker="ann")]
    edges, shares = over_time._mesh(rows)
    assert edges.tolist() == [0, 0.5, 1.5, 3, 4]
    np.testing.assert_allclose(shares[:, 1], [0.9, 0.2, np.nan, 0.6], atol=1e-6)
    assert over_time.picture(rows, CLASSES).startswith(b"\x89PNG")
    assert over_time.picture([failed("a", "no sound")], CLASSES).startswith(b"\x89PNG")
    drawn = over_time.figure(rows, CLASSES)
    ticks = drawn.axes[1].xaxis.get_major_formatter()
    assert [ticks(at, 0) for at in (0.5, 1.5, 60.0)] == ["0:00.5", "0:01.5", "1:00.0"]
    ticks = over_time.figure([window(0, 90, 0.9)], CLASSES).axes[0].xaxis.get_major_formatter()
    assert [ticks(at, 0) for at in (0.0, 59.6, 75.0)] == ["0:00", "1:00", "1:15"]
    titles = [axes.get_title(loc="left") for axes in drawn.axes[:2]]
    assert titles == ["", "ann"]
