"""The image that only predicts: its commands, what they install, and what is missing there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from command import succeed

from ser_cli import distribution
from ser_cli.commands.console import clean_exit
from ser_cli.health import requirements

ROOT = Path(__file__).parents[1]
CLIPS = ROOT / "tests" / "clips"
TAKEN = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
BUILD = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def test_what_predicts_is_part_of_what_is_declared() -> None:
    names = {re.match(r"[\w.-]+", line)[0] for line in requirements.lines()}  # type: ignore[index]
    assert names == requirements.PREDICTION
    assert set(requirements.lines()) < set(requires(distribution.NAME) or [])


def test_the_image_takes_along_what_the_wheel_is_built_of() -> None:
    assert set(TAKEN) == {"ser_cli", "artifacts", "pyproject.toml", "README.md", "LICENSE"}


def test_what_is_not_installed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, clean_exit():
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.keras")
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "ser: that needs tensorflow, which is not installed",
        "  try: pip install speech-emotion",
    ]
    with pytest.raises(ModuleNotFoundError), clean_exit():  # a mistake of ours
        raise ModuleNotFoundError("No module named 'ser_cli.x'", name="ser_cli.x")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell's commands")
def test_its_commands_install_what_predicts_alike(tmp_path: Path) -> None:
    """Without an engine for containers: in an environment of its own."""
    (build,) = re.findall(r"^RUN (pip .+)$", BUILD, re.MULTILINE)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    source = tmp_path / "source"
    source.mkdir()
    for name in TAKEN:
        subprocess.run(["cp", "-r", ROOT / name, source / name], check=True)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PATH"] = f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{env['PATH']}"
    here = build.replace("/tmp/source", str(source)).replace("/tmp/needed", f"{tmp_path}/needed")
    subprocess.run(["sh", "-ec", here], check=True, env=env, cwd=tmp_path)
    words = ("predict", str(CLIPS), "--csv")
    subprocess.run(["ser", *words, "image.csv"], check=True, env=env, cwd=tmp_path)
    succeed(*words, tmp_path / "all.csv")
    assert (tmp_path / "image.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()
    picture = ("predict", str(CLIPS / "espeak-long.flac"), "--timeline", "--out", "talk.png")
    subprocess.run(["ser", *picture], check=True, env=env, cwd=tmp_path)
    done = subprocess.run(["ser", "recipes"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "that needs" in done.stderr and "Traceback" not in done.stderr
