"""A study that many processes share, on PostgreSQL: exactly so many trials, whoever is killed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import optuna
import pytest
from command import ser, succeed
from optuna.trial import TrialState
from postgres import PASSWORD, Server, free_port, server

from ser_cli.errors import DataError
from ser_cli.report import trials as trials_report
from ser_cli.training import claims, storages, studies
from ser_cli.training.storages import Storage

WANTED = 24
# `ser` that falls silent sooner, and prints the number of each trial; with --hold, it is in the
# middle of its second for as long as it takes to kill it.
PROGRAM = """
import sys, time
from ser_cli.training import claims, search, storages
storages.HEARTBEAT_S, storages.SILENT_S, claims.POLL_S = 1, 6, 0.2
hold, begun, objective = "--hold" in sys.argv, [], search.objective
sys.argv = [word for word in sys.argv if word != "--hold"]
def told(wanted, trial):
    begun.append(trial.number)
    print("begun", trial.number, file=sys.stderr, flush=True)
    if hold and len(begun) == 2:
        time.sleep(600)
    return objective(wanted, trial)
search.objective = told
from ser_cli.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture
def database(postgres: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database."""
    postgres.execute("CREATE DATABASE studies")
    yield postgres.url("studies")
    postgres.execute("DROP DATABASE studies WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage of either kind."""
    if request.param == "sqlite":
        return storages.url("s", str(tmp_path / "study.db"))
    return storages.url("s", request.getfixturevalue("database"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes fall silent after two seconds."""
    monkeypatch.setattr(storages, "HEARTBEAT_S", 1)
    monkeypatch.setattr(storages, "SILENT_S", 2)
    monkeypatch.setattr(claims, "POLL_S", 0.05)


def opened(url: str) -> tuple[optuna.Study, Storage]:
    storage = storages.opened(url)
    return studies.create("s", storage, seed=0), storage


def worth(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", 0.0, 1.0)


def counted(study: optuna.Study) -> list[int]:
    return [trial.number for trial in trials_report.finished(study)]


@pytest.mark.usefixtures("impatient")
def test_many_at_once_finish_exactly_as_many_as_are_wanted(kept_in: str) -> None:
    many, wanted = 6, 11
    at_once = Barrier(many)

    def work(_: int) -> None:
        study, storage = opened(kept_in)
        at_once.wait()
        while len(counted(study)) < wanted:
            claims.run_next(study, storage, worth, trials=wanted, seconds=60)

    with ThreadPoolExecutor(many) as threads:
        list(threads.map(work, range(many)))
    study, _ = opened(kept_in)
    assert len(counted(study)) == wanted
    assert not study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING))
    drawn = [trial.params["x"] for trial in trials_report.finished(study)]
    assert len(set(drawn)) == wanted  # no two processes draw alike


def test_who_comes_second_to_the_last_place_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, storage = opened(storages.url("s", str(tmp_path / "study.db")))
    study.optimize(worth, n_trials=2)
    first = study.ask()
    monkeypatch.setattr(claims, "has_place", lambda *_: True)  # as it was a moment before
    claims.run_next(study, storage, worth, trials=3, seconds=60)
    assert [t.state for t in study.trials[2:]] == [TrialState.RUNNING, TrialState.FAIL]
    study.tell(first, 0.5)
    assert counted(study) == [0, 1, 2]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("beats", [True, False])
def test_a_silent_trial_is_tried_again_in_its_place(kept_in: str, beats: bool) -> None:
    study, storage = opened(kept_in)
    trial = study.ask()  # by a process that is killed
    drawn = worth(trial)
    if beats:
        storage.record_heartbeat(trial._trial_id)
    claims.run_next(study, storage, worth, trials=1, seconds=60)
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    if beats:
        assert study.trials[1].params == {"x": drawn}
        assert study.trials[1].system_attrs["failed_trial"] == 0


@pytest.mark.usefixtures("impatient")
def test_who_was_only_silent_is_not_counted(kept_in: str) -> None:
    study, storage = opened(kept_in)

    def taken_meanwhile(trial: optuna.Trial) -> float:
        study.tell(trial.number, state=TrialState.FAIL)
        return 0.5

    def taken_before_its_report(trial: optuna.Trial) -> float:
        study.tell(trial.number, state=TrialState.FAIL)
        trial.report(0.5, step=1)
        return 0.5

    for objective in (taken_meanwhile, taken_before_its_report):
        claims.run_next(study, storage, objective, trials=2, seconds=60)
    assert [t.state for t in study.trials] == [TrialState.FAIL] * 2


def test_what_a_trial_raises_is_told(tmp_path: Path) -> None:
    study, storage = opened(storages.url("s", str(tmp_path / "study.db")))

    def wrong(trial: optuna.Trial) -> float:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        claims.run_next(study, storage, wrong, trials=2, seconds=60)


def test_nobody_waits_longer_than_is_allowed(tmp_path: Path) -> None:
    study, storage = opened(storages.url("s", str(tmp_path / "study.db")))
    study.ask()
    claims.run_next(study, storage, worth, trials=1, seconds=0)
    assert [t.state for t in study.trials] == [TrialState.RUNNING]


def test_machines_that_begin_at_once_all_do(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    many = 5
    at_once = Barrier(many)
    # Other machines do not see the lock.
    monkeypatch.setattr(storages, "_alone", lambda url: nullcontext())

    def begin(_: int) -> str:
        at_once.wait()
        return opened(storages.url("s", database))[0].study_name

    with ThreadPoolExecutor(many) as threads:
        assert list(threads.map(begin, range(many))) == ["s"] * many


def test_a_study_is_about_one_thing(tmp_path: Path) -> None:
    facts = {"epochs": 3, "clips": "abc"}
    study, _ = opened(storages.url("s", str(tmp_path / "study.db")))
    studies.bind(study, facts, named=True)
    studies.check(study, {"epochs": 3}, named=True)
    studies.bind(study, facts, named=True)
    with pytest.raises(DataError, match="about something else: epochs 3 there, 4 here") as raised:
        studies.bind(study, {"epochs": 4, "clips": "abc"}, named=True)
    assert "another --study" in raised.value.hint
    with pytest.raises(DataError, match="clips abc there, other here"):
        studies.bind(study, facts | {"clips": "other"}, named=True)
    assert study.user_attrs == {studies.ABOUT: facts}


def test_the_study_of_another_program_is_left_alone(tmp_path: Path) -> None:
    study, _ = opened(storages.url("s", str(tmp_path / "study.db")))
    study.optimize(worth, n_trials=1)
    with pytest.raises(DataError, match="ser tune has not begun it"):
        studies.bind(study, {"epochs": 3}, named=True)
    assert not study.user_attrs
    studies.bind(study, {"epochs": 3}, named=False)  # an older ser, whose name for it says enough
    assert study.user_attrs


def refused(url: str) -> DataError:
    with pytest.raises(DataError) as raised:
        opened(storages.url("s", url))
    said = str(raised.value) + raised.value.hint
    assert "\n" not in said and raised.value.hint and PASSWORD not in said
    return raised.value


def test_the_password_may_hold_any_sign(database: str) -> None:
    assert opened(storages.url("s", database))[0].study_name == "s"


def test_a_server_that_cannot_be_used(postgres: Server, database: str) -> None:
    at = f"-h 127.0.0.1 -p {postgres.port}"
    told = refused(postgres.url("nowhere"))
    assert 'database "nowhere" does not exist' in str(told)
    assert told.hint == f"create the database: createdb {at} -U tuner nowhere"
    told = refused(postgres.url("studies", password="wrong/{one}"))
    assert "password authentication failed" in str(told) and "wrong" not in str(told)
    assert told.hint.endswith(f": psql {at} -U tuner -d studies")
    assert f"psql {at}" in refused(f"postgresql://tuner@127.0.0.1:{postgres.port}/studies").hint
    assert "pg_isready -h 127.0.0.1 -p 1" in refused("postgresql://me:x@127.0.0.1:1/studies").hint
    assert "check sslmode" in refused(f"{database}?sslmode=require").hint
    assert "name of the host" in refused("postgresql://me:x@no-such-host.invalid/studies").hint
    assert "a port is a number" in refused("postgresql://me:x@host:port/studies").hint
    assert "write postgresql://" in refused("postgres://me:x@host/studies").hint


def test_a_server_that_lets_nobody_write(postgres: Server, database: str) -> None:
    reader = postgres.url("studies", "reader", "x")
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    try:
        assert "make and write tables" in refused(reader).hint
        postgres.execute("ALTER ROLE reader SET default_transaction_read_only = on")
        assert "no standby" in refused(reader).hint
    finally:
        postgres.execute("DROP ROLE reader")


def test_a_study_of_an_older_optuna_on_a_server(postgres: Server, database: str) -> None:
    opened(storages.url("s", database))
    postgres.execute("UPDATE alembic_version SET version_num = 'v2.4.0.a'", database="studies")
    shown = storages.url("s", database).replace(PASSWORD, "***")
    assert f"optuna storage upgrade --storage '{shown}'" in refused(database).hint


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "psycopg":
                raise ModuleNotFoundError("No module named 'psycopg'", name=name)

    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Without(), *sys.meta_path])
    assert 'pip install "speech-emotion[cluster]"' in refused("postgresql://me:x@host/studies").hint


def test_a_study_is_shown_and_watched(database: str, postgres: Server) -> None:
    where = ("--storage", database, "--study", "s")
    absent = ser("tune", "--show", *where)
    assert absent.code == 1 and "nothing is kept there yet: ser tune" in absent.err
    study, _ = opened(storages.url("s", database))
    missing = ser("tune", "--show", "--storage", database, "--study", "t")
    assert missing.code == 1 and "no study t in" in missing.err and "one of: s" in missing.err
    study.optimize(worth, n_trials=1)
    study.ask()
    shown = succeed("tune", "--show", *where)
    hidden = postgres.url("studies", password="***", driver="+psycopg")
    assert shown.out.splitlines() == [
        "study: s",
        f"storage: {hidden}",
        f"trials: 1 complete, 1 running; best {100 * study.best_value:.1f} %",
        f"to watch it: optuna-dashboard '{hidden}'",
    ]
    assert "write the password" in shown.err
    record = json.loads(succeed("tune", "--show", *where, "--json").out)
    assert record["trials"] == {"complete": 1, "running": 1} and record["storage"] == hidden
    assert PASSWORD not in absent.err + missing.err + shown.out + shown.err + str(record)
    assert "s" in watched(record["dashboard"])


def watched(line: str) -> list[str]:
    """Open Optuna Dashboard as a line says, and return the names of the studies that it shows."""
    program, url = shlex.split(line)
    port = free_port()
    escaped = quote(PASSWORD, safe="")  # it takes { for the beginning of a placeholder
    words = [str(Path(sys.executable).with_name(program)), url.replace("***", escaped)]
    dashboard = subprocess.Popen([*words, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while dashboard.poll() is None and time.monotonic() < until:
            with suppress(urllib.error.URLError):
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies").read()
                return [study["study_name"] for study in json.loads(answer)["study_summaries"]]
            time.sleep(0.1)
        pytest.fail("Optuna Dashboard does not answer")
    finally:
        dashboard.terminate()
        dashboard.wait()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    told = ser("tune", "--show", "--storage", tmp_path / "no.db", "--study", "s")
    assert told.code == 1 and "nothing is kept there yet" in told.err
    assert not (tmp_path / "no.db").exists()


def clips(ravdess: Path, folder: Path) -> Path:
    """Write a table of 16 clips: two emotions of four speakers."""
    rows = ["file,emotion,speaker"]
    for actor in ("01", "02", "03", "04"):
        for emotion, code in (("calm", "02"), ("angry", "05")):
            for statement in ("01", "02"):
                name = f"03-01-{code}-01-{statement}-01-{actor}.*"
                found = next(ravdess.rglob(name))
                rows.append(f"{found},{emotion},{actor}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "clips.csv"


def start(number: int, words: list[object], folder: Path) -> subprocess.Popen[bytes]:
    """Start `ser tune` as on a machine of its own: with its own cache, artifacts and log."""
    own = folder / str(number)
    own.mkdir()
    with (own / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, words)],
            cwd=own,
            env=os.environ | {"SER_CACHE_DIR": str(own / "cache")},
            stdout=log,
            stderr=log,
        )


def begun(number: int, folder: Path) -> list[int]:
    lines = (folder / str(number) / "log.txt").read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("begun ")]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_three_processes_of_which_one_is_killed(
    database: str, ravdess: Path, tmp_path: Path
) -> None:
    words: list[object] = ["tune", "--data", clips(ravdess, tmp_path), "--recipe", "stats-dense"]
    words += ["--folds", 2, "--epochs", 4, "--trials", WANTED, "--workers", 1]
    words += ["--storage", database, "--study", "voices"]
    victim = start(0, [*words, "--hold"], tmp_path)
    others = [start(number, words, tmp_path) for number in (1, 2)]
    try:
        while len(begun(0, tmp_path)) < 2:
            assert victim.poll() is None, (tmp_path / "0" / "log.txt").read_text()
            time.sleep(0.1)
        victim.kill()
        codes = [process.wait() for process in others]
    finally:
        for process in (victim, *others):
            process.kill()
            process.wait()
    logs = [(tmp_path / str(number) / "log.txt").read_text() for number in range(3)]
    assert codes == [0, 0], logs
    assert PASSWORD not in "".join(logs) and "Traceback" not in "".join(logs)

    storage = storages.opened(storages.url("voices", database))
    study = optuna.load_study(study_name="voices", storage=storage)
    done = counted(study)
    assert len(done) == len(set(done)) == WANTED
    lost = begun(0, tmp_path)[1]
    assert study.trials[lost].state == TrialState.FAIL
    again = [t for t in study.trials if t.system_attrs.get("failed_trial") == lost]
    assert [t.number in done for t in again] == [True]
    assert again[0].params.items() >= study.trials[lost].params.items()
    for number in (1, 2):  # each has written what all have found
        rows = (tmp_path / str(number) / "artifacts/stats-dense/trials.csv").read_text()
        assert len(rows.splitlines()) == 1 + WANTED
        assert begun(number, tmp_path)
    _no_other_data(words, database, tmp_path)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path


def _no_other_data(words: list[object], database: str, folder: Path) -> None:
    """Try to join with other settings, and with other clips."""
    table = folder / "clips.csv"
    fewer = table.with_name("fewer.csv")
    fewer.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    told = ser(*words, "--epochs", 5)
    assert told.code == 1 and "epochs 4 there, 5 here" in told.err
    told = ser(*(fewer if word == table else word for word in words))
    assert told.code == 1 and "about something else: clips" in told.err
