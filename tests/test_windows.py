"""Recordings cut into what a network hears at once, and put together again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from ser_cli import recipes
from ser_cli.errors import AudioError
from ser_cli.model import artifacts, trained, votes, windows
from ser_cli.model.sources import Waveform
from ser_cli.model.trained import Model
from ser_cli.sound.frontend import Frontend
from ser_cli.types import Prediction

if TYPE_CHECKING:
    from pathlib import Path

    from ser_cli.types import Floats

HOP, FIELD = 320, 400  # of an encoder's frames
NOTHING, QUIET, LOUD = 0.0, 0.02, 0.5


def framed(waveform: Floats) -> Floats:
    """Return the level of each frame that lies inside the waveform, as an encoder lays them."""
    frames = sliding_window_view(np.abs(waveform), FIELD)[::HOP]
    return np.stack([frames.mean(axis=1), np.ones(len(frames))], axis=1).astype(np.float32)


ENCODER = replace(fake.FRONTEND, extract=framed, hop=HOP, field=FIELD, centred=False)


def sound(*parts: tuple[float, float], rate: int = fake.RATE) -> Waveform:
    """Return parts of a level and a length in seconds, one after the other."""
    levels = np.concatenate([np.full(round(s * rate), level, "f4") for level, s in parts])
    return Waveform("a", levels * np.resize([1, -1], len(levels)).astype("f4"), rate)


def plan(frontend: Frontend, max_len: int, **rows: Any) -> windows.Plan:
    return windows.Plan(frontend, frontend.context(max_len), hear_all=True, **rows)


def heard(item: Waveform, plan: windows.Plan) -> list[tuple[windows.Stretch, int]]:
    """Return the stretches of a recording, and how many pieces vote in each."""
    found, count = [], 0
    for event in windows.hear(item, plan):
        count += isinstance(event, windows.Piece)
        if isinstance(event, windows.Stretch):
            found.append((event, count))
            count = 0
    return found


@pytest.mark.parametrize("seconds", [2.9, 2.985, 3.0, 7.77, 20.3])
@pytest.mark.parametrize("frontend", [ENCODER, recipes.get("cnn-bilstm").frontend, fake.FRONTEND])
def test_no_window_makes_more_frames_than_a_network_takes(
    frontend: Frontend, seconds: float
) -> None:
    item = sound((LOUD, seconds), rate=frontend.sample_rate)
    for max_len in (99, 149):
        events = list(windows.hear(item, plan(frontend, max_len)))
        made = [len(event.features) for event in events if isinstance(event, windows.Piece)]
        assert max(made) <= max_len
        if len(made) > 1:  # and none wastes what it could hear
            assert set(made) == {max_len}
        step = plan(frontend, max_len).context / 2
        assert len(made) == 1 + np.ceil(round(max(0.0, seconds / step - 2), 9))
        row, end = events[-2:]
        assert isinstance(row, windows.Stretch) and end == windows.Done("a")
        assert (row.start, row.flags) == (0, ()) and row.end == pytest.approx(seconds, abs=1e-4)


def test_windows_lie_in_their_rows() -> None:
    found = heard(sound((LOUD, 4.0)), plan(fake.FRONTEND, 100, window=2.0, step=1.0))
    assert [(row.start, row.end, count) for row, count in found] == [
        *((0, 2, 3), (1, 3, 3), (2, 4, 3))
    ]


def test_what_is_silent_has_no_vote() -> None:
    gap = sound((LOUD, 1.0), (NOTHING, 3.0), (LOUD, 1.0))
    ((row, count),) = heard(gap, plan(fake.FRONTEND, 100))
    assert (row.flags, count) == ((), 4)  # of nine windows, those that hold a part of the sound
    found = heard(gap, plan(fake.FRONTEND, 100, window=1.0))
    assert [(row.flags, count) for row, count in found] == [
        *(((), 1), (("silent",), 0), (("silent",), 0), (("silent",), 0), ((), 1))
    ]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    fake.register(monkeypatch)
    return Model(artifacts.load(fake.folder(tmp_path / "artifacts")))


def test_rows_are_the_means_of_their_windows(model: Model) -> None:
    item = sound((QUIET, 2.0), (LOUD, 1.0))
    single = model.predict((item.sample_rate, item.samples), window=1.0, step=0.5)
    assert [fake.shares(row)[1] > 0.5 for row in single] == [False] * 3 + [True] * 2
    rows = model.predict((item.sample_rate, item.samples), window=1.5)
    for row, own in zip(rows, (single[:2], single[3:]), strict=True):
        mean = np.mean([fake.shares(one) for one in own], axis=0)
        np.testing.assert_allclose(fake.shares(row), mean, atol=1e-6)
        assert row.emotion == fake.CLASSES[mean.argmax()]
        assert row.confidence == pytest.approx(mean.max(), abs=1e-6)
        assert row.flags == ("long",)
    assert [(row.start, row.end) for row in rows] == [(0, 1.5), (1.5, 3)]


def test_one_recording_does_not_vote_in_another(model: Model) -> None:
    """Even where the first ends before its row does."""
    both, whole = [sound((LOUD, 1.0)), sound((QUIET, 1.0))], plan(fake.FRONTEND, 100)
    events: list[windows.Event] = [next(windows.hear(both[0], whole))]
    events += [windows.Done("a", "it ended"), *windows.hear(both[1], whole)]
    counter = votes.Votes(model.classes, lambda: np.full(2, 0.5, "f4"))
    rows = [row for row in model._counted(events, counter) if isinstance(row, Prediction)]
    assert [row.status for row in rows] == ["error", "ok"] and rows[0].error == "it ended"
    assert rows[1].emotion == "quiet" and rows[1].confidence > 0.9


def test_where_nothing_is_heard_the_training_shares_speak(tmp_path: Path, model: Model) -> None:
    item = sound((NOTHING, 2.0))
    (row,) = model.predict((item.sample_rate, item.samples))
    assert (row.status, row.flags, row.emotion) == ("warning", ("silent",), votes.UNCERTAIN)
    assert row.confidence == votes.UNHEARD
    np.testing.assert_allclose(fake.shares(row), [0.5, 0.5])


def test_shares_of_training_are_looked_up_only_for_what_is_not_heard(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def priors(*given: object) -> Floats:
        asked.append(1)
        return np.full(2, 0.5, "f4")

    monkeypatch.setattr(trained, "priors", priors)
    loud, nothing = sound((LOUD, 1.0)), sound((NOTHING, 1.0))
    model.predict((loud.sample_rate, loud.samples))
    assert not asked
    for _ in range(2):
        model.predict((nothing.sample_rate, nothing.samples))
    assert len(asked) == 1


def test_shares_of_training_are_those_of_its_clips(model: Model) -> None:
    table = ["file,emotion,speaker,split,recording"]
    table += [f"{number}.wav,quiet,1,train,{number}" for number in range(3)]
    table += ["3.wav,loud,1,train,3", "4.wav,loud,1,test,4"]
    (model.artifacts.folder / artifacts.SPLIT).write_text("\n".join(table), encoding="utf-8")
    np.testing.assert_allclose(votes.priors(model.artifacts, fake.CLASSES), [0.75, 0.25])
    np.testing.assert_allclose(votes.priors(model.artifacts, ("loud",)), [1.0])
    model.artifacts.manifest["settings"] = {"class_weights": True}
    np.testing.assert_allclose(votes.priors(model.artifacts, fake.CLASSES), [0.5, 0.5])


def test_rows_come_though_nothing_is_heard(model: Model) -> None:
    silent = (sound((NOTHING, 0.5)) for _ in range(1_000))
    next(iter(model.label(silent, model.plan())))
    assert len(list(silent)) > 900


def test_who_watches_a_recording_may_end_it(model: Model) -> None:
    told: list[float] = []

    def watch(seconds: float) -> None:
        told.append(seconds)
        if seconds > 30:
            raise AudioError("enough")

    long = sound((LOUD, 90.0))
    long = replace(long, samples=np.repeat(long.samples[:, None], 2, axis=1))  # in smaller blocks
    short = sound((LOUD, 1.0))
    asked = replace(model.plan(), watch=watch)
    with pytest.raises(AudioError, match="enough"):
        [*model.label([short, long], asked)]
    assert told[0] == 1.0 and told[1:-1] == sorted(told[1:-1]) and told[-1] > 30
