"""The command line: what it offers, what it costs to start, and how it fails."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import fake
import pytest
import typer
from command import ser, tone
from typer.testing import CliRunner

from ser_cli import cli, recipes
from ser_cli.commands import console
from ser_cli.errors import ArtifactsError, DataError, SerError, UsageError

PROGRAM = cli.build()
COMMANDS = sorted(str(command.name) for command in PROGRAM.registered_commands)
HEAVY = ["tensorflow", "keras", "librosa", "sklearn", "pandas", "optuna", "matplotlib"]
LIGHT = [*HEAVY, "numpy", "scipy", "joblib", "av", "soundfile", "onnxruntime"]

# A `sitecustomize` that tells at the end which of the modules in question were imported.
TELL = """
import atexit, json, os, sys
def tell():
    wanted = os.environ["TELL"].split()
    with open(os.environ["TOLD"], "w") as file:
        json.dump([name for name in wanted if name in sys.modules], file)
atexit.register(tell)
"""
FAKE = "import fake, pytest; fake.register(pytest.MonkeyPatch())\n"


def start(
    folder: Path, *arguments: str, before: str = "", watched: list[str]
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run `ser` in a process of its own; return it and which watched modules it imported."""
    code = (
        f"{TELL}{before}import sys; sys.argv[0] = 'ser'\nfrom ser_cli.__main__ import main; main()"
    )
    told = folder / "told.json"
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONIOENCODING": "utf-8",
            "TELL": " ".join(watched),
            "TOLD": str(told),
        },
    )
    return run, json.loads(told.read_text())


def test_the_commands_of_the_design_are_there() -> None:
    expected = (
        "app doctor download download-ravdess eda evaluate export extract predict recipes train "
        "tune"
    )
    assert expected.split() == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str) -> None:
    done = ser(command, "--help")
    assert done.code == 0
    lines = [line.strip() for line in done.out.splitlines()]
    examples = [line for line in lines[lines.index("Examples:") :] if line.startswith("ser ")]
    assert examples and all(line.startswith(f"ser {command}") for line in examples)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_can_be_parsed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    group = typer.main.get_command(PROGRAM)
    parser = group.commands[command]  # type: ignore[attr-defined]
    lines = [line for line in parser.epilog.splitlines() if line.startswith("ser ")]
    assert len(lines) >= 2
    for line in lines:
        words = shlex.split(line.split(" (")[0])  # a remark may follow
        context = parser.make_context(command, words[2:], resilient_parsing=False)
        assert context.params


def test_every_command_that_is_recommended_exists() -> None:
    package = Path(cli.__file__).parent
    named = {
        name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in re.findall(r"(?:^|[`:;,] ?)ser ([a-z][a-z-]*)", node.value)
    }
    assert named == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_cuts_nothing_off_on_a_narrow_terminal(command: str) -> None:
    shown = CliRunner().invoke(cli.build(), [command, "--help"], env={"COLUMNS": "80"}).output
    assert "Options:" in shown and "\u2026" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.findall(r" <[^|>\s]+( range)?>", shown)  # words, not types: --csv PATH
    if command == "predict":
        assert "--same-recording-conditions " in shown


def test_help_names_the_recipes_and_the_exit_codes() -> None:
    assert recipes.DEFAULT in ser("train", "--help").out
    done = ser("--help")
    assert done.code == 0
    assert "130 interrupted" in " ".join(done.out.split())
    assert all(command in done.out for command in COMMANDS)


def test_no_arguments_show_the_help() -> None:
    assert "Usage" in ser().out + ser().err


def test_version_names_both_licences() -> None:
    done = ser("--version")
    assert done.code == 0
    assert done.out.startswith("ser ") and done.out.split()[1][0].isdigit()
    assert "MIT" in done.out and "CC BY-NC-SA 4.0" in done.out


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"], ["--version"]])
def test_help_waits_for_nothing(tmp_path: Path, arguments: list[str]) -> None:
    run, imported = start(tmp_path, *arguments, watched=[*LIGHT, "typer"])
    assert run.returncode == 0, run.stderr
    assert imported == ["typer"]  # the check sees what is there, and nothing else is


def test_predict_imports_nothing_heavy(tmp_path: Path) -> None:
    folder = fake.folder(tmp_path / "artifacts")
    clip = tone(tmp_path / "a.wav", 440, seed=0)
    run, imported = start(
        tmp_path,
        *("predict", str(clip), "--artifacts", str(folder), "--json"),
        before=FAKE,
        watched=[*HEAVY, "onnxruntime"],
    )
    assert run.returncode == 0, run.stderr
    row = json.loads(run.stdout)
    assert (row["file"], row["emotion"], row["status"]) == (str(clip), "loud", "ok")
    assert f"model: {folder}" in run.stderr
    assert imported == ["onnxruntime"]


