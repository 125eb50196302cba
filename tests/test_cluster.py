"""`--scheduler`: a real scheduler and its workers, what they share, and what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import elsewhere
import numpy as np
import pytest
from clusters import Running, renamed, running
from corpus import by_table
from kills_predict import clip, same

from ser_cli import recipes
from ser_cli.cluster import Cluster, Sent, connected
from ser_cli.data import identity
from ser_cli.data.feature_tasks import Making, away
from ser_cli.errors import SerError
from ser_cli.sound.limits import CLIP
from ser_cli.types import Segment

pytest.importorskip("distributed", reason="Dask is absent: pip install .[cluster]")

BAD = {"n_workers": "x"}
CHEAP = ("--recipe", "cnn-bilstm", "--hear-all")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("cluster"), workers=2) as started:
        yield started


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder that holds `clips`: noise, and a file that is no sound."""
    for number in range(30):
        clip(tmp_path / "clips" / f"{number:02}.wav", Random(number))
    (tmp_path / "clips" / "not.wav").write_text("<html>404</html>", encoding="utf-8")
    return tmp_path


def ser(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ser_cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def equal(found: Path, expected: Path) -> bool:
    pairs = list(zip(rows(found)[1:], rows(expected)[1:], strict=True))
    return rows(found)[0] == rows(expected)[0] and all(same(*pair) for pair in pairs)


@pytest.mark.parametrize(
    "options",
    [CHEAP, (*CHEAP, "--window", "0.1"), ("--hear-all", "--same-recording-conditions")],
    ids=" ".join,
)
def test_a_cluster_gives_what_one_machine_gives(
    cluster: Running, clips: Path, options: Sequence[str]
) -> None:
    words = ("predict", "clips", *options)
    alone = ser(clips, *words, "--csv", "alone.csv")
    there = ser(clips, *words, "--csv", "there.csv", "--scheduler", cluster.address)
    assert (alone.returncode, there.returncode) == (3, 3), there.stderr
    assert len(rows(clips / "alone.csv")) >= 1 + 31
    assert equal(clips / "there.csv", clips / "alone.csv")
    assert there.stderr.replace("there.csv", "alone.csv") == alone.stderr


def arrays(cache: Path) -> dict[str, bytes]:
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*.npy")}


@pytest.mark.parametrize("recipe", ["stats-dense", "voice"])
def test_a_cluster_extracts_what_one_machine_does(
    cluster: Running, tmp_path: Path, recipe: str
) -> None:
    """The encoder of `voice` is sent along; copies come out alike, and the cache is this one's."""
    by_table(tmp_path / "corpus")
    (tmp_path / "corpus" / "clips.csv").open("a").write("gone.wav,sad,9\n")
    (tmp_path / "corpus" / "gone.wav").write_bytes(b"<html>")
    words = ("extract", "--data", "corpus/clips.csv", "--copies", "1", "--recipe", recipe)
    alone = ser(tmp_path, *words, SER_CACHE_DIR=str(tmp_path / "alone"))
    there = ser(
        tmp_path, *words, "--scheduler", cluster.address, SER_CACHE_DIR=str(tmp_path / "there")
    )
    assert (there.returncode, there.stdout) == (3, alone.stdout), there.stderr
    assert there.stderr == alone.stderr
    found = arrays(tmp_path / "there" / "features")
    assert len(found) >= 8 and found == arrays(tmp_path / "alone" / "features")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A store that holds a corpus, which `corpus` in the test's folder is as well."""
    s3fs = pytest.importorskip("s3fs")
    by_table(tmp_path / "corpus")
    with elsewhere.s3():
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("speech")
        s3fs.S3FileSystem().put(f"{tmp_path}/corpus", "speech/corpus", recursive=True)
        yield "s3://speech/corpus"
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_cluster_extracts_from_a_store(store: str, tmp_path: Path) -> None:
    words = ("extract", "--recipe", "stats-dense", "--data")
    alone = ser(tmp_path, *words, "corpus/clips.csv", SER_CACHE_DIR=str(tmp_path / "alone"))
    with running(tmp_path, workers=1) as own:
        shared = (*words, f"{store}/clips.csv", "--scheduler", own.address)
        there = ser(tmp_path, *shared, SER_CACHE_DIR=str(tmp_path / "there"))
    assert (there.returncode, there.stdout) == (0, alone.stdout), there.stderr
    found = arrays(tmp_path / "there" / "features")
    assert len(found) >= 8 and found == arrays(tmp_path / "alone" / "features")


def test_a_worker_needs_no_copy_and_takes_no_other_content(store: str, tmp_path: Path) -> None:
    making = Making(recipes.get("stats-dense").frontend, None, 0, 0, CLIP)
    clip = tmp_path / "corpus" / "wav" / "a-0.wav"
    key = identity.content(clip)
    gone = [(key, Segment(Path("gone") / "a-0.wav"))]
    made = away(making, None, (f"{store}/wav/a-0.wav", gone))
    np.testing.assert_array_equal(made, list(making.features([(key, Segment(clip))])))
    changed = away(making, None, (f"{store}/wav/a-1.wav", gone))
    absent = away(making, None, (f"{store}/wav/no.wav", gone))
    assert "changed" in str(changed) and "is not there" in str(absent)


def content(sent: Sent, _: Sequence[int]) -> list[str]:
    return [(sent.folder / "model.txt").read_text(encoding="utf-8")]


def joined(cluster: Cluster, count: int) -> None:
    until = time.monotonic() + 60
    while len(cluster._client.nthreads()) != count and time.monotonic() < until:
        time.sleep(0.05)


def test_what_workers_need_is_sent_along_to_late_ones_too(tmp_path: Path) -> None:
    """Though the file is not there any more, and those that had it first are not either."""
    (tmp_path / "model.txt").write_text("weights", encoding="utf-8")
    with running(tmp_path, workers=1) as own, connected(own.address) as reached:
        assert reached
        sent = reached.send([tmp_path / "model.txt"])
        assert reached.send([tmp_path / "model.txt"]) == sent
        with connected(own.address) as another:
            assert another and another.send([tmp_path / "model.txt"]) == sent
        (tmp_path / "model.txt").unlink()
        assert reached.submit(content, sent, [1]).result(60) == ["weights"]
        own.add()
        joined(reached, 2)
        first = own.workers[0]
        first.terminate()
        first.wait()
        assert reached.submit(content, sent, [1]).result(60) == ["weights"]


def test_the_width_is_that_of_all_workers(cluster: Running) -> None:
    with connected(cluster.address) as reached:
        assert reached
        joined(reached, 2)
        assert reached.width == 2


def threads_of_products() -> list[int]:
    import numpy  # noqa: F401 - whose library it is
    import scipy.linalg  # noqa: F401 - has one of its own
    from threadpoolctl import threadpool_info

    return [int(library["num_threads"]) for library in threadpool_info()]


def test_products_of_a_worker_are_computed_by_one_thread(tmp_path: Path) -> None:
    """Several, on each of several workers, took three times as long; a task loads the library."""
    with running(tmp_path, workers=1) as own, connected(own.address) as reached:
        assert reached
        assert reached.submit(len, "four").result(60) == 4
        assert {*reached.submit(threads_of_products).result(60)} == {1}


def test_a_file_of_the_scheduler_is_as_good_as_its_address(cluster: Running) -> None:
    with connected(str(cluster.folder / "scheduler.json")) as reached:
        assert reached and reached.submit(len, "four").result(60) == 4


SBATCH = """#!/bin/sh
for script; do :; done
job=$$
sh "$script" >"$HERE/$job.log" 2>&1 &
echo $! >"$HERE/$job.pid"
echo "Submitted batch job $job"
"""
SCANCEL = """#!/bin/sh
for job; do pkill -P "$(cat "$HERE/$job.pid")"; touch "$HERE/$job.cancelled"; done
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Slurm has no Windows")
def test_slurm_is_asked_for_workers_which_end_with_the_command(clips: Path) -> None:
    """Its two commands are stood in for by scripts that run a job on this machine."""
    pytest.importorskip("dask_jobqueue")
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (clips / name).write_text(script, encoding="utf-8")
        (clips / name).chmod(0o755)
    told = {"queue": "cpu", "cores": 1, "processes": 1, "memory": "2GB", "walltime": "00:10:00"}
    asked = {"module": "dask_jobqueue", "class": "SLURMCluster", "workers": 2, "kwargs": told}
    (clips / "slurm.yaml").write_text(json.dumps(asked), encoding="utf-8")
    path = f"{clips}{os.pathsep}{os.environ['PATH']}"
    words = ("predict", "clips", *CHEAP, "--csv")
    alone = ser(clips, *words, "alone.csv")
    there = ser(clips, *words, "there.csv", "--scheduler", "slurm.yaml", PATH=path, HERE=str(clips))
    assert (alone.returncode, there.returncode) == (3, 3), there.stderr
    assert equal(clips / "there.csv", clips / "alone.csv")
    assert len([*clips.glob("*.cancelled")]) == len([*clips.glob("*.pid")]) == 2


@pytest.mark.parametrize("how", ["local", "yaml"])
def test_a_cluster_is_started_for_a_command(tmp_path: Path, how: str) -> None:
    told = tmp_path / "cluster.yaml"
    kwargs = {"n_workers": 0, "dashboard_address": ":0", "threads_per_worker": 1}
    spec = {"module": "distributed", "class": "LocalCluster", "workers": 1, "kwargs": kwargs}
    told.write_text(json.dumps(spec), encoding="utf-8")  # which is YAML
    with connected("local:1" if how == "local" else str(told)) as reached:
        assert reached and reached.submit(os.getpid).result(60) != os.getpid()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("tcp://127.0.0.1:1", "no scheduler answers at tcp://127.0.0.1:1"),
        ("tcp://127.0.0.1:none", "no scheduler answers"),
        ("tls://127.0.0.1:1", "no scheduler answers at tls://127.0.0.1:1: .*TLS configuration"),
        ("ucx://127.0.0.1:1", "no scheduler answers at ucx://127.0.0.1:1: "),
        ("elsewhere", "elsewhere is no address of a scheduler"),
        ("local:many", "names no number of workers"),
        ("local:0", "names no number of workers"),
        ("absent.json", "no file of a scheduler"),
        ("absent.yaml", "does not tell how a cluster is started"),
    ],
)
def test_where_no_cluster_is(where: str, told: str) -> None:
    with pytest.raises(SerError, match=told) as caught, connected(where):
        pass
    assert caught.value.hint


def test_a_server_that_is_no_scheduler_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the dashboard's."""
    monkeypatch.setattr("ser_cli.cluster.schedulers.GREETING_S", 0.2)
    monkeypatch.setattr("ser_cli.cluster.schedulers.ANSWER_S", 2.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        where = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(SerError, match="no scheduler answers") as caught, connected(where):
            pass
    assert "dashboard" in caught.value.hint


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"module": "os", "class": "system", "workers": 1}, "os is no module of Dask"),
        ({"module": "distributed", "class": "LocalCluster"}, "workers"),
        ({"module": "distributed", "class": "None_", "workers": 1}, "no distributed.None_"),
        ({"module": "dask_nowhere", "class": "A", "workers": 1}, "no dask_nowhere.A here"),
        (
            {
                "module": "distributed",
                "class": "LocalCluster",
                "workers": 1,
                "kwargs": {"n_workers": "x"},
            },
            "cannot be started",
        ),
    ],
)
def test_a_file_that_starts_no_cluster(tmp_path: Path, spec: object, told: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(json.dumps(spec), encoding="utf-8")
    with pytest.raises(SerError, match=told), connected(str(path)):
        pass


def test_nobody_works_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ser_cli.cluster.checks.WORKERS_S", 0.2)
    with (
        running(tmp_path, workers=0) as idle,
        pytest.raises(SerError, match="nobody works for"),
        connected(idle.address),
    ):
        pass


def test_a_worker_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other" / "speech_emotion-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: speech-emotion\nVersion: 9.9\n")
    with running(tmp_path, workers=0) as cluster:
        cluster.add({"FIRST": str(other.parent)})
        with (
            pytest.raises(SerError, match=r"has speech-emotion 9\.9, and here is"),
            connected(cluster.address),
        ):
            pass


def test_files_that_workers_do_not_see(tmp_path: Path) -> None:
    """The worker's Path.exists knows nothing of the folder, as on a machine without that disk."""
    hidden = tmp_path / "hidden"
    clip(hidden / "a.wav", Random(0))
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "sitecustomize.py").write_text(
        "import pathlib\nknows = pathlib.Path.exists\n"
        f"pathlib.Path.exists = lambda path, **how: {str(hidden)!r} not in str(path) "
        "and knows(path, **how)\n"
    )
    with running(tmp_path, workers=0) as cluster:
        cluster.add({"FIRST": str(tmp_path / "blind")})
        done = ser(tmp_path, "predict", "hidden", "--scheduler", cluster.address)
    assert done.returncode == 1 and f"does not see {hidden / 'a.wav'}" in done.stderr
    assert "s3://" in done.stderr and "Traceback" not in done.stderr


