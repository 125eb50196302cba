"""The benchmark measures what it says, and the README shows what it measured."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import equality, material, processes, report
from benchmarks.__main__ import main
from benchmarks.labels import same_labels, ser_labels, usual_labels
from benchmarks.measures import MEASURES
from benchmarks.processes import BenchError, Server, alternate, environment, module, run
from benchmarks.rows import BY_NAME, ROWS, Ratio, Result, Row, ratio, verdict

from ser_cli.data.labels import EMOTIONS
from ser_cli.model.rows import as_record, columns
from ser_cli.recipes.cnn_bilstm import extract
from ser_cli.types import Prediction

FASTER = Row("x", "work", "old", "new", "s", floor=2, goal=4)
LEANER = Row("y", "work", "few", "many", "MB", floor=1.5, goal=1.1, at_most=True)
CLASSES = ("angry", "calm")


def test_a_ratio_is_the_median_of_pairs_and_their_range() -> None:
    result = Result("x", [8, 30, 10], [2, 3, 5])
    assert ratio(FASTER, result) == Ratio(4, 2, 10)
    assert ratio(LEANER, result) == Ratio(0.25, 0.1, 0.5)
    assert ratio(FASTER, Result("x")) is None


@pytest.mark.parametrize(
    ("row", "a", "b", "expected"),
    [
        (FASTER, 4, 1, "goal"),
        (FASTER, 3.9, 1, "floor"),
        (FASTER, 2, 1, "floor"),
        (FASTER, 1.9, 1, "missed"),
        (LEANER, 10, 11, "goal"),
        (LEANER, 10, 15, "floor"),
        (LEANER, 10, 15.1, "missed"),
    ],
)
def test_a_ratio_is_judged(row: Row, a: float, b: float, expected: str) -> None:
    assert verdict(row, Result(row.name, [a], [b])) == expected


def test_what_cannot_be_judged_says_so() -> None:
    assert verdict(FASTER, Result("x")) == "not measured"
    assert verdict(FASTER, Result("x", [9], [1], problem="labels differ")) == "wrong"


def test_every_row_is_measured_once() -> None:
    measured = Counter(name for names, _ in MEASURES for name in names)
    assert measured == Counter(row.name for row in ROWS)
    for row in ROWS:
        assert (row.goal < row.floor) == row.at_most, row.name


def test_the_tables_show_medians_in_the_order_of_the_rows() -> None:
    results = [
        Result("help", [0.1, 0.1], [0.12, 0.14], {"CPU s A": 0.1, "CPU s B": 0.15}),
        Result("one-clip", [6.0, 6.0, 7.0], [0.1, 0.2, 0.2], problem="1 labels differ"),
    ]
    lines = report.text_table(results).splitlines()
    assert [line.split()[0] for line in lines] == ["name", "one-clip", "help", "one-clip:"]
    assert "30" in lines[1]
    assert lines[1].endswith("wrong")
    assert lines[2].split()[-2:] == ["floor", "1.5"]
    assert report.markdown(results[:1]).splitlines()[-1] == (
        "| `--help` | empty Typer app: 0.1 s | `ser`: 0.13 s | 1.3 (1.2 to 1.4) "
        "| at most 1.2 | floor |"
    )
    assert report.markdown([Result("one-clip-memory")]).splitlines()[-1] == (
        "| one clip, peak memory | usual script | `ser predict` |  | 11 | not measured |"
    )


def test_json_keeps_the_samples_and_other_rows_of_the_same_machine(tmp_path: Path) -> None:
    file = tmp_path / "new" / "benchmark.json"
    first = Result("help", [0.1, 0.2], [0.3, 0.4], {"peak MB A": 20.0})
    second = Result("one-clip", [6.0], [0.2])
    report.write(file, [first], command="one", clips="synthetic", load=0.1)
    report.write(file, [second], command="two", clips="synthetic", load=None)
    assert report.read(file) == [second, first]
    stored = json.loads(file.read_text(encoding="utf-8"))
    assert [row["command"] for row in stored["rows"]] == ["two", "one"]
    assert stored["rows"][0]["median"] == 30
    assert stored["machine"]["packages"]["numpy"] == np.__version__
    report.write(file, [second], command="two", clips="RAVDESS", load=None)
    assert report.read(file) == [second]


def test_labels_of_both_sides_are_read_and_compared() -> None:
    shares = np.array([0.25, 0.75], np.float32)
    rows = [Prediction(f"in/{n}.wav", 0, 1, "calm", 0.75, shares) for n in "ab"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(CLASSES))
    writer.writeheader()
    writer.writerows(as_record(row, CLASSES) for row in rows)
    usual = "".join(f"{n}.wav\tcalm\t75.00%\t0.250005,0.749995\n" for n in "ba")
    ours, theirs = ser_labels(text.getvalue()), usual_labels(usual)
    assert ours == {"a.wav": ("calm", [0.25, 0.75]), "b.wav": ("calm", [0.25, 0.75])}
    notes = same_labels(theirs, ours)
    assert notes["clips compared"] == 2
    assert notes["largest difference of a probability"] == pytest.approx(5e-6)


@pytest.mark.parametrize(
    "theirs",
    [
        {"a.wav": ("angry", [0.25, 0.75])},
        {"a.wav": ("calm", [0.25, 0.75002])},
        {"a.wav": ("calm", [0.25, float("nan")])},
        {"b.wav": ("calm", [0.25, 0.75])},
        {},
    ],
)
def test_sides_that_differ_are_refused(theirs: dict[str, tuple[str, list[float]]]) -> None:
    with pytest.raises(BenchError):
        same_labels(theirs, {"a.wav": ("calm", [0.25, 0.75])})


def test_a_process_is_timed_and_its_memory_known(tmp_path: Path) -> None:
    def spend(code: str) -> processes.Run:
        return run([sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ))

    small = spend("print('done')")
    large = spend("import time; x = bytearray(200 * 2**20); time.sleep(0.3)")
    assert small.out == "done\n"
    assert large.seconds > 0.3
    if hasattr(os, "wait4"):
        assert small.cpu_s
        assert large.cpu_s
        assert large.cpu_s < large.seconds - 0.2  # it slept
        assert small.peak_mb
        assert large.peak_mb
        # What this process holds counts in both (see the package).
        assert large.peak_mb > 200
    with pytest.raises(BenchError, match="no such thing"):
        spend("raise SystemExit('no such thing')")


def test_a_child_has_the_environment_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    plain = environment(tmp_path)
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", *processes.THREADS} & plain.keys()
    assert plain["SER_CACHE_DIR"] == str(tmp_path)
    assert environment(tmp_path, one_core=True)["OMP_NUM_THREADS"] == "1"


def test_sides_alternate_after_a_warm_up() -> None:
    order: list[str] = []

    def side(name: str) -> int:
        order.append(name)
        return len(order)

    a, b = alternate(lambda: side("A"), lambda: side("B"), 2, lambda _: None)
    assert "".join(order) == "ABABAB"
    assert (a, b) == ([3, 5], [4, 6])


def test_a_warm_side_works_when_asked_and_leaves_its_results(tmp_path: Path) -> None:
    waves = [material.synthetic(n, "calm")[:16_000] for n in range(12)]
    stored: dict[str, Any] = {str(n): wave for n, wave in enumerate(waves)}
    np.savez(tmp_path / "waves.npz", **stored)
    args = ("features-ser", tmp_path / "waves.npz", tmp_path / "found.npz")
    env = environment(tmp_path, one_core=True, package=True)
    start = time.perf_counter()
    with Server(*args, cwd=tmp_path, env=env) as side:
        rounds = [side.work(), side.work()]
    assert 0 < sum(round.seconds for round in rounds) < time.perf_counter() - start
    assert all(round.cpu_s for round in rounds)
    with np.load(tmp_path / "found.npz") as found:
        assert len(found) == len(waves)
        for number, wave in enumerate(waves):
            np.testing.assert_allclose(found[str(number)], extract(wave), rtol=1e-4, atol=1e-4)


def test_a_side_that_dies_is_told(tmp_path: Path) -> None:
    env = environment(tmp_path, package=True)
    args = ("features-ser", tmp_path / "absent.npz", tmp_path / "found.npz")
    with pytest.raises(BenchError, match=r"absent\.npz"), Server(*args, cwd=tmp_path, env=env):
        pass


@pytest.mark.parametrize(
    ("column", "by", "fails"),
    [(50, 0.9e-3, False), (50, 1.1e-3, True), (125, 1.1e-6, True), (135, 1.1e-3, True)],
)
def test_features_are_equal_within_the_bounds(
    column: int, by: float, fails: bool, tmp_path: Path
) -> None:
    theirs: Any = np.zeros((20, 139))
    theirs[0, 0] = -100  # the largest coefficient, which differences of MFCC are relative to
    ours = theirs.copy()
    ours[7, column] += by
    for name, features in (("a", theirs), ("b", ours)):
        np.savez(tmp_path / f"{name}.npz", **{"0": features})
    command = module("equality", tmp_path / "a.npz", tmp_path / "b.npz")
    env = environment(tmp_path, package=True)
    if fails:
        with pytest.raises(BenchError, match="not librosa's"):
            run(command, cwd=tmp_path, env=env)
    else:
        assert set(json.loads(run(command, cwd=tmp_path, env=env).out)) == set(equality.FAMILIES)


def test_the_synthetic_voice_is_sound_and_repeats_itself() -> None:
    found = list(islice(material.voices(None), 9))
    for wave, _, _ in found:
        assert wave.dtype == np.float32
        assert 0.1 < np.abs(wave).max() < 1
        assert 3 * material.RATE <= len(wave) <= 4 * material.RATE
    assert [emotion for _, emotion, _ in found[:8]] == list(EMOTIONS)
    assert found[8][1:] == (found[0][1], "01")
    np.testing.assert_array_equal(found[3][0], material.synthetic(3, found[3][1]))


def test_real_voices_leave_the_last_actors_alone(ravdess: Path) -> None:
    found = [(emotion, speaker) for _, emotion, speaker in islice(material.voices(ravdess), 100)]
    assert {emotion for emotion, _ in found} == set(EMOTIONS)
    assert {speaker for _, speaker in found} <= {f"{actor:02d}" for actor in range(1, 21)}


def test_short_clips_are_links_of_one_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    monkeypatch.setattr(material, "SHORT", 4)
    material.short(tmp_path, None, 7)
    files = sorted(tmp_path.glob("*.wav"))
    assert len(files) == 7
    assert soundfile.info(files[-1]).duration == 1
    assert files[-1].read_bytes() == files[2].read_bytes()


def test_the_command_measures_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "benchmark.json"
    code = main(["--only", "help", "--repeats", "1", "--json", str(file)])
    (result,) = report.read(file)
    judged = verdict(BY_NAME["help"], result)
    assert len(result.a) == len(result.b) == 1
    assert 0.01 < result.a[0] < 30
    assert code == (judged == "missed")
    assert judged in capsys.readouterr().out