@pytest.mark.parametrize(
    "options", [[], ["--report"], ["--csv", "out.csv"], ["--window", "0.3", "--jobs", "1"]]
)
def test_predict_waits_for_no_library_of_the_command_line_but_typer(
    tmp_path: Path, options: list[str]
) -> None:
    fake.folder(tmp_path / "artifacts" / recipes.DEFAULT)  # found without being named
    clip, folder = tone(tmp_path / "a.wav", 440, seed=0), tmp_path / "two words"
    tone(folder / "b.wav", 440, seed=1)
    run, loaded = start(
        tmp_path,
        *("predict", str(clip), str(folder), "no.wav", *options),
        before=FAKE,
        watched=["typer", "pydantic", "pydantic_core", "rich", "jinja2", *HEAVY],
    )
    assert run.returncode == 3, run.stderr  # no.wav
    table = tmp_path / "out.csv"
    written = table.read_text(encoding="utf-8") if "--csv" in options else run.stdout
    named = dict.fromkeys(line.split(",")[0] for line in written.splitlines()[1:])
    assert [*named] == [str(clip), str(folder / "b.wav"), "no.wav"]
    assert loaded == ["typer"]


def test_a_failed_file_is_exit_code_3_and_no_traceback(tmp_path: Path) -> None:
    folder = fake.folder(tmp_path / "artifacts")
    clip = tone(tmp_path / "a.wav", 440, seed=0)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    run, _ = start(
        tmp_path,
        *("predict", str(tmp_path / "b.wav"), str(clip), "--artifacts", str(folder)),
        before=FAKE,
        watched=[],
    )
    assert run.returncode == 3
    lines = run.stdout.splitlines()
    assert len(lines) == 3 and ",error,," in lines[1] and ",ok,," in lines[2]
    assert "Traceback" not in run.stderr


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    folder = fake.folder(tmp_path / "artifacts")
    clip = tone(tmp_path / "a.wav", 440, seed=0)
    before = f"{FAKE}import os, sys; read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
    words = ("predict", str(clip), "--artifacts", str(folder))
    for form in ((), ("--json",)):
        run, _ = start(tmp_path, *words, *form, before=before, watched=[])
        assert run.returncode == 0
        assert run.stderr.splitlines()[0] == f"model: {folder}" and "rror" not in run.stderr
    bare = before.removeprefix(FAKE)
    run, _ = start(tmp_path, "recipes", before=bare, watched=[])  # a table
    assert run.returncode == 0 and not run.stderr
    # Rows that go into a file go there, whoever reads along.
    run, _ = start(tmp_path, *words, "--json", "--csv", "out.csv", before=before, watched=[])
    assert run.returncode == 0
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SerError("it is wrong", hint="ser train"), 1),
        (DataError("it is wrong", hint="ser train"), 1),
        (ArtifactsError("it is wrong", hint="ser train"), 1),
        (UsageError("it is wrong", hint="ser train"), 2),
    ],
)
def test_mistakes_are_a_sentence_a_hint_and_a_code(
    error: SerError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, console.clean_exit():
        raise error
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "ser: it is wrong\n  try: ser train\n")


def test_an_interruption_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, console.clean_exit():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "ser: interrupted\n"


def test_every_command_tells_that_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ser_cli.stages.recipes.describe", interrupted)
    done = ser("recipes", "--json")
    assert (done.code, done.out, done.err) == (130, "", "ser: interrupted\n")


def test_a_place_that_cannot_be_written_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended, console.clean_exit():
        (tmp_path / "file" / "below").mkdir(parents=True)
    assert ended.value.code == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), console.clean_exit():
        _ = 1 / 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "--recipe", "crnn"], 2, "'--recipe': 'crnn' is not one of"),
        (["tune", "--recipe", "crnn"], 2, "'--recipe': 'crnn' is not one of"),
        (["extract", "--recipe", "crnn"], 2, "'--recipe': 'crnn' is not one of"),
        (["tune", "--metric", "f2"], 2, "'f2' is not one of 'uar', 'accuracy'"),
        (["tune", "--split", "thirds"], 2, "'thirds' is not one of 'speaker', 'random'"),
        (["evaluate", "--protocol", "loso"], 2, "'--protocol': 'loso' is not one of"),
        (["train", "--data", "nowhere"], 1, "no file or folder 'nowhere'"),
        (["extract"], 1, "RAVDESS is not on this machine"),
        (["evaluate"], 1, "there is no trained model"),
        (["predict", "a.wav"], 1, "there is no trained model"),
        (["predict", "a.wav", "--artifacts", "nowhere"], 1, "no such artifacts folder"),
        (["predict"], 2, "Missing argument"),
        (["train", "--epochs", "0"], 2, "--epochs"),
        (["fly"], 2, "No such command"),
    ],
)
def test_mistakes_end_with_their_code(
    arguments: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_cli.model import artifacts

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "shipped")
    done = ser(*arguments)
    assert done.code == code
    assert says in " ".join(done.err.split())
    assert done.out == "" and "Traceback" not in done.err


def test_failures_are_named_and_then_counted(capsys: pytest.CaptureFixture[str]) -> None:
    console.failures(tuple((Path(f"{n}.wav"), "is empty") for n in range(7)))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "0.wav: is empty" and len(lines) == 6
    assert lines[-1] == "... and 2 more"


def test_a_report_is_written_before_scores_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_cli.commands import evaluate

    written: list[object] = []
    scored = SimpleNamespace(failed=(), reports=())
    monkeypatch.setattr(evaluate, "_scored", lambda job, shown: scored)
    monkeypatch.setattr(evaluate, "_write", lambda job, what: written.append(what))

    def closed(_: object) -> None:
        raise RuntimeError("nobody reads on")

    monkeypatch.setattr(evaluate, "_print", closed)
    with pytest.raises(RuntimeError):
        ser("evaluate", "--report")
    assert written == [scored]
