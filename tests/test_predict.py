"""From what the user names to rows: order, windows, failures, workers."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
from command import Terminal, ser
from modules import printed

from ser_cli import workers
from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.jobs.trained import PredictJob
from ser_cli.model import artifacts, parallel, sources, windows
from ser_cli.model import rows as model_rows
from ser_cli.model.order import Rows
from ser_cli.model.trained import TOGETHER
from ser_cli.sound.files import Found
from ser_cli.stages import predict as stage
from ser_cli.types import Prediction

LOUD, QUIET = 0.5, 0.02


def noise(level: float, seconds: float) -> np.ndarray:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], int(seconds * fake.RATE))
    return level * signs


def write(path: Path, *parts: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(parts), fake.RATE, "PCM_16", format="WAV")
    return path


def job(*paths: Path | str, **options: Any) -> PredictJob:
    return PredictJob(paths=tuple(map(str, paths)), **options)


@pytest.fixture
def predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Prediction]]:
    fake.register(monkeypatch)
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))

    def run(*paths: Path | str, **options: Any) -> list[Prediction]:
        return list(stage.predict(job(*paths, **options), trained))

    return run


def test_rows_of_files(tmp_path: Path, predict: Callable[..., list[Prediction]]) -> None:
    loud = write(tmp_path / "b.wav", noise(LOUD, 1))
    quiet = write(tmp_path / "a.wav", noise(QUIET, 0.9))
    rows = predict(loud, quiet, loud)
    assert [row.file for row in rows] == [str(loud), str(quiet), str(loud)]  # as given, twice
    assert [row.emotion for row in rows] == ["loud", "quiet", "loud"]
    assert np.array_equal(fake.shares(rows[0]), fake.shares(rows[2]))
    for row, end in zip(rows, (1.0, 0.9, 1.0), strict=True):
        assert (row.start, row.end, row.status, row.flags, row.error) == (0, end, "ok", (), "")
        assert fake.shares(row).sum() == pytest.approx(1, abs=1e-6)
        assert row.confidence == fake.shares(row).max() > 0.5


def test_bad_files_are_rows(tmp_path: Path, predict: Callable[..., list[Prediction]]) -> None:
    good = write(tmp_path / "good.wav", noise(LOUD, 1))
    (tmp_path / "text.wav").write_text("no sound " * 99)
    (tmp_path / "bare").mkdir()
    rows = predict(tmp_path / "no.wav", tmp_path / "text.wav", tmp_path / "bare", "*.nothing", good)
    assert [row.status for row in rows] == ["error"] * 4 + ["ok"]
    for row, reason in zip(
        rows, ("no such file", "no sound", "no audio file", "matches"), strict=False
    ):
        assert reason in row.error
        assert (row.emotion, row.probabilities) == ("", None)
        assert math.isnan(row.confidence)


def test_flags_warn(tmp_path: Path, predict: Callable[..., list[Prediction]]) -> None:
    (row,) = predict(write(tmp_path / "a.wav", np.zeros(1_000)))
    assert (row.status, row.flags) == ("warning", ("short", "silent"))


def test_a_surprise_in_a_recipe_is_a_row(
    tmp_path: Path, predict: Callable[..., list[Prediction]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def extract(waveform: np.ndarray) -> np.ndarray:
        if len(waveform) < fake.RATE:
            raise ZeroDivisionError("never thought of")
        return fake.extract(waveform)

    fake.register(monkeypatch, fake.recipe(extract=extract))
    rows = predict(
        write(tmp_path / "a.wav", noise(LOUD, 0.9)), write(tmp_path / "b.wav", noise(LOUD, 1))
    )
    assert [row.error for row in rows] == ["ZeroDivisionError: never thought of", ""]


def test_a_long_file_is_heard_to_its_end(
    tmp_path: Path, predict: Callable[..., list[Prediction]]
) -> None:
    # Only the last quarter is loud; the network itself hears one second.
    path = write(tmp_path / "a.wav", noise(QUIET, 3), noise(LOUD, 1))
    (row,) = predict(path)
    windows = predict(path, window=fake.MAX_LEN * fake.HOP / fake.RATE, step=0.5)
    assert (row.start, row.end, row.flags, row.status) == (0, 4, ("long",), "ok")
    mean = np.mean([fake.shares(window) for window in windows], axis=0)
    np.testing.assert_allclose(fake.shares(row), mean, atol=0.02)
    assert 0.1 < fake.shares(row)[1] < 0.4
    assert predict(write(tmp_path / "b.wav", noise(LOUD, 0.999)))[0].flags == ()


def test_windows_are_rows(tmp_path: Path, predict: Callable[..., list[Prediction]]) -> None:
    path = write(tmp_path / "a.wav", noise(QUIET, 1), noise(LOUD, 1.25))
    rows = predict(path, window=0.5)
    assert [(row.start, row.end) for row in rows] == [
        (0, 0.5), (0.5, 1), (1, 1.5), (1.5, 2), (1.75, 2.25),
    ]  # fmt: skip
    assert [fake.shares(row)[1] > 0.5 for row in rows] == [False, False, True, True, True]
    rows = predict(path, window=2, step=1)  # longer than the network hears: averaged inside
    assert [(row.start, row.end, row.flags) for row in rows] == [
        (0, 2, ("long",)),
        (0.25, 2.25, ("long",)),
    ]
    assert fake.shares(rows[0])[1] < fake.shares(rows[1])[1]


def test_a_recipe_of_fixed_length_is_cut_by_it(
    tmp_path: Path, predict: Callable[..., list[Prediction]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def extract(waveform: np.ndarray) -> np.ndarray:
        seen.append(len(waveform))
        return fake.extract(waveform)

    fake.register(monkeypatch, fake.recipe(extract=extract, duration=0.5))
    predict(write(tmp_path / "a.wav", noise(LOUD, 1)), write(tmp_path / "b.wav", noise(LOUD, 0.1)))
    assert seen == [8_000] * 4  # three windows of the first, one of the second, padded


@pytest.mark.parametrize(
    "options",
    [{"step": 1.0}, {"window": 0.0}, {"window": -1.0}, {"window": math.nan}, {"window": math.inf},
     {"window": 1.0, "step": 0.0}],
)  # fmt: skip
def test_senseless_options(
    predict: Callable[..., list[Prediction]], options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        predict("a.wav", **options)


def test_no_worker_is_none(tmp_path: Path) -> None:
    done = ser("predict", tmp_path / "a.wav", "--jobs", 0)
    assert done.code == 2 and "--jobs" in done.err and "equal to 1" in done.err


def test_features_that_changed_since_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch, fake.recipe(version=2))
    trained = artifacts.load(fake.folder(tmp_path, recipe_version=1))
    with pytest.raises(ArtifactsError, match="version 1 of the features"):
        stage.predict(job(), trained)  # not iterated: errors come before the first row


def test_rows_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.register(monkeypatch)
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))
    count = 2 * TOGETHER
    path = str(write(tmp_path / "a.wav", noise(LOUD, 1)))
    told: list[tuple[int, int, str, str]] = []
    read: list[object] = []
    real = windows.hear

    def hear(item: Found, plan: windows.Plan) -> Iterator[windows.Event]:
        read.append(item)
        return real(item, plan)

    monkeypatch.setattr(windows, "hear", hear)
    rows = stage.predict(job(*[path] * count), trained, progress=lambda *n: told.append(n))
    next(rows)
    assert told == [(0, count, "", "files")] and len(read) == TOGETHER
    next(rows)
    assert told[1:] == [(1, count, path, "files")]
    list(rows)
    assert [done for done, *_ in told] == list(range(count + 1))


def test_files_that_are_heard_together_keep_their_rows(
    tmp_path: Path, predict: Callable[..., list[Prediction]]
) -> None:
    # Windows of several lengths and files that fail, in one run of the network and over two.
    (tmp_path / "bad.wav").write_text("no sound")
    paths = [
        tmp_path / "bad.wav" if number % 5 == 3 else
        write(tmp_path / f"{number}.wav", noise((LOUD, QUIET)[number % 2], 0.4 + number % 4))
        for number in range(20)
    ]  # fmt: skip
    together = predict(*paths, window=1)
    alone = [row for path in paths for row in predict(path, window=1)]
    for names in ("file", "status", "flags"):
        assert [getattr(r, names) for r in together] == [getattr(r, names) for r in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.emotion == other.emotion
        if one.status != "error":
            np.testing.assert_allclose(fake.shares(one), fake.shares(other), atol=1e-6)


@pytest.mark.parametrize("csv_too", [False, True])
def test_what_has_no_label_is_told_where_no_output_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, csv_too: bool
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "artifacts")
    (tmp_path / "clips").mkdir()
    write(tmp_path / "clips" / "a.wav", noise(LOUD, 1))
    (tmp_path / "clips" / "b.wav").write_text("no sound " * 9, encoding="utf-8")
    outputs = ["--out", tmp_path / "%.srt", *(["--csv", tmp_path / "x.csv"] if csv_too else [])]
    done = ser("predict", tmp_path / "clips", "--artifacts", folder, *outputs)
    assert done.code == 3 and [path.name for path in tmp_path.glob("*.srt")] == ["a.srt"]
    assert ("b.wav: is a text" in done.err) == (not csv_too)
    assert ("see the error column" in done.err) == csv_too


# --- files that are skipped


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("skipped", ["", "ace", "bdf", "abcdef", "abc", "def"])
def test_files_that_are_skipped_keep_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skipped: str, threads: int
) -> None:
    fake.register(monkeypatch)
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))
    clips = [write(tmp_path / f"{name}.wav", noise(LOUD, 1)) for name in "abcdef"]
    asked: list[str] = []

    def skip(item: Found) -> bool:
        asked.append(Path(item.file).stem)
        return asked[-1] in skipped

    monkeypatch.setattr(parallel, "_label", label_or_die)
    told: list[int] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        groups = stage.by_file(
            stage.ready(job(*clips), trained),
            skip=skip,
            executor=pool if threads else None,
            progress=lambda done, total, file, unit="": told.append(done),
        )
        found = [(Path(item.file).stem, rows and rows[0].file) for item, rows in groups]
    assert asked == list("abcdef") and told == [0, 1, 2, 3, 4, 5, 6]
    assert found == [(p.stem, None if p.stem in skipped else str(p)) for p in clips]


def test_what_rows_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.register(monkeypatch)
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))

    def identity(*paths: str, **options: Any) -> dict[str, Any]:
        return stage.ready(job(*paths or ("/a",), **options), trained).identity()

    same = identity()
    for alike in ({"jobs": 3, "csv": Path("x"), "as_json": True}, {"report": False, "force": True}):
        assert identity(**alike) == same
    assert identity("/b") == same
    other = artifacts.load(fake.folder(tmp_path / "other", seed=1))
    assert stage.ready(job("/a"), other).identity() != same
    for change in ({"window": 1.0}, {"window": 1.0, "step": 0.5}, {"min_confidence": 0.5}):
        assert identity(**change) != same
    assert identity("a") != same  # names that another folder gives another meaning
    json.dumps(same)


# --- standard input


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    def pipe(content: bytes) -> None:
        sources.standard_input.cache_clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    yield pipe
    sources.standard_input.cache_clear()


@pytest.mark.parametrize("in_memory", [2**23, 100])
def test_standard_input_is_a_recording(
    tmp_path: Path,
    predict: Callable[..., list[Prediction]],
    piped: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
    in_memory: int,
) -> None:
    monkeypatch.setattr(sources, "IN_MEMORY", in_memory)
    clip = write(tmp_path / "a.wav", noise(LOUD, 1))
    piped(clip.read_bytes())
    rows = predict("-", clip, "-", jobs=2)  # which no other process has
    assert [row.file for row in rows] == ["stdin", str(clip), "stdin"]
    assert [(row.emotion, row.end) for row in rows] == [("loud", 1)] * 3
    for content, reason in ((b"", "stdin: is empty"), (b"no sound" * 9, "stdin: is a text")):
        piped(content)
        (row,) = predict("-")
        assert row.status == "error" and row.error.startswith(reason)


def test_a_terminal_is_no_recording(
    predict: Callable[..., list[Prediction]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stdin in (Terminal(), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="nothing is piped into it"):
            predict("-")


def test_standard_input_is_never_done_before(
    tmp_path: Path, piped: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "artifacts")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_text("a file of this name is another", encoding="utf-8")
    for level, emotion in ((LOUD, "loud"), (QUIET, "quiet")):
        piped(write(tmp_path / "a.wav", noise(level, 1)).read_bytes())
        assert ser("predict", "-", "--artifacts", folder, "--csv", "out.csv").code == 0
        assert f"stdin,0.0,1.0,{emotion}" in Path("out.csv").read_text(encoding="utf-8")


# --- workers


def label_or_die(
    folder: Path, hearing: bytes, plan: windows.Plan, chunk: Sequence[Found]
) -> list[Rows]:
    """Stand in for a model in a worker."""
    for item in chunk:
        if "die" in item.file:
            raise BrokenExecutor
        if "raise" in item.file:
            raise MemoryError("too much")
    return [[Prediction(item.file, 0, 1, "", 1, None)] for item in chunk]


def test_a_dying_worker_costs_one_row(
    tmp_path: Path, predict: Callable[..., list[Prediction]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = artifacts.load(tmp_path / "artifacts")
    files = [str(tmp_path / name) for name in ("1.wav", "die.wav", "22.wav", "raise.wav", "3.wav")]
    for file in files:
        Path(file).touch()
    monkeypatch.setattr(parallel, "_label", label_or_die)
    with ThreadPoolExecutor(2) as executor:
        rows = list(stage.predict(job(*files), trained, executor=executor))
    assert [row.file for row in rows] == files
    assert [row.status for row in rows] == ["ok", "error", "ok", "error", "ok"]
    assert rows[1].error == f"{files[1]}: {workers.DIED}"
    assert rows[3].error == f"{files[3]}: MemoryError: too much"


def test_jobs_change_nothing(tmp_path: Path, ravdess: Path) -> None:
    paths = [str(path) for path in sorted(ravdess.rglob("*-01.flac"))[: parallel.CHUNK + 2]]
    paths.insert(2, str(tmp_path / "no.wav"))
    trained = artifacts.load(artifacts.packaged() / "cnn-bilstm")
    alone = list(stage.predict(job(*paths, jobs=1), trained))
    several = list(stage.predict(job(*paths, jobs=2), trained))
    for one, other in zip(alone, several, strict=True):
        assert (one.file, one.emotion, one.error) == (other.file, other.emotion, other.error)
        if one.status != "error":
            np.testing.assert_allclose(fake.shares(one), fake.shares(other), atol=1e-6)


@pytest.mark.parametrize(("count", "processes"), [(3, None), (4, 2), (9, 2)])
def test_many_files_are_spread_over_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, processes: int | None
) -> None:
    fake.register(monkeypatch)
    trained = artifacts.load(fake.folder(tmp_path / "artifacts"))
    monkeypatch.setattr(stage, "MANY", 4)
    monkeypatch.setattr(workers, "CORES", 2)
    seen: list[int] = []

    def run(task: object, items: object, *, workers: int, **_: object) -> Iterator[object]:
        seen.append(workers)
        return iter(())

    monkeypatch.setattr(workers, "run", run)
    list(stage.predict(job(*["no.wav"] * count), trained))
    assert seen == ([] if processes is None else [processes])
    seen.clear()
    list(stage.predict(job(*["no.wav"] * count, jobs=1), trained))
    assert seen == []


# --- records


def test_records(tmp_path: Path, predict: Callable[..., list[Prediction]]) -> None:
    rows = predict(write(tmp_path / "a.wav", noise(LOUD, 0.3)), tmp_path / "no.wav")
    good, bad = (model_rows.as_record(row, fake.CLASSES) for row in rows)
    assert tuple(good) == tuple(bad) == model_rows.columns(fake.CLASSES)
    assert model_rows.columns(fake.CLASSES) == (
        "file", "start", "end", "emotion", "confidence", "quiet", "loud",
        "status", "flags", "error", "speaker",
    )  # fmt: skip
    assert good["flags"] == "short"
    assert good["loud"] == round(float(fake.shares(rows[0])[1]), 6)
    assert json.loads(json.dumps(bad, allow_nan=False))["confidence"] is None
    text = io.StringIO()
    csv.DictWriter(text, model_rows.columns(fake.CLASSES)).writerow(bad)
    assert text.getvalue().startswith(f"{tmp_path / 'no.wav'},,,,,,,error,,")


def test_predict_is_light(tmp_path: Path) -> None:
    heavy = (
        "{'tensorflow','keras','librosa','sklearn','pandas','optuna','matplotlib','joblib','av'}"
    )
    folder = fake.folder(tmp_path / "artifacts")
    path = write(tmp_path / "a.wav", noise(LOUD, 1))
    code = (
        "import sys, pytest, fake; from pathlib import Path;"
        "from ser_cli.stages.predict import predict; fake.register(pytest.MonkeyPatch());"
        "from ser_cli.model import artifacts; from ser_cli.jobs.trained import PredictJob;"
        f"job = PredictJob(paths=({str(path)!r},));"
        f"rows = predict(job, artifacts.load(Path({str(folder)!r})));"
        "print(*[row.emotion for row in rows]);"
        f"print(*{heavy} & sys.modules.keys())"
    )
    assert printed(code).splitlines() == ["loud", ""]
    assert artifacts.is_complete(folder)
