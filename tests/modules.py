"""Code made of text: a module of its own, or a program in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

import pytest


def imported(text: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a text as a module, whatever was imported under its name before."""
    path = Path(mkdtemp(dir=folder)) / f"{name}.py"  # a folder of its own: no old bytecode
    path.write_text(text, encoding="utf-8")
    spec = spec_from_file_location(name, path)
    assert spec and spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def printed(code: str, *, ends: int = 0) -> str:
    """Run a program in a fresh interpreter that finds what this one does; return its output.

    It must end with the exit code `ends`.
    """
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == ends, run.stderr
    return run.stdout