def test_standard_input_stays_here(cluster: Running, clips: Path) -> None:
    done = ser(clips, "predict", "-", "--scheduler", cluster.address)
    assert done.returncode == 2 and "--scheduler" in done.stderr


class Disturbed:
    """A command that goes on from end to end, on clusters whose parts are killed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.out, self._folder = folder / "there.csv", folder
        self._words = [sys.executable, "-m", "ser_cli", "predict", "clips", *options]
        self._words += ["--csv", self.out.name, "--scheduler"]
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    @property
    def log(self) -> str:
        return (self._folder / "log.txt").read_text(encoding="utf-8")

    @property
    def rows(self) -> int:
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def start(self, address: str) -> subprocess.Popen[bytes]:
        """Give the command."""
        with (self._folder / "log.txt").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [*self._words, address], cwd=self._folder, env=self._env, stderr=log
            )

    def kill_at(
        self, row: int, command: subprocess.Popen[bytes], part: subprocess.Popen[bytes]
    ) -> None:
        """Kill a part of it all once so many rows are there."""
        while self.rows < row and command.poll() is None:
            time.sleep(0.01)
        assert command.poll() is None, "it was too fast"
        part.kill()


@pytest.mark.slow
def test_ends_of_workers_clients_and_schedulers_cost_nothing(tmp_path: Path) -> None:
    for number in range(600):
        clip(tmp_path / "clips" / f"{number:03}.wav", Random(number))
    run = Disturbed(tmp_path, *CHEAP)
    (tmp_path / "one").mkdir()
    with running(tmp_path / "one", workers=2) as cluster:
        command = run.start(cluster.address)
        run.kill_at(80, command, command)
        command.wait()
        command = run.start(cluster.address)
        run.kill_at(200, command, cluster.scheduler)
        assert command.wait(60) == 1
    assert run.log.count("has gone") == 1 and "Traceback" not in run.log
    (tmp_path / "two").mkdir()
    with running(tmp_path / "two", workers=2) as cluster:
        command = run.start(cluster.address)
        run.kill_at(350, command, cluster.workers[0])
        assert command.wait(120) == 0
    assert ser(tmp_path, "predict", "clips", *CHEAP, "--csv", "alone.csv").returncode == 0
    assert run.rows == 601 and equal(run.out, tmp_path / "alone.csv")


@pytest.mark.slow
def test_twenty_thousand_clips(tmp_path: Path, ravdess: Path) -> None:
    """One of four workers is killed, then the client, and the command is given again.

    Each clip has several names; this machine alone predicts it once, by the first of them.
    """
    renamed(ravdess, tmp_path / "clips", 20_000)
    options = (*CHEAP, "--no-report")
    run = Disturbed(tmp_path, *options)
    (tmp_path / "cluster").mkdir()
    with running(tmp_path / "cluster", workers=4) as cluster:
        command = run.start(cluster.address)
        run.kill_at(6_000, command, cluster.workers[0])
        run.kill_at(12_000, command, command)
        command.wait()
        assert run.start(cluster.address).wait(900) == 0
    assert ser(tmp_path, "predict", "clips/0", *options, "--csv", "alone.csv").returncode == 0
    alone = {
        Path(file).name.partition("_")[2]: rest for file, *rest in rows(tmp_path / "alone.csv")[1:]
    }
    files = sorted(path.relative_to(tmp_path) for path in (tmp_path / "clips").rglob("*.flac"))
    expected = [[str(file), *alone[file.name.partition("_")[2]]] for file in files]
    found = rows(run.out)[1:]
    assert len(found) == 20_000
    assert all(same(*pair) for pair in zip(found, expected, strict=True))


def test_a_scheduler_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SerError, match="is no file of a scheduler"):
        (tmp_path / "a.json").write_text("[]")
        with connected(str(tmp_path / "a.json")):
            pass
