"""`--config` and `--save-config`: what is typed, as a file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from command import ser, succeed
from corpus import by_table

from ser_cli import cli
from ser_cli.commands import COMMANDS, config

CLIP = Path(__file__).parent / "clips" / "espeak-calm.flac"
PROGRAM: Any = typer.main.get_command(cli.build())


def rows(*words: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in succeed("predict", CLIP, *words).out.splitlines()]


def test_a_file_says_what_would_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "ser.toml"
    path.write_text(
        '[predict]\nwindow = 2\nstep = 1.5\nlabels = "angry,happy"\nhear-all = true\njson = true\n'
        f'out = ["{tmp_path / "a.srt"}"]\n[train]\nepochs = 3\n',
        encoding="utf-8",
    )
    typed = ("--window", 2, "--step", 1.5, "--labels", "angry,happy", "--hear-all", "--json")
    assert rows("--config", path) == rows(*typed)
    assert (tmp_path / "a.srt").is_file()
    wider = rows("--config", path, "--window", 3, "--force")  # what is typed wins
    assert wider[0]["end"] == 3.0


def test_what_was_done_is_accepted_again(tmp_path: Path) -> None:
    saved = tmp_path / "saved.toml"
    first = rows("--window", 2, "--json", "--labels", "angry,sad", "--save-config", saved)
    assert tomllib.loads(saved.read_text())["predict"]["window"] == 2.0
    assert rows("--config", saved) == first


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_comes_back(name: str, tmp_path: Path) -> None:
    command, path = PROGRAM.commands[name], tmp_path / "all.toml"
    needed = {"predict": ["x"], "export": ["--format", "onnx"]}.get(name, [])
    context = command.make_context(name, list(needed))
    config.write(path, name, command.params, context.params)
    read = config.read(path, name, command.params)
    again = command.make_context(name, list(needed), default_map=read)
    assert again.params == context.params and read


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("[predict]\nwindw = 3\n", "ser predict has no option --windw", "did you mean window?"),
        ("[predcit]\nwindow = 3\n", "[predcit] is no command", "did you mean predict?"),
        ("window = 3\n", "[window] is no command", "known: app"),
        ("[predict\n", "ser.toml: Expected ']'", "a TOML file"),
        ('[predict]\nconfig = "x"\n', "has no option --config", "known"),
        ('[predict]\nwindow = "wide"\n', "'--window'", "ser predict --help"),
        ("[predict]\nwindow = [1, 2]\n", "'--window'", "ser predict --help"),
        ("[predict]\nhear-all = 3\n", "'--hear-all'", "ser predict --help"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, told: str, hint: str) -> None:
    (tmp_path / "ser.toml").write_text(text, encoding="utf-8")
    done = ser("predict", CLIP, "--config", tmp_path / "ser.toml")
    assert done.code == 2 and told in done.err and hint in done.err, done.err
    assert len(done.err.splitlines()) == 2


def test_a_file_that_is_absent_is_one_line(tmp_path: Path) -> None:
    done = ser("recipes", "--config", tmp_path / "no.toml")
    assert done.code == 2 and "no.toml" in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("option", ["--config", "--save-config", "--log-file"])
def test_a_place_on_another_machine_is_refused(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ser("recipes", option, "s3://bucket/x")
    assert done.code == 2 and f"{option} names a place on this machine" in done.err
    assert not list(tmp_path.iterdir())


def test_a_result_holds_the_options_that_made_it(tmp_path: Path) -> None:
    data, made = by_table(tmp_path / "clips"), tmp_path / "eda"
    first = succeed("eda", "--data", data, "--recipe", "mfcc-mlp", "--out", made, "--jobs", 1)
    kept = {file.name: file.read_bytes() for file in made.iterdir()}
    assert tomllib.loads(kept["eda.toml"].decode())["eda"]["recipe"] == "mfcc-mlp"
    settings = tmp_path / "mine.toml"
    settings.write_bytes(kept["eda.toml"])
    for file in made.iterdir():
        file.unlink()
    again = succeed("eda", "--config", settings)
    assert again.out == first.out
    assert {file.name: file.read_bytes() for file in made.iterdir()} == kept


def test_a_training_is_repeated_by_what_it_leaves(tmp_path: Path) -> None:
    data, one, two = by_table(tmp_path / "clips"), tmp_path / "one", tmp_path / "two"
    words = ("--data", data, "--recipe", "stats-dense", "--epochs", 2, "--seed", 3, "--jobs", 1)
    succeed("train", *words, "--artifacts", one)
    succeed("train", "--config", one / "train.toml", "--artifacts", two)
    # Names of layers are counted on in one process, so the files of the networks differ.
    for name in ("history.csv", "scaler.pkl", "split.csv", "best_hyperparameters.json"):
        if (one / name).exists() or name == "history.csv":
            assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "option", "secret"),
    [
        ("tune", "--storage", "postgresql://me:hidden@host/studies"),
        ("train", "--data", "https://host/clips.csv?signature=hidden"),
    ],
)
def test_secrets_are_not_kept(name: str, option: str, secret: str, tmp_path: Path) -> None:
    command, path = PROGRAM.commands[name], tmp_path / "all.toml"
    context = command.make_context(name, [option, secret, "--seed", "5"])
    config.write(path, name, command.params, context.params)
    said = path.read_text(encoding="utf-8")
    assert "hidden" not in said and f"# {option[2:]} is left out" in said
    assert config.read(path, name, command.params)["seed"] == 5
