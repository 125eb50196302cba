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
