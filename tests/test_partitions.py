"""A Parquet dataset: what readers see, and that no end of a run costs more than partitions."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import RATE, ser, tone
from elsewhere import s3
from killing import left_after, survivors
from labelling import CLASSES, failed, rows_of, unless_deadly

from ser_cli.data import locks
from ser_cli.errors import SerError, UsageError
from ser_cli.jobs.trained import PredictJob
from ser_cli.report import dataset, parquet
from ser_cli.report.partitions import Labelling, Written
from ser_cli.sound.files import Found, find
from ser_cli.stages import partitions
from ser_cli.types import Prediction

MODEL: Any = SimpleNamespace(classes=CLASSES, artifacts=SimpleNamespace(recipe="fake"))
FACTS = {"version of ser": "1", "model": "abc", "window": None}
OURS = ("--recipe", "cnn-bilstm", "--hear-all")


class Project:
    """Recordings, a dataset in partitions of two, and a model that notes what it predicts."""

    def __init__(self, folder: Path) -> None:
        self.clips, self.out = folder / "clips", folder / "out"
        self.predicted = ""
        self.clips.mkdir()
        for name in "abcdefg":
            self.clip(name, 1)

    def clip(self, name: str, version: int, text: str = "") -> None:
        (self.clips / f"{name}.wav").write_text(text or f"{name} {version}" * version, "utf-8")

    def label(self, items: Sequence[Found]) -> Iterator[list[Prediction]]:
        for one in items:
            self.predicted += Path(one.file).stem
            yield rows_of(one)

    def run(
        self, *paths: Path, stop: int = -1, facts: Any = FACTS, by: Any = None, **how: Any
    ) -> list[Written]:
        self.predicted = ""
        named = tuple(map(str, paths or (self.clips,)))
        job = PredictJob(paths=named, parquet=str(self.out), **{"partition": None, **how})
        by = by or Labelling(self.label, self.label, 1, 2)
        written = []
        work: Any = SimpleNamespace(
            job=job, model=MODEL, inputs=find(named), identity=lambda: facts
        )
        with closing(partitions.write(work, by)) as some:
            for one in some:
                written.append(one)
                if len(written) == stop:
                    raise KeyboardInterrupt
        return written

    def rows(self) -> list[tuple[str, float]]:
        """Return the recording of each row, and what its content was."""
        found = pd.read_parquet(self.out) if any(self.out.glob("*.parquet")) else pd.DataFrame()
        shares = found.get("calm", ())
        names = [Path(file).stem for file in found.get("file", ())]
        return [(name, round(float(one), 2)) for name, one in zip(names, shares, strict=True)]

    def whole(self) -> list[tuple[str, float]]:
        rows = [row for one in find([self.clips]) for row in rows_of(one)]
        shares = [np.nan if r.probabilities is None else float(r.probabilities[0]) for r in rows]
        return [(Path(r.file).stem, round(s, 2)) for r, s in zip(rows, shares, strict=True)]

    def files(self) -> dict[str, int]:
        """Return all files of the dataset, and when each was written."""
        files = [path for path in self.out.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.out)): path.stat().st_mtime_ns for path in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(dataset, "LEAST", 2)
    return Project(tmp_path)


def test_what_is_done_is_not_done_again(project: Project) -> None:
    written = project.run()
    assert project.predicted == "abcdefg" and project.rows() == project.whole()
    assert [len(one.entries) for one in written] == [2, 2, 2, 1]
    assert not any(one.before for one in written)
    before = project.files()
    assert sorted(before) == [
        *(f"_ser/part-0000000{n}.json" for n in range(4)),
        "_ser/run.json",
        *(f"part-0000000{n}.parquet" for n in range(4)),
    ]
    assert all(one.before for one in project.run())
    assert project.predicted == "" and project.files() == before
    project.run(restart=True)
    assert project.predicted == "abcdefg" and project.rows() == project.whole()


def test_an_interrupted_run_goes_on(project: Project) -> None:
    with pytest.raises(KeyboardInterrupt):
        project.run(stop=2)
    assert project.predicted == "abcd" and project.rows() == project.whole()[:8]
    assert [one.before for one in project.run()] == [True, True, False, False]
    assert project.predicted == "efg" and project.rows() == project.whole()
    assert ".lock" not in project.files()


def test_recordings_that_change_are_the_only_ones_that_are_read(project: Project) -> None:
    project.run()
    project.clip("b", 2)
    project.run()
    assert project.predicted == "b" and project.rows() == project.whole()
    project.clip("b", 3)
    project.clip("aa", 2)
    project.clip("h", 1)
    (project.clips / "f.wav").unlink()
    project.run()
    # One that comes moves another into each partition behind it, up to one that is gone.
    assert project.predicted == "aabdh" and project.rows() == project.whole()
    project.run()
    assert project.predicted == ""


def test_an_error_is_tried_again_and_nothing_else_is(project: Project) -> None:
    project.clip("c", 1, "bad")
    written = project.run()
    assert [entry.errors for one in written for entry in one.entries] == [0, 0, 1, 0, 0, 0, 0]
    project.run()
    assert project.predicted == "c" and len(project.rows()) == 13
    project.clip("c", 2)
    project.run()
    assert project.predicted == "c" and project.rows() == project.whole()


def test_of_fewer_recordings_no_rows_of_others_stay(project: Project) -> None:
    project.clip("h", 1)
    project.run()
    (project.clips / "h.wav").unlink()
    project.run()
    assert project.predicted == "" and project.rows() == project.whole()
    for name in "bdefg":
        (project.clips / f"{name}.wav").unlink()
    project.run()
    assert project.predicted == "c" and project.rows() == project.whole()
    files = ["_ser/part-00000000.json", "_ser/run.json", "part-00000000.parquet"]
    assert sorted(project.files()) == files


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("part-00000001.parquet", Path.unlink),
        ("part-00000001.parquet", cut),
        ("part-00000001.parquet", changed),
        ("_ser/part-00000001.json", Path.unlink),
        ("_ser/part-00000001.json", cut),
        ("_ser/part-00000001.json", lambda path: path.write_text("[]", encoding="utf-8")),
        ("_ser/part-00000001.json", lambda path: path.write_text("{}", encoding="utf-8")),
    ],
)
def test_a_partition_that_is_damaged_is_made_again(
    project: Project, name: str, harm: Callable[[Path], None]
) -> None:
    project.run()
    before = project.files()
    harm(project.out / name)
    written = project.run()
    assert project.predicted == "cd" and project.rows() == project.whole()
    assert [one.before for one in written] == [True, False, True, True]
    untouched = {name for name, time in project.files().items() if before[name] == time}
    assert len(untouched) == len(before) - 2


def test_the_mark_of_another_run_counts_for_nothing(project: Project) -> None:
    """A worker that nobody heard of any more may write it when another run has begun."""
    project.run()
    mark = project.out / "_ser" / "part-00000000.json"
    mark.write_text(json.dumps(json.loads(mark.read_bytes()) | {"run": "other"}), "utf-8")
    project.run()
    assert project.predicted == "ab"


def test_what_no_such_run_wrote_stays(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.out.mkdir()
    notes = project.out / "notes.txt"
    for name in ("notes.txt", "part-00000000.parquet"):
        (project.out / name).write_text("mine", encoding="utf-8")
        with pytest.raises(UsageError, match=f"holds {name}, which no"):
            project.run()
        assert notes.read_text("utf-8") == "mine" and not project.predicted
        notes.rename(project.clips / "notes.txt") if name == "notes.txt" else None
        notes = project.clips / "notes.txt"
    (project.clips / "notes.txt").rename(project.out / "notes.txt")
    project.run(force=True)
    assert "notes.txt" in caplog.text and (project.out / "notes.txt").exists()
    (project.out / "notes.txt").unlink()
    assert project.rows() == project.whole()


def test_another_run_is_refused(project: Project) -> None:
    project.run()
    before = project.files()
    with pytest.raises(UsageError, match="another run, with another window"):
        project.run(facts=FACTS | {"window": 2.0})
    with pytest.raises(UsageError, match="partitions of 2 recordings"):
        project.run(partition=3)
    with pytest.raises(UsageError, match=r"rows of .*clips, which is not named"):
        project.run(project.clips / "a.wav")
    assert project.files() == before
    project.run(project.clips, project.clips / "a.wav")  # more is named
    assert project.predicted == "a"
    project.run(project.clips, project.clips / "a.wav", partition=3, restart=True)
    assert len(project.rows()) == 16 and len(project.files()) == 7
    project.run(facts=FACTS | {"window": 2.0}, force=True)
    assert project.predicted == "abcdefg" and project.rows() == project.whole()
    project.run(project.clips / "c.wav", facts=FACTS | {"window": 2.0}, force=True)
    assert project.predicted == "c" and [name for name, _ in project.rows()] == ["c", "c"]


def test_two_processes_do_not_write_one_dataset(project: Project) -> None:
    project.run()
    with locks.held(project.out, hint=""), pytest.raises(locks.BusyError, match="in use by"):
        project.run()


def test_what_cannot_be_written_is_told_and_costs_its_partition(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, full = parquet.Writer.add, [False]

    def fail(self: parquet.Writer, rows: Sequence[Prediction]) -> None:
        if rows[0].file.endswith("d.wav") and not full[0]:
            full[0] = True
            raise OSError(28, "No space left on device")
        add(self, rows)

    monkeypatch.setattr(parquet.Writer, "add", fail)
    with pytest.raises(SerError, match="part-00000001 cannot be written: No space left"):
        project.run()
    assert project.rows() == project.whole()[:4]
    assert not [name for name in project.files() if name.startswith(".")]
    project.run()
    assert project.predicted == "cdefg" and project.rows() == project.whole()


def test_a_partition_that_a_worker_wrote_elsewhere_is_missed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = dataset.end

    def late(folder: Any, run: Any, count: int) -> None:
        (project.out / "part-00000002.parquet").unlink()
        end(folder, run, count)

    monkeypatch.setattr(dataset, "end", late)
    with pytest.raises(SerError, match=r"part-00000002.parquet was written and is not there"):
        project.run()


def test_another_run_that_began_meanwhile_is_no_success(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a store, which knows no locks."""
    monkeypatch.setattr(locks, "held", lambda *_, **__: nullcontext())
    end = dataset.end

    def late(folder: Any, run: Any, count: int) -> None:
        monkeypatch.setattr(dataset, "end", end)
        project.run(facts=FACTS | {"window": 2.0}, force=True)
        end(folder, run, count)

    monkeypatch.setattr(dataset, "end", late)
    with pytest.raises(SerError, match="begun anew by another run"):
        project.run()
    assert len(project.files()) == 9  # those of the other are left


