"""What the page makes of uploads: rows, timelines, and the time that they may take."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import fake
import numpy as np
import pytest
import soundfile
from command import ser, tone
from sounds import encode

import ser_cli
from ser_cli.model.trained import Model
from ser_cli.report.rows import csv_head, csv_line
from ser_cli.types import Prediction
from ser_cli.web import limits, listening, words
from ser_cli.web.listening import ROW, TIMELINE, Listened, Wish, Work

CLIPS = Path(__file__).with_name("clips")
TALK = [CLIPS / f"espeak-{name}.flac" for name in ("calm", "long", "happy", "long", "statement")]


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_cli.load()


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Thirty-eight seconds of sentences, with pauses."""
    parts = [soundfile.read(clip, dtype="float32")[0] for clip in TALK]
    rate = soundfile.info(TALK[0]).samplerate
    pause = np.zeros(round(1.2 * rate), np.float32)
    soundfile.write(
        tmp_path / "talk.flac", np.concatenate([w for p in parts for w in (p, pause)]), rate
    )
    return tmp_path / "talk.flac"


def opened(*paths: Path) -> list[BinaryIO]:
    """Return files as Streamlit hands them over: bytes with a name."""
    streams: list[BinaryIO] = []
    for path in paths:
        streams.append(stream := io.BytesIO(path.read_bytes()))
        stream.name = path.name
    return streams


def csv(rows: Sequence[Prediction], classes: Sequence[str]) -> str:
    return csv_head(classes) + "".join(csv_line(row, classes) for row in rows)


