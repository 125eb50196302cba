"""Outputs that outlive any end: a kill, a full disk, recordings that change, a second process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kills_predict import play

from ser_cli.data.appending import Appending
from ser_cli.errors import SerError, UsageError
from ser_cli.report import journal, keeping
from ser_cli.report.keeping import Kept
from ser_cli.report.outputs import targets
from ser_cli.sound.files import find
from ser_cli.types import Prediction

CLASSES = ("calm", "sad")
RUN = {"model": "abc", "window": None, "emotions": CLASSES}


class Killed(BaseException):
    """The process ends here."""


class Project:
    """Recordings, outputs, and a model that notes what it predicts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clips = folder / "clips"
        self.csv, self.journal = folder / "out.csv", folder / ".out.csv.journal"
        self.predicted: list[str] = []
        self.out: tuple[Path, ...] = ()
        for name in "abcdef":
            self.clip(name, 1)

    def clip(self, name: str, version: int) -> None:
        path = self.clips / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {version}" * version, encoding="utf-8")

    def label(self, file: str) -> list[Prediction]:
        text = Path(file).read_text(encoding="utf-8")
        if "bad" in text:
            return [Prediction(file, np.nan, np.nan, "", np.nan, None, "error", error="bad")]
        share = len(text) / 100
        shares = np.array([share, 1 - share], "f4")
        return [Prediction(file, at, at + 1, "sad", 1 - share, shares) for at in (0.0, 1.0)]

    def run(
        self,
        *paths: Path,
        stop: Callable[[int], None] = lambda done: None,
        csv: bool = True,
        run: Any = RUN,
        **how: bool,
    ) -> Kept:
        self.predicted.clear()
        named = paths or (self.clips,)
        wanted = targets(self.csv if csv else None, self.out)
        with Kept(wanted, CLASSES, run, **how) as kept:
            kept.plan(find(named))
            for done, found in enumerate(find(named)):
                stop(done)
                made = None
                if not kept.skip(found):
                    self.predicted.append(Path(found.file).stem)
                    made = self.label(found.file)
                kept.take(found, made)
        return kept

    def rows(self) -> list[tuple[str, str]]:
        """Return the recording of each row, and what its content was."""
        head, *rows = self.csv.read_text(encoding="utf-8").split("\n")[:-1]
        assert head.startswith("file,start")
        assert all(row.count(",") == head.count(",") for row in rows)
        return [(Path(row.split(",")[0]).stem, row.split(",")[5]) for row in rows]

    def whole(self) -> list[tuple[str, str]]:
        """Return the rows as they should be."""
        found = [row for one in find([self.clips]) for row in self.label(one.file)]
        share = [f"{row.probabilities[0]:.2f}" for row in found if row.probabilities is not None]
        return [(Path(row.file).stem, one) for row, one in zip(found, share, strict=True)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def at(number: int, error: BaseException) -> Callable[[int], None]:
    def stop(done: int) -> None:
        if done == number:
            raise error

    return stop


def test_what_is_done_is_not_done_again(project: Project) -> None:
    project.run()
    assert project.predicted == list("abcdef") and project.rows() == project.whole()
    before, known = project.csv.read_bytes(), project.journal.read_bytes()
    kept = project.run()
    assert (project.predicted, kept.done, kept.total) == ([], 6, 6)
    assert (project.csv.read_bytes(), project.journal.read_bytes()) == (before, known)
    project.run(restart=True)
    assert project.predicted == list("abcdef") and project.csv.read_bytes() == before


def test_an_interrupted_run_leaves_its_rows_and_goes_on(project: Project) -> None:
    with pytest.raises(KeyboardInterrupt):
        project.run(stop=at(4, KeyboardInterrupt()))
    assert project.rows() == project.whole()[:8]
    kept = project.run()
    assert (project.predicted, kept.done) == (["e", "f"], 4)
    assert project.rows() == project.whole()


def test_rows_that_change_are_made_anew(project: Project) -> None:
    project.run()
    project.clip("b", 3)
    project.clip("aa", 2)
    project.clip("g", 1)
    (project.clips / "d.wav").unlink()
    size = (project.clips / "e.wav").stat()
    project.clip("e", 1)
    os.utime(project.clips / "e.wav", ns=(size.st_atime_ns, size.st_mtime_ns))  # told by its entry
    project.run()
    anew = ["aa", "b", "e", "g"] if sys.platform != "win32" else ["aa", "b", "g"]
    assert project.predicted == anew and project.rows() == project.whole()
    (project.clips / "g.wav").unlink()
    project.run()
    assert project.predicted == [] and project.rows() == project.whole()


def test_an_error_is_tried_again(project: Project) -> None:
    good = (project.clips / "c.wav").read_bytes()
    (project.clips / "c.wav").write_text("bad", encoding="utf-8")
    project.run()
    assert len(project.rows()) == 11
    project.run()
    assert project.predicted == ["c"] and len(project.rows()) == 11
    (project.clips / "c.wav").write_bytes(good)
    project.run()
    assert project.predicted == ["c"] and project.rows() == project.whole()


def test_until_its_successor_is_whole_a_result_stays(project: Project) -> None:
    project.run()
    before = project.csv.read_bytes()
    project.clip("a", 2)
    with pytest.raises(KeyboardInterrupt):
        project.run(stop=at(3, KeyboardInterrupt()))
    assert project.csv.read_bytes() == before
    project.run()
    assert project.predicted == [] and project.rows() == project.whole()
    assert sorted(path.name for path in project.folder.iterdir()) == [
        ".out.csv.journal", "clips", "out.csv",
    ]  # fmt: skip


def test_a_kill_costs_nothing_wherever_it_comes(project: Project, tmp_path: Path) -> None:
    """Whatever was written last is there in part, of the journal and of the result."""
    project.run()
    whole, done = project.csv.read_bytes(), project.journal.read_bytes()
    head = whole.index(b"\n") + 1
    rng = random.Random(0)
    # The first note (of the head) is on the disk before the result is there.
    noted = done.index(b'["state"')
    begun = done.index(b"\n", noted) + 1
    for _ in range(60):
        cut = rng.randint(begun, len(done))
        project.journal.write_bytes(done[:cut])
        rows = done[:cut].count(b'{"file"')
        most = len(b"".join(line + b"\n" for line in whole.split(b"\n")[: 1 + rows]))
        project.csv.write_bytes(whole[: rng.randint(head, min(most, len(whole)))])
        if cut == len(done):
            continue
        project.run()
        assert project.csv.read_bytes() == whole
        assert project.predicted == list("abcdef")[len("abcdef") - len(project.predicted) :]
        project.run()
        assert project.predicted == [] and project.csv.read_bytes() == whole


def test_a_power_cut_may_leave_garbage_behind_what_was_synced(project: Project) -> None:
    with pytest.raises(KeyboardInterrupt):
        project.run(stop=at(4, KeyboardInterrupt()))
    done = project.journal.read_bytes()
    note = done.rindex(b'["state"')
    project.journal.write_bytes(done[:note] + b"\0" * 200 + b"\n" + done[note:])
    project.csv.write_bytes(project.csv.read_bytes()[:-30] + b"\0" * 300)
    project.run()
    assert project.rows() == project.whole()


def test_a_stranger_is_not_overwritten(project: Project) -> None:
    project.csv.write_text("precious", encoding="utf-8")
    for restart in (False, True):
        with pytest.raises(UsageError, match="is there already") as refused:
            project.run(restart=restart)
        assert "--force" in refused.value.hint
    assert project.csv.read_text(encoding="utf-8") == "precious"
    assert not project.journal.exists()
    with pytest.raises(KeyboardInterrupt):
        project.run(force=True, stop=at(0, KeyboardInterrupt()))
    assert project.csv.read_text(encoding="utf-8") == "precious"  # until the first row is made
    project.run(force=True)
    assert project.rows() == project.whole()


@pytest.mark.parametrize("change", [b"mine,", b""])
def test_what_a_person_changed_is_not_overwritten(project: Project, change: bytes) -> None:
    project.run()
    content = project.csv.read_bytes()
    edited = content + b"my own row\n" if change else content.replace(b"sad", b"SAD", 1)
    project.csv.write_bytes(edited)
    project.clip("a", 2)
    with pytest.raises(UsageError, match="was changed"):
        project.run()
    assert project.csv.read_bytes() == edited
    project.run(force=True)
    assert project.predicted == ["a"] and project.rows() == project.whole()


def test_a_result_of_another_run_is_not_overwritten(project: Project) -> None:
    project.run()
    before = project.csv.read_bytes()
    for restart in (False, True):
        with pytest.raises(UsageError, match="of another run, with another model, window"):
            project.run(run=RUN | {"model": "d", "window": 2.0}, restart=restart)
    with pytest.raises(UsageError, match=r"rows of .*b\.wav, which is not named now"):
        project.run(project.clips / "a.wav")
    assert project.csv.read_bytes() == before
    project.run()
    assert project.predicted == []  # nothing of it was lost
    project.run(run=RUN | {"window": 2.0}, force=True)
    assert project.predicted == list("abcdef")


def test_without_its_result_a_journal_is_nothing(project: Project) -> None:
    project.run()
    project.csv.unlink()
    project.run()
    assert project.predicted == list("abcdef") and project.rows() == project.whole()


def test_a_file_that_is_named_twice_has_its_rows_twice(project: Project) -> None:
    one = project.clips / "a.wav"
    project.run(one, one)
    assert len(project.rows()) == 4
    project.run(one, one)
    assert project.predicted == [] and len(project.rows()) == 4


def test_two_processes_do_not_write_one_file(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from ser_cli.data.appending import Appending;"
        f"file = Appending(Path({str(project.journal)!r})); print(file.lock(), flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout and other.stdout.readline() == "True\n"
        with pytest.raises(SerError, match="is being written by another"):
            project.run()
        other.communicate()
    project.run()
    assert project.rows() == project.whole()


def test_several_outputs_at_once(project: Project) -> None:
    (project.clips / "deep").mkdir()
    (project.clips / "a.wav").rename(project.clips / "deep" / "b.wav")  # the same name, elsewhere
    (project.clips / "c.wav").write_text("bad", encoding="utf-8")
    names = ("all.jsonl", "all.rttm", "labels/%.srt", "labels/%.TextGrid")
    project.out = tuple(project.folder / name for name in names)
    project.run()
    labels = project.folder / "labels"
    stems = {
        str(path.relative_to(labels).with_suffix("").as_posix()) for path in labels.rglob("*.srt")
    }
    assert stems == {"b", "d", "e", "f", "deep/b"}  # none of what cannot be read
    lines = (project.folder / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 11 == len(project.rows())
    assert len((project.folder / "all.rttm").read_text(encoding="utf-8").splitlines()) == 10
    before = {path: path.read_bytes() for path in project.folder.rglob("*.*") if path.is_file()}
    written = (labels / "d.srt").stat().st_mtime_ns
    (labels / "e.srt").unlink()
    (project.folder / "all.rttm").unlink()
    project.out += (project.folder / "later.csv",)
    project.run()
    assert project.predicted == ["c"]  # the others are made of the journal
    assert (labels / "d.srt").stat().st_mtime_ns == written  # not even touched
    for path, content in before.items():
        assert path.name == project.journal.name or path.read_bytes() == content
    assert (project.folder / "later.csv").read_bytes() == project.csv.read_bytes()


def test_labels_that_a_person_changed_are_left(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.out = (project.folder / "labels" / "%.txt",)
    project.run(csv=False)
    mine = project.folder / "labels" / "b.txt"
    mine.write_text("0\t1\tmine\n", encoding="utf-8")
    project.clip("b", 2)
    project.clip("d", 2)
    stale = (project.folder / "labels" / "d.txt").read_bytes()
    project.run(csv=False)
    assert project.predicted == ["b", "d"]
    assert mine.read_text(encoding="utf-8") == "0\t1\tmine\n" and "is left as it is" in caplog.text
    assert (project.folder / "labels" / "d.txt").read_bytes() == stale  # the same spans
    project.run(csv=False, force=True)
    assert mine.read_text(encoding="utf-8").endswith("\tsad\n")
    project.clip("g", 1)
    (project.folder / "labels" / "g.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already"):
        project.run(csv=False)


@pytest.mark.parametrize("restart", [False, True])
def test_labels_are_known_where_all_is_predicted_again(project: Project, restart: bool) -> None:
    project.out = (project.folder / "labels" / "%.jsonl",)
    project.run()
    mine = project.folder / "labels" / "b.jsonl"
    mine.write_text("mine", encoding="utf-8")
    project.clip("d", 2)
    if not restart:
        project.csv.unlink()
    project.run(restart=restart)
    assert project.predicted == list("abcdef") and project.rows() == project.whole()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert '"calm": 0.06' in (mine.with_name("d.jsonl")).read_text(encoding="utf-8")


def test_outputs_that_cannot_be(project: Project) -> None:
    folder = project.folder
    project.out = (folder / "one.srt",)
    with pytest.raises(UsageError, match=r"one\.srt would be of .* and of") as refused:
        project.run()
    assert "%.srt" in refused.value.hint
    (project.clips / "a.flac").write_text("as a.wav", encoding="utf-8")
    project.out = (folder / "labels" / "%.srt",)
    with pytest.raises(UsageError, match=r"a\.srt would be of"):
        project.run()
    assert not project.csv.exists() and not project.journal.exists()
    for names in (["a.wav"], ["a.csv", "a.csv"], ["a.xyz"], ["out.csv"]):
        with pytest.raises(UsageError):
            targets(Path("out.csv"), map(Path, names))
    (folder / "file").touch()
    for path in (folder / "file" / "out.csv", folder / "file" / "%.srt"):
        with pytest.raises(SerError, match="is a file, and no folder"):
            targets(None, [path])


def test_a_folder_that_is_absent_is_made(project: Project) -> None:
    new = project.folder / "new"
    project.csv, project.out = new / "a" / "out.csv", (new / "b" / "out.jsonl", new / "c" / "%.srt")
    project.run()
    assert project.rows() == project.whole()
    made = {path.relative_to(new).as_posix() for path in new.rglob("*.*")} - {"a/.out.csv.journal"}
    assert made == {"a/out.csv", "b/out.jsonl", *(f"c/{name}.srt" for name in "abcdef")}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_a_pipe_gets_rows_and_has_no_journal(project: Project, tmp_path: Path) -> None:
    project.csv = Path("/dev/null")
    project.run()
    project.run()
    assert project.predicted == list("abcdef") and not Path("/dev/.null.journal").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_a_link_to_a_result_stays_one(project: Project) -> None:
    real = project.folder / "real.csv"
    project.csv.symlink_to(real)
    project.run()
    assert project.csv.is_symlink() and project.rows() == project.whole()
    project.clip("a", 2)
    project.run()
    assert project.csv.is_symlink() and project.rows() == project.whole()


def test_work_is_synced_now_and_then(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SYNC_S", 0.0)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    project.run()
    assert len(synced) >= 12
    states = [
        json.loads(line) for line in project.journal.read_text().splitlines() if "state" in line
    ]
    sizes = [state["out.csv"][0] for _, state, _ in states]
    assert sizes == sorted(sizes) and sizes[-1] == project.csv.stat().st_size
    assert [ended for _, _, ended in states] == [False] * (len(states) - 1) + [True]


def test_a_damaged_journal_is_said(project: Project) -> None:
    project.run()
    text = project.journal.read_text(encoding="utf-8")
    project.journal.write_text(text.replace('"emotion"', '"émotion"', 1), encoding="utf-8")
    with pytest.raises(SerError, match="is damaged") as refused:
        project.run()
    assert "--restart" in refused.value.hint
    project.run(restart=True)
    assert project.rows() == project.whole()


def test_rows_come_back_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    rows = [
        Prediction("m\udcff 😀.wav", 0.1, 1.123456789, "sad", 0.7, np.array([0.3, 0.7], "f4")),
        Prediction("b", 0, 1, "", 0.5, None, "warning", ("short", "long"), "ü\n"),
    ]
    written = journal.Journal(path, Appending(path), journal.Past())
    written.begin(RUN)
    written.add("m\udcff 😀.wav", [1, 2, 3], rows)
    written.close()
    past = journal.read(path)
    read = journal.Journal(path, Appending(path), past)
    (done,) = past.done.values()
    assert (done.stamp, done.rows, done.whole) == ([1, 2, 3], 2, True)
    for before, after in zip(rows, read.rows(done), strict=True):
        assert after.file == before.file and after.flags == before.flags
        assert (after.status, after.error) == (before.status, before.error)
        assert after.end == pytest.approx(before.end, abs=1e-6)
    read.close()


# --- a disk that is full, and kills


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount).returncode:
        pytest.skip("a small disk needs root and Linux")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_of_what_does_not_fit_nothing_stays(small_disk: Path) -> None:
    path = small_disk / "x"
    file = Appending(path)
    file.write(b"whole\n")
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(2**20))
    assert path.read_bytes() == b"whole\n"
    file.write(b"next\n")
    file.close()
    assert path.read_bytes() == b"whole\nnext\n"


def test_of_rows_that_cannot_be_told_the_journal_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    written = journal.Journal(path, Appending(path), journal.Past())
    written.begin(RUN)
    before = path.read_bytes()
    row = Prediction("a", 0, 1, "sad", 0.5, None)

    def rows() -> Iterator[Prediction]:
        yield row
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written.add("a", None, rows())
    assert path.read_bytes() == before
    written.close()


def test_a_full_disk_costs_nothing(project: Project, small_disk: Path) -> None:
    project.csv = small_disk / "out.csv"
    for number in range(60):
        project.clip(f"x{number:02}", 1)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(4096))
    for room in (1, 0):
        with pytest.raises(SerError, match="cannot be written: No space left"):
            project.run()
        rows = project.rows()
        assert rows == project.whole()[: len(rows)] and len(rows) % 2 == 0 and rows
        if room:
            filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    kept = project.run()
    assert project.rows() == project.whole() and kept.done >= len(rows) // 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("jobs", [1, 2])
def test_kills_cost_nothing(tmp_path: Path, jobs: int) -> None:
    """See `python tests/kills_predict.py`, which plays more of these rounds."""
    assert play(tmp_path, files=40, jobs=jobs, rng=random.Random(jobs), most=1).bad == 0
