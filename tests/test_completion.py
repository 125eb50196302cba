"""What a shell completes: asked as shells ask, by variables of the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import ser

from ser_cli import recipes
from ser_cli.data import corpora, protocols

SOON_S = 0.3
HEAVY = ("numpy", "sklearn", "tensorflow", "optuna")
PROGRAM = f"""
import sys
sys.argv[0] = "ser"
from ser_cli import recipes
recipes.__path__.extend(sys.argv[1:])
from ser_cli.__main__ import main
try:
    main()
finally:
    found = [name for name in {HEAVY!r} if name in sys.modules]
    assert not found, found
"""
SPLITS = {"auto", "speaker", "random", "table", "none"}


def asked(shell: str, line: str, *more: str) -> list[str]:
    """Return the lines that a shell is answered when TAB is pressed behind this one."""
    words = line.split(" ")
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    if shell != "bash":
        typed = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *more],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **typed}
        | {"_SER_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0 and not run.stderr, run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("ser train --recipe ", {*recipes.names()}),
        ("ser train --data my.csv --recipe stats", {"stats-dense"}),
        ("ser train --split ", SPLITS),
        ("ser evaluate --protocol ", {*protocols.names()}),
        ("ser tune --metric ", {"uar", "accuracy"}),
        ("ser extract --data ", {*corpora.named()}),
        ("ser evaluate --also e", {"emodb", "emovo"}),
        ("ser export --data ravdess --data n", {"nemo"}),
        ("ser download ", {"ased", "nemo", "ravdess"}),
        ("ser download-ravdess --subset s", {"speech", "song"}),
        ("ser download", {"download", "download-ravdess"}),
        ("ser train --data ./", set()),  # the shell then completes names of files
    ],
)
def test_names_are_completed(line: str, names: set[str]) -> None:
    assert {*asked("bash", line)} - {""} == names


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_too(shell: str) -> None:
    said = " ".join(asked(shell, "ser train --recipe "))
    assert all(name in said for name in recipes.names())
    said = " ".join(asked(shell, "ser train --"))
    assert "--recipe" in said and "cnn-bilstm" in said and "NAMES" not in said


def test_a_recipe_of_ones_own_is_completed(tmp_path: Path) -> None:
    (tmp_path / "my_own.py").touch()
    assert "my-own" in asked("bash", "ser train --recipe ", str(tmp_path))


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_itself_completes(tmp_path: Path) -> None:
    program = tmp_path / "ser"
    program.write_text(f"#!{sys.executable}{PROGRAM}", encoding="utf-8")
    program.chmod(0o755)
    script = """
eval "$(ser --show-completion bash)"
COMP_WORDS=(ser train --recipe c) COMP_CWORD=3
_ser_completion ser
echo "${COMPREPLY[@]}"
"""
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    paths = os.pathsep.join(filter(None, sys.path))
    run = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": path, "PYTHONPATH": paths, "SHELL": "/bin/bash"},
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == [name for name in recipes.names() if name.startswith("c")]


@pytest.mark.skipif(sys.platform == "win32", reason="it counts no time of processes")
def test_a_word_is_completed_soon() -> None:
    def used_s() -> float:
        import resource

        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    took = []
    for _ in range(3):
        before = used_s()
        asked("bash", "ser train --recipe ")
        took.append(used_s() - before)
    assert min(took) < SOON_S


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train --recipe voise", "voice"),
        ("train --split spekaer", "speaker"),
        ("train --data ravdes", "ravdess"),
        ("evaluate --protocol emobox", "emobox6"),
        ("tune --metric uarr", "uar"),
        ("download nemoo", "nemo"),
        ("evaluate --protocol emobox6 --also nemmo", "nemo"),
    ],
)
def test_a_name_that_is_nearly_right_is_understood(words: str, meant: str, tmp_path: Path) -> None:
    done = ser(*words.split())
    assert done.code in (1, 2) and f"id you mean {meant}?" in done.err, done.err