def test_a_recording_that_ends_its_process_is_a_row(project: Project) -> None:
    project.clip("c-deadly", 1)
    for name in "defg":
        (project.clips / f"{name}.wav").unlink()

    def alone(items: Sequence[Found]) -> Iterator[list[Prediction]]:
        for one in items:
            yield [failed(one.file, "died")] if "deadly" in one.file else rows_of(one)

    written = project.run(by=Labelling(unless_deadly, alone, 2, 4))
    assert [entry.errors for one in written for entry in one.entries] == [0, 0, 1, 0]
    assert [name for name, _ in project.rows()] == [*"aabb", "c-deadly", *"cc"]


def test_every_file_has_the_same_columns(project: Project) -> None:
    import pyarrow.dataset
    import pyarrow.parquet

    for name, text in zip("abcd", ("bad", "bad", "mute", "mute"), strict=True):
        project.clip(name, 1, text)
    project.run()
    schemas = [pyarrow.parquet.read_schema(one) for one in sorted(project.out.glob("*.parquet"))]
    assert all(one.equals(schemas[0], check_metadata=True) for one in schemas)
    assert schemas[0].metadata[b"ser.recipe"] == b"fake"
    kinds = dict(zip(schemas[0].names, map(str, schemas[0].types), strict=True))
    assert kinds == dict.fromkeys(schemas[0].names, "string") | {
        "start": "double", "end": "double",
        **dict.fromkeys(("confidence", *CLASSES), "float"),
    }  # fmt: skip
    assert pyarrow.dataset.dataset(project.out).count_rows() == len(project.rows()) == 8


