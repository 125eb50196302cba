"""How far long work is: bars, lines, logs, and silence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Terminal, ser, succeed
from corpus import by_table

from ser_cli.commands import console
from ser_cli.commands.progress import amount, clock, progress
from ser_cli.remarks import remark


@pytest.fixture(autouse=True)
def _as_usual() -> Iterator[None]:
    yield
    console.listen(quiet=False, verbose=False, log_file=None)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    time = [100.0]
    monkeypatch.setattr("ser_cli.commands.progress.time.monotonic", lambda: time[0])
    return time


def test_a_line_per_step_says_how_long_the_rest_takes(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    with progress("training") as show:
        for clip in range(3):
            show(clip, 3, "a.wav")  # is no step
        now[0] += 60
        show(1, 16, "loss 2.00", "epochs")
        now[0] += 30
        show(2, 16, "loss 1.50, dev UAR 40.0 %", "epochs")
        show(16, 16, "loss 1.00", "epochs")
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1 of 16, loss 2.00",
        "epoch 2 of 16, loss 1.50, dev UAR 40.0 %, 7:00 left",
        "epoch 16 of 16, loss 1.00",
    ]


def test_a_resumed_count_is_no_speed(capsys: pytest.CaptureFixture[str], now: list[float]) -> None:
    with progress("trials") as show:
        show(40, 50, "best 50.0 %", "trials")
        now[0] += 10
        show(41, 50, "best 50.0 %", "trials")
    assert capsys.readouterr().err.splitlines()[-1] == "trial 41 of 50, best 50.0 %, 1:30 left"


def test_clips_are_told_now_and_then_where_asked_for(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    console.listen(quiet=False, verbose=True, log_file=None)
    with progress("features") as show:
        for clip in range(100):
            show(clip, 100, f"{clip}.wav")
            now[0] += 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "features 10 of 100 clips, 10.wav, 1:30 left" and len(told) == 9


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ([(50, 200, "clips")], "50 of 200 clips 5.0 clips/s 0:30 left"),
        ([(30_000_000, 434_000_000, "bytes")], "30.0 of 434.0 MB 3.0 MB/s 2:15 left"),
        ([(5, 16, "epochs")], "5 of 16 0:22 left"),
    ],
)
def test_a_bar_shows_amount_speed_and_time_left(
    monkeypatch: pytest.MonkeyPatch, now: list[float], units: list[tuple[int, int, str]], shown: str
) -> None:
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("work") as show:
        for done, total, unit in units:
            show(0, total, "", unit)
            now[0] += 10
            show(done, total, "", unit)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert shown in re.sub(r" +", " ", plain)


def test_amounts_and_times() -> None:
    assert amount(1_200, 2_452, "clips") == "1,200 of 2,452 clips"
    assert amount(1_500_000, 0, "bytes") == "1.5 MB" and amount(7, 0, "files") == "7 files"
    assert [clock(s) for s in (4.6, 61, 3_661)] == ["0:05", "1:01", "1:01:01"]


def test_quiet_leaves_errors_alone(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, now: list[float]
) -> None:
    console.listen(quiet=True, verbose=False, log_file=tmp_path / "logs" / "ser.log")
    console.say("said")
    remark("a remark")
    with progress("training") as show:
        show(1, 2, "", "epochs")
    console.say("ser: wrong", error=True)
    assert capfd.readouterr().err == "ser: wrong\n"
    kept = (tmp_path / "logs" / "ser.log").read_text(encoding="utf-8")
    assert [line.split(" ", 2)[2] for line in kept.splitlines()] == [
        "said",
        "a remark",
        "ser: wrong",
    ]


def test_a_training_in_a_pipe_is_a_line_per_epoch(tmp_path: Path) -> None:
    words = ("--data", by_table(tmp_path), "--recipe", "stats-dense", "--epochs", 3, "--copies", 0)
    train = ("train", *words, "--artifacts", tmp_path / "trained")
    told = succeed(*train, "--jobs", 1, "--log-file", tmp_path / "log.txt").err
    epochs = [line for line in told.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == 3 and all("dev UAR" in line for line in epochs)
    logged = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert all(line in logged for line in told.splitlines())
    hushed = succeed("train", *words, "--artifacts", tmp_path / "again", "--jobs", 1, "-q")
    assert hushed.err == "" and "kept" in hushed.out


def test_quiet_and_verbose_exclude_each_other() -> None:
    done = ser("recipes", "-q", "-v")
    assert done.code == 2 and "--quiet and --verbose" in done.err
