"""Fixtures every test may ask for."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

# First of all, before a test loads a library that reports to its maker.
import ser_cli  # noqa: F401

# Started in the background, tests would start processes that are deaf to Ctrl-C.
with suppress(ValueError):  # not the main thread
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _corpus() -> Path | None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "ravdess"
    root = Path(os.environ.get("SER_RAVDESS_DIR") or beside)
    return root if root.is_dir() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the golden files be written anew; what changed shows in the diff."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


# Files whose tests share what takes long to make: one process runs all of one, and makes it once.
TOGETHER = {"test_export", "test_compare", "test_robustness", "test_enrolment", "test_cluster"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests together that share a training, in one of the processes of pytest-xdist."""
    for item in items:
        shared = getattr(item, "callspec", None) and item.callspec.params.get("made")  # type: ignore[attr-defined]
        name = item.path.stem
        if shared or name in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(f"{name} {shared or ''}"))


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The folder of the real corpus; the test is skipped where it is absent."""
    root = _corpus()
    if root is None:
        pytest.skip("RAVDESS is absent: set SER_RAVDESS_DIR to its folder")
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's cache and from each other's memory of downloads."""
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