def test_a_long_recording_is_written_and_taken_over_group_by_group(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(parquet, "GROUP", 3)
    project.run(partition=7)
    (file,) = project.out.glob("*.parquet")
    assert pyarrow.parquet.read_metadata(file).num_row_groups == 7
    monkeypatch.setattr(parquet, "GROUP", 5)
    project.clip("c", 2)
    project.run()
    assert project.predicted == "c" and project.rows() == project.whole()
    groups = pyarrow.parquet.read_metadata(file)
    sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert max(sizes) <= 5


# --- the command


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number in range(4):
        tone(tmp_path / "clips" / f"{number}.wav", 300.0 * (1 + number), seed=number)
    shutil.copy(Path(__file__).parent / "clips" / "espeak-long.flac", tmp_path / "clips")
    (tmp_path / "clips" / "broken.wav").write_text("no sound " * 99)
    if sys.platform == "linux":
        (tmp_path / "clips" / "0.wav").rename(tmp_path / "clips" / os.fsdecode(b"=\xff,.wav"))
    return tmp_path / "clips"


@pytest.mark.parametrize("how", ["", "--window 0.2", "--timeline", "table"])
def test_the_rows_are_those_of_the_csv(sounds: Path, tmp_path: Path, how: str) -> None:
    table, place, named = tmp_path / "out.csv", tmp_path / "out", sounds
    if how == "table":
        named, how = sounds / "parts.csv", ""
        parts = (
            "1.wav,0,0.2\n1.wav,0.3,0.5\n2.wav,,\nbroken.wav,,\n3.wav,,\nespeak-long.flac,0.1,\n"
        )
        named.write_text(f"file,start,end\n{parts}", encoding="utf-8")
    words = (named, *OURS, *how.split())
    assert ser("predict", "--csv", table, *words).code == 3
    done = ser("predict", "--parquet", place, "--partition", 3, *words)
    assert done.code == 3 and done.out == ""
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        expected = list(csv.DictReader(stream))
    found = pd.read_parquet(place)
    assert list(found.columns) == list(expected[0]) and len(found) == len(expected)
    for (_, row), other in zip(found.iterrows(), expected, strict=True):
        for name, value in other.items():
            if isinstance(row[name], str):
                assert row[name] == value.encode("utf-8", "backslashreplace").decode()
            else:
                assert row[name] == pytest.approx(float(value or "nan"), abs=1e-5, nan_ok=True)
    assert f" written: {place}; 2 partitions, 0 done before" in done.err and len(found) > 1
    again = ser("predict", "--parquet", place, *words)
    assert again.code == 3 and f"1 of {len(found)} rows is an error" in again.err
    assert pd.read_parquet(place).equals(found)


def test_one_output_at_a_time(sounds: Path, tmp_path: Path) -> None:
    for other in (("--csv", "a.csv"), ("--out", "a.srt"), ("--json",)):
        assert "--parquet excludes" in ser("predict", sounds, "--parquet", "x", *other).err
    done = ser("predict", "-", "--parquet", tmp_path / "x")
    assert done.code == 2 and "read only once" in done.err and not (tmp_path / "x").exists()


def marked(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (place / "_ser").glob("part-*.json")}


def begun(words: Sequence[object], place: Path) -> subprocess.Popen[bytes]:
    """Start a command, and return when it has written some partitions."""
    started = subprocess.Popen(
        [sys.executable, "-m", "ser_cli", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    before, until = len(marked(place)), time.monotonic() + 60
    while len(marked(place)) < before + 2 and time.monotonic() < until:
        time.sleep(0.005)
    assert started.poll() is None, "it ended too soon"
    return started


@pytest.mark.skipif(sys.platform != "linux", reason="workers are looked for in /proc")
def test_kills_cost_what_was_being_written(tmp_path: Path) -> None:
    """A worker is killed, then the whole command, and then it goes on."""
    clips, place, table = tmp_path / "clips", tmp_path / "out", tmp_path / "out.csv"
    rng = np.random.default_rng(0)
    import soundfile

    clips.mkdir()
    for number in range(200):
        noise = 0.1 * rng.standard_normal(RATE // 5)
        soundfile.write(clips / f"{number:03}.wav", noise, RATE, "PCM_16")
    words = ("predict", clips, "--parquet", place, "--partition", 8, "--jobs", 2, *OURS)
    started = begun(words, place)
    first = marked(place)
    workers = [one for one in survivors(started.pid) if one != started.pid]
    os.kill(max(workers), signal.SIGKILL)
    while len(marked(place)) < len(first) + 8 and started.poll() is None:
        time.sleep(0.005)
    started.kill()
    started.wait()
    assert not left_after(started.pid)
    kept = marked(place)
    assert len(first) < len(kept) < 25
    done = ser(*words)
    assert done.code == 0 and f"25 partitions, {len(kept)} done before" in done.err
    assert kept.items() <= marked(place).items()
    seen = sorted(path.name for path in place.glob("[!._]*"))
    assert seen == [f"part-{number:08}.parquet" for number in range(25)]
    assert ser("predict", clips, "--csv", table, *OURS).code == 0
    found, expected = pd.read_parquet(place), pd.read_csv(table)
    assert list(found["file"]) == list(expected["file"])
    assert list(found["emotion"]) == list(expected["emotion"])
    np.testing.assert_allclose(found["confidence"], expected["confidence"], atol=1e-5)


# --- a store


@pytest.fixture
def store() -> Iterator[str]:
    """Serve an object store, and yield the address of a bucket."""
    pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    with s3():
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket"
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_dataset_may_lie_in_a_store(sounds: Path, tmp_path: Path, store: str) -> None:
    here, there = tmp_path / "out", f"{store}/rows"
    words = ("predict", sounds, "--partition", 2, *OURS)
    assert ser(*words, "--parquet", here).code == 3
    done = ser(*words, "--parquet", there)
    assert done.code == 3 and f"{there}; 3 partitions, 0 done before" in done.err
    assert pd.read_parquet(there).equals(pd.read_parquet(here))
    (sounds / "broken.wav").unlink()
    (sounds / "3.wav").unlink()
    done = ser(*words, "--parquet", there, "--jobs", 2)
    assert done.code == 0 and "2 partitions, 1 done before" in done.err
    assert len(pd.read_parquet(there)) == 4
    refused = ser(*words, "--parquet", there, "--window", 1)
    assert refused.code == 2 and "another window" in refused.err
    nowhere = ser(*words, "--parquet", "s3://no-such-bucket/rows")
    assert nowhere.code == 1 and "s3://no-such-bucket/rows" in nowhere.err
    assert not Path("s3:").exists()
