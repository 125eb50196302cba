"""How long a training will take is said before it has taken it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import ser, succeed
from corpus import by_actor, by_table

from ser_cli.remarks import lasting
from ser_cli.training import pace


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


def test_steps_that_compile_are_not_counted(now: list[float]) -> None:
    told: list[float] = []
    watch = pace.Watch(told.append, epochs=10)
    for step in range(100):
        now[0] += 30 if step < pace.WARM_STEPS else 1
        watch.step((step + 1) / 100)
    assert told == [pytest.approx(10 * 100 * 1)]  # once, and long before the epoch ended


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_an_epoch_of_few_steps_is_counted_whole(now: list[float], steps: int) -> None:
    told: list[float] = []
    watch = pace.Watch(told.append, epochs=10)
    for step in range(steps):
        now[0] += 2
        watch.step((step + 1) / steps)
    assert told == [pytest.approx(10 * 2 * steps)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "about 10 min at most on this machine"),
        ({"trainings": 5, "what": "5 folds"}, "about 50 min at most on this machine (5 folds)"),
        ({"trainings": 5, "side_by_side": 2}, "about 30 min at most"),
        ({"trainings": 50, "limit": 3600.0}, "about 60 min at most"),
    ],
)
def test_all_trainings_are_counted(options: dict[str, object], sentence: str) -> None:
    said: list[str] = []
    pace.teller(said.append, **options)(600)  # type: ignore[arg-type]
    assert len(said) == 1 and said[0].startswith(f"this takes {sentence}")
    pace.teller(said.append)(pace.WORTH_S - 1)
    assert len(said) == 1  # what is done soon needs no warning


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"), (61, "61 s"), (2400, "40 min"), (9000, "2.5 h"), (90_000, "25 h"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert lasting(seconds) == f"about {said}"


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (("train", "--artifacts", "own"), "epoch 1 of"),
        (("tune", "--trials", "2", "--workers", "1", "--folds", "2"), "trial 1 of"),
        (("tune", "--trials", "2", "--workers", "2", "--folds", "2"), "trial 1 of"),
        (("evaluate", "--protocol", "luna5", "--workers", "1"), "epoch 1 of"),
        (("evaluate", "--protocol", "luna5", "--workers", "2"), "fold 1 of"),
    ],
)
def test_long_commands_say_it_before_they_begin(
    words: tuple[str, ...], after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(pace, "WORTH_S", 0.0)
    protocol = "--protocol" in words
    data = by_actor(tmp_path / "actors") if protocol else by_table(tmp_path)
    Path("tiny.json").write_text(json.dumps({"epochs": 3, "batch_size": 4}), encoding="utf-8")
    settings = ("--params", "tiny.json") if words[0] != "tune" else ("--epochs", "3")
    said = succeed(*words, "--data", data, "--recipe", "stats-dense", *settings).err.splitlines()
    told = [place for place, line in enumerate(said) if line.startswith("this takes about ")]
    first = next(place for place, line in enumerate(said) if line.startswith(after))
    assert len(told) == 1 and told[0] < first, said


def test_a_protocol_takes_no_trained_folder() -> None:
    done = ser("evaluate", "--protocol", "emobox6", "--artifacts", "trained")
    assert done.code == 2 and "takes no --artifacts" in done.err
