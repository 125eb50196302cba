"""One training for all tests of this folder, and a working folder for each."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import TINY, Result, succeed
from corpus import by_table

from ser_cli.model import artifacts


@dataclass(frozen=True)
class Trained:
    """What one training said, and the folder it ran in: no test writes there.

    The folder holds tiny.json, trained/ and the features in cache/.
    """

    said: Result
    root: Path


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a corpus of tones that knows its speakers; no test writes beside it."""
    return by_table(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def _training(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Trained:
    root = tmp_path_factory.mktemp("training")
    (root / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        succeed("extract", "--data", table, "--jobs", 1)
        command = ("train", "--data", table, "--artifacts", "trained", "--params", "tiny.json")
        return Trained(succeed(*command), root)


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _own_cache: None
) -> Path:
    """The test's working folder, with tiny.json and a cache of its own."""
    root = tmp_path_factory.mktemp("home")
    (root / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setenv("SER_CACHE_DIR", str(root / "cache"))
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    monkeypatch.setattr(artifacts, "packaged", lambda: root / "shipped")
    return root


@pytest.fixture
def training(home: Path, _training: Trained) -> Result:
    """What the training said; the test has a copy of its folder and of the features."""
    for name in ("trained", "cache"):
        shutil.copytree(_training.root / name, home / name)
    return _training.said


@pytest.fixture
def trained(home: Path, training: Result) -> Path:
    """The test's copy of the trained folder."""
    return home / "trained"
