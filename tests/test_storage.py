"""Where a study is kept: a URL or a file; what cannot be used is one sentence and the next step."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import optuna
import pytest

from ser_cli.errors import DataError
from ser_cli.training import storages, studies


def create(url: str) -> optuna.Study:
    return studies.create("study", storages.opened(url), seed=0)


def refused(url: str) -> DataError:
    with pytest.raises(DataError) as raised:
        create(storages.url("study", url))
    assert "\n" not in str(raised.value) and raised.value.hint
    return raised.value


def test_a_path_is_a_file_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = storages.url("study", "mine/study.db")
    assert create(url).study_name == "study"
    assert (tmp_path / "mine" / "study.db").is_file()
    assert storages.url("study", url) == url


def test_without_one_it_is_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path))
    create(storages.url("study"))
    assert (tmp_path / "studies" / "study.db").is_file()


def test_two_that_begin_a_study_at_once_both_do(tmp_path: Path) -> None:
    both = Barrier(2)

    def begin(url: str) -> str:
        both.wait()
        return create(url).study_name

    for number in range(5):
        url = storages.url("study", str(tmp_path / f"{number}.db"))
        with ThreadPoolExecutor(2) as threads:
            assert [*threads.map(begin, [url, url])] == ["study", "study"]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite:////no/such/folder/study.db", "make its folder"),
        ("postgresql+nothing://host/name", "write postgresql://"),
        ("nothing://host", "--storage study.db"),
        ("://", "--storage study.db"),
        ("mssql+pymssql://host/name", "install the driver"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, hint: str) -> None:
    assert hint in refused(url).hint


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are notes and no database\n" * 100)
    assert "something else" in refused(storages.url("study", str(file))).hint


def test_a_study_of_an_older_optuna(tmp_path: Path) -> None:
    url = storages.url("study", str(tmp_path / "old.db"))
    create(url)
    with sqlite3.connect(tmp_path / "old.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v2.4.0.a'")
    assert f"optuna storage upgrade --storage {url}" in refused(url).hint


def test_a_study_that_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = storages.url("study", str(tmp_path / "locked.db"))
    create(url)
    with sqlite3.connect(tmp_path / "locked.db", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert "end what else uses it" in refused(f"{url}?timeout=1").hint


@pytest.mark.parametrize(
    "url",
    [
        "mssql+pymssql://me:secret@host/name",
        "mssql+pymssql://me:sec@secret@host/name",
        "mssql+pymssql://host/name?user=me&password=secret",
        "postgresql://me:se@secret@127.0.0.1:1/name",  # no part of it becomes the host
        "postgresql://me:se@secret/secret@127.0.0.1:1/name",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    told = refused(url)
    assert "secret" not in str(told) + told.hint and "***" in str(told)


@pytest.mark.parametrize("kind", [RuntimeError, ImportError, NotImplementedError])
def test_other_errors_are_not_of_the_storage(kind: type[Exception]) -> None:
    with pytest.raises(kind, match="something else"), storages.usable("sqlite://"):
        raise kind("something else")


@pytest.mark.parametrize("name", ["a?b.db", "100%41.db", "a b.db"])
def test_any_name_of_a_file_is_kept(name: str, tmp_path: Path) -> None:
    if os.name == "nt" and "?" in name:
        pytest.skip("no such name here")
    create(storages.url("study", str(tmp_path / name)))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be kept"):
        storages.url("study", str(tmp_path / "file" / "study.db"))
    with pytest.raises(DataError, match="neither a path nor a URL"):
        storages.url("study", "postgresql:/host/name")


@pytest.mark.parametrize("asked", ["", " "])
def test_a_name_that_is_empty_is_no_default(asked: str) -> None:
    with pytest.raises(DataError, match="--storage is empty"):
        storages.url("study", asked)