def test_each_recording_is_what_its_length_asks_for(
    talk: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "clip.flac"
    clip.write_bytes(TALK[0].read_bytes())
    long, short = listening.listen(opened(talk, clip), model, Work())
    assert (long.is_timeline, short.is_timeline) == (True, False)
    assert len(long.rows) > 2 and len(short.rows) == 1
    monkeypatch.chdir(tmp_path)
    for found, words_ in ((long, ("talk.flac", "--timeline")), (short, ("clip.flac",))):
        assert ser("predict", *words_, "--csv", f"{words_[0]}.csv").code == 0
        expected = Path(f"{words_[0]}.csv").read_text(encoding="utf-8")
        assert csv(found.rows, model.classes) == expected
    for rows, is_timeline in ((ROW, False), (TIMELINE, True)):
        found_ = listening.listen(opened(talk, clip), model, Work(), rows=rows)
        assert [own.is_timeline for own in found_] == [is_timeline] * 2


def test_what_states_no_length_is_counted(talk: Path, tmp_path: Path) -> None:
    wave, rate = soundfile.read(talk)
    for name, seconds in (("long.aac", 35), ("short.aac", 25)):
        encode(tmp_path / name, "aac", rate, wave[: seconds * rate])
    long, short = opened(tmp_path / "long.aac", tmp_path / "short.aac")
    assert listening.stated_s(long) == 0
    assert listening.is_long(long) and not listening.is_long(short)
    assert not listening.is_long(io.BytesIO(b"no sound"))


def test_nothing_known_is_heard_again(talk: Path, model: Model) -> None:
    (upload,) = opened(talk)
    known = {upload: Listened((), 1.0, is_timeline=True)}
    assert listening.listen([upload], model, Work(), known=known) == [known[upload]]


def test_wishes_are_options_of_the_command(talk: Path, model: Model, tmp_path: Path) -> None:
    others = opened(*TALK[:3])
    labels = ("happy", "neutral", "sad")
    heard_by = listening.prepared(model, Wish(labels, 0.6), others, Work())
    (found,) = listening.listen(opened(talk), heard_by, Work())
    enrolled = [word for clip in TALK[:3] for word in ("--enrol", clip)]
    given = ("--labels", ",".join(labels), "--min-confidence", "0.6", *enrolled)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert ser("predict", "talk.flac", "--timeline", "--csv", "out.csv", *given).code == 0
    assert csv(found.rows, labels) == (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert heard_by.classes == labels
    assert all(fake.shares(row).sum() == pytest.approx(1, abs=1e-5) for row in found.rows)
    assert {row.emotion for row in found.rows} & {"uncertain"}


def test_one_is_told_how_far_a_recording_is_read(talk: Path, model: Model) -> None:
    told: list[tuple[str, float, float]] = []
    (heard,) = listening.listen(opened(talk), model, Work(lambda *at: told.append(at)))
    assert {name for name, _, _ in told} == {"talk.flac"}
    seconds = [at for _, at, _ in told]
    assert len(seconds) > 1 and seconds == sorted(seconds)
    assert seconds[-1] == heard.seconds == pytest.approx(told[0][2])


def test_a_recording_is_left_where_time_is_over(
    talk: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slower(name: str, seconds: float, stated: float) -> None:
        clock[0] = 0.0 if seconds < 20 else limits.WORK_S + 1

    first, second = listening.listen(opened(talk, TALK[0]), model, Work(slower))
    *rows, last = first.rows
    assert rows and all(row.status == "ok" for row in rows)
    assert "talk.flac: its rest from " in last.error and "longer than 300 s" in last.error
    assert "espeak-calm.flac: it is left out" in second.rows[0].error


class Slow:
    """A model that only says what it was given."""

    def plan(self) -> Any:
        return ser_cli.load().plan()

    def label(self, items: Any, plan: Any) -> Any:
        return [[fake_row(getattr(item, "error", ""))] for item in items]


def fake_row(error: str) -> Any:
    return Prediction("", 0.0, 1.0, "", 0.0, None, "error" if error else "ok", error=error)


def test_a_visitor_takes_so_much_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = opened(*(tone(tmp_path / f"{n}.wav", 440, seed=n) for n in range(3)))
    clock = iter([0.0, 0.0, 1.0, limits.WORK_S + 1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    work: Any = Work()
    rows = [own.rows[0] for own in listening.listen(files, Slow(), work)]  # type: ignore[arg-type]
    assert [bool(row.error) for row in rows] == [False, False, True]
    assert "upload fewer" in rows[2].error


def heard(*rows: Prediction, is_timeline: bool = False) -> Listened:
    return Listened(rows, 75.0, is_timeline)


def row(emotion: str, share: float, *flags: str, end: float = 2.0) -> Prediction:
    shares = np.array([share, 1 - share], np.float32)
    return Prediction("a.wav", 0.0, end, emotion, max(share, 1 - share), shares, flags=flags)


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (heard(row("sad", 0.75)), r"**sad** 75% · a\.wav"),
        (heard(row("uncertain", 0.5, "no speech")), r"no speech is heard · a\.wav"),
        (heard(row("uncertain", 0.5, "silent")), r"no speech is heard · a\.wav"),
        (heard(row("uncertain", 0.6)), r"uncertain, at best sad 60% · a\.wav"),
        (heard(row("sad", 0.75), is_timeline=True), r"timeline of 1:15 · a\.wav"),
        (heard(is_timeline=True), r"no speech is heard · a\.wav"),
    ],
)
def test_only_what_is_sure_is_bold(found: Listened, headline: str) -> None:
    assert words.headline(found, "a.wav", ("sad", "happy")) == headline


def test_what_is_odd_is_said_once() -> None:
    stretches = [row("sad", 0.75, "clipped"), row("sad", 0.75), row("happy", 0.2, "clipped", "cut")]
    assert [*words.notes(heard(*stretches, is_timeline=True))] == [
        ("2 of 3 stretches: It is overloaded.", True),
        ("1 of 3 stretches: It is longer than what is heard of a recording.", True),
    ]
    (note,) = words.notes(heard(row("uncertain", 0.5, "no speech")))
    assert note == (words.FLAGS["no speech"], True) == (*words.notes(heard(is_timeline=True)),)[0]


def test_a_timeline_is_summed_up() -> None:
    stretches = heard(row("sad", 0.75, end=40.0), row("happy", 0.2), is_timeline=True)
    assert words.summary(stretches) == "Speech in 0:42 of 1:15, 2 stretches: sad 0:40, happy 0:02."
    assert [words.clock(at) for at in (0, 59.6, 3_600, float("nan"))] == [
        "0:00",
        "1:00",
        "60:00",
        "?",
    ]


def test_files_without_an_emotion_are_counted_too() -> None:
    rows = [row("sad", 0.75), row("uncertain", 0.5, "silent"), row("uncertain", 0.6)]
    found = words.counts([*rows, fake_row("broken")], ("sad", "happy"))
    assert found == {"sad": 1, "happy": 0, "uncertain": 1, "no speech": 1}
