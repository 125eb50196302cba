"""Where a study is kept: a URL or a file; what cannot be used is one sentence and the next step."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ser_cli.errors import DataError
from ser_cli.training import studies


def refused(url: str) -> DataError:
    with pytest.raises(DataError) as raised:
        studies.create("study", url, seed=0)
    assert "\n" not in str(raised.value) and raised.value.hint
    return raised.value


def test_a_path_is_a_file_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = studies.storage("study", "mine/study.db")
    assert studies.create("study", url, seed=0).study_name == "study"
    assert (tmp_path / "mine" / "study.db").is_file()
    assert studies.storage("study", url) == url


def test_without_one_it_is_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path))
    studies.create("study", studies.storage("study"), seed=0)
    assert (tmp_path / "studies" / "study.db").is_file()


def test_two_that_begin_a_study_at_once_both_do(tmp_path: Path) -> None:
    both = Barrier(2)

    def begin(url: str) -> str:
        both.wait()
        return studies.create("study", url, seed=0).study_name

    for number in range(5):
        url = studies.storage("study", str(tmp_path / f"{number}.db"))
        with ThreadPoolExecutor(2) as threads:
            assert [*threads.map(begin, [url, url])] == ["study", "study"]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite:////no/such/folder/study.db", "make its folder"),
        ("postgresql+nothing://host/name", "--storage study.db"),
        ("nothing://host", "--storage study.db"),
        ("://", "--storage study.db"),
        ("mssql+pymssql://host/name", "install the driver"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, hint: str) -> None:
    assert hint in refused(url).hint


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are notes and no database\n" * 100)
    assert "something else" in refused(studies.storage("study", str(file))).hint


def test_a_study_of_an_older_optuna(tmp_path: Path) -> None:
    url = studies.storage("study", str(tmp_path / "old.db"))
    studies.create("study", url, seed=0)
    with sqlite3.connect(tmp_path / "old.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v2.4.0.a'")
    assert f"optuna storage upgrade --storage {url}" in refused(url).hint


def test_a_study_that_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = studies.storage("study", str(tmp_path / "locked.db"))
    studies.create("study", url, seed=0)
    with sqlite3.connect(tmp_path / "locked.db", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert "end what else uses it" in refused(f"{url}?timeout=1").hint


@pytest.mark.parametrize(
    "url",
    [
        "mssql+pymssql://me:secret@host/name",
        "mssql+pymssql://me:sec@secret@host/name",
        "mssql+pymssql://host/name?user=me&password=secret",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    told = refused(url)
    assert "secret" not in str(told) + told.hint and "***" in str(told)


@pytest.mark.parametrize("kind", [RuntimeError, ImportError, NotImplementedError])
def test_other_errors_are_not_of_the_storage(kind: type[Exception]) -> None:
    with pytest.raises(kind, match="something else"), studies.usable("sqlite://"):
        raise kind("something else")


@pytest.mark.parametrize("name", ["a?b.db", "100%41.db", "a b.db"])
def test_any_name_of_a_file_is_kept(name: str, tmp_path: Path) -> None:
    if os.name == "nt" and "?" in name:
        pytest.skip("no such name here")
    studies.create("study", studies.storage("study", str(tmp_path / name)), seed=0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be kept"):
        studies.storage("study", str(tmp_path / "file" / "study.db"))
    with pytest.raises(DataError, match="neither a path nor a URL"):
        studies.storage("study", "postgresql:/host/name")
