"""Words of a command line -> a job: read here as Typer itself reads them, only sooner."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typer
from command import ser
from typer.core import TyperArgument, TyperCommand, TyperOption

from ser_cli import jobs
from ser_cli.commands import COMMANDS, parsing
from ser_cli.commands.parsing import command
from ser_cli.commands.reading import Command
from ser_cli.data import corpora
from ser_cli.jobs import Option
from ser_cli.jobs.clips import ClipsJob, CorpusJob
from ser_cli.model import artifacts

JOBS: dict[str, Any] = {
    name: kind
    for module in iter_modules(jobs.__path__, "ser_cli.jobs.")
    for name, kind in vars(import_module(module.name)).items()
    if name.endswith("Job") and kind not in (CorpusJob, ClipsJob)  # which others are made of
}
TAKEN: list[Any] = []  # jobs that were read
# What of each type a user may type; "0012" and "1e1" are read by rules of their own.
WORDS: dict[Any, tuple[str, ...]] = {
    int: ("40", "0012", "-1", "0", "99999", "1_000", " 40 ", "40.0", "4.5", "x", "", "1e1", "٤٠"),
    float: ("40", "1.5", "1e-3", "-1", "0", "1e9", "nan", "inf", "1_0.5", " 2 ", "x", "", "0x10"),
    Path: ("a.csv", "file:///a/b", "two words/b", "~/c", "./d/../e", ".", "", "ä", "-"),
    str: ("ravdess", "cnn-bilstm", "emobox6", "http://x", "", "ä b", "--x", "1"),
}


def kind_of(field: Any, job: type) -> tuple[Any, bool, Option]:
    """Return the type of a value of an option, whether it is repeated, and its declaration."""
    kind, option = get_args(get_type_hints(job, include_extras=True)[field.name])
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]
    many = get_origin(kind) is tuple
    return (get_args(kind)[0] if many else kind), many, option


def lines(job: type) -> list[list[str]]:
    """Return command lines that use every option of a job in many ways, and what it requires."""
    needed: list[str] = []
    found: list[list[str]] = [[], ["stray", "words"], ["--unknown"], ["--", "--json"]]
    for field in fields(job):
        kind, many, option = kind_of(field, job)
        flag = (option.flag or "--" + field.name.replace("_", "-")).split("/")[0]
        if kind is bool:
            off = option.flag.partition("/")[2] if option.flag else "--no-" + flag[2:]
            found += [[flag], *([[off], [flag, off], [off, flag]] if off else [])]
            continue
        choices = option.choices() if option.choices else ()
        enum = isinstance(kind, type) and issubclass(kind, Enum)
        words = (*choices, "other") if choices else WORDS.get(kind, ())
        words = (*(str(item) for item in kind), "other", "") if enum else words
        assert words, f"no words to try for {kind}"
        given = [[word] if option.argument else [f"{flag}={word}"] for word in words]
        found += given
        if not option.argument:
            found += [[flag], [flag, words[0]], [flag, words[0], flag, words[-1]]]
        if many:
            found += [given[0] + given[1], given[1] + given[0] + given[0]]
        if many and option.argument:
            found.append(["--", *words])
        if field.default is field.default_factory:  # neither: it is required
            needed += given[0]
    return found + ([[*needed, *line] for line in found] if needed else [])


@cache
def program(job: type, way: type[TyperCommand]) -> Any:
    """Return a command whose words end in a job, read in one way or the other."""
    app = typer.Typer(pretty_exceptions_enable=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "Command", way)
        command(job)(take).register(app)
    return typer.main.get_command(app)


def take(job: Any) -> None:
    TAKEN.append(job)


def read(job: type, way: type[TyperCommand], line: list[str]) -> Any:
    """Return the job, or how the reading ended and what was said."""
    TAKEN.clear()
    try:
        program(job, way).main(line, prog_name="ser", standalone_mode=False)
    except Exception as error:
        context = getattr(error, "ctx", None)  # decides whether the usage is shown
        return type(error).__name__, getattr(error, "exit_code", None), str(error), bool(context)
    return list(TAKEN)


@pytest.mark.parametrize("name", JOBS)
def test_every_option_is_read_as_typer_reads_it(name: str) -> None:
    tried = lines(JOBS[name])
    right = wrong = 0
    for line in tried:
        ours, theirs = (read(JOBS[name], way, line) for way in (Command, TyperCommand))
        assert repr(ours) == repr(theirs), line  # nan and the types of values among them
        right += isinstance(theirs, list)
        wrong += isinstance(theirs, tuple) and theirs[1] == 2
    assert right > len(fields(JOBS[name])) and right + wrong == len(tried)


def test_simple_values_are_read_without_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("pydantic would be loaded")

    for kind in (TyperArgument, TyperOption):
        monkeypatch.setattr(kind, "process_value", refuse)
    read_well = {
        "PredictJob": [
            "a.wav",
            "b",
            "--csv",
            "out.csv",
            "--window",
            "3",
            "--step=.5",
            "--jobs",
            "2",
        ],
        "TrainJob": ["--data", "a", "--data", "b", "--split", "none", "--learning-rate", "1e-3"],
        "TuneJob": ["--metric", "accuracy", "--trials", "3", "--recipe", "mfcc-mlp", "--json"],
        "ExportJob": ["--format", "saved-model", "--quantize", "int8"],
        "EvaluateJob": ["--protocol", "emobox6", "--report"],
    }
    for name, line in read_well.items():
        (job,) = read(JOBS[name], Command, line)
        assert isinstance(job, JOBS[name])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["extract", "--recipe", "crnn"], "'--recipe': 'crnn' is not one of 'cnn-bilstm'"),
        (["predict", "a.wav", "--recipe", "crnn"], "'--recipe': 'crnn' is not one of"),
        (["evaluate", "--protocol", "loso"], "'--protocol': 'loso' is not one of 'actors21-24'"),
        (["train", "--split", "bogus"], "'bogus' is not one of 'auto', 'speaker'"),
        (["tune", "--split", "table"], "'table' is not one of 'speaker', 'random'"),
        (["tune", "--metric", "f2"], "'f2' is not one of 'uar', 'accuracy'"),
        (["export", "--format", "tflite"], "'tflite' is not one of 'onnx', 'litert'"),
        (["export", "--format", "onnx", "--quantize", "int4"], "'int4' is not one of"),
        (["download", "--subset", "half"], "'--subset': 'half' is not one of"),
        (["eda", "stray"], "unexpected extra argument"),
        (["train", "--epochs", "many"], "'--epochs': Input should be a valid integer"),
        (["train", "--epochs", "0"], "'--epochs': Input should be greater than or equal to 1"),
        (["predict", "a.wav", "--window", "long"], "'--window': Input should be a valid number"),
        (["predict", "a.wav", "--pause", "inf"], "'--pause': Input should be a finite number"),
        (["extract", "--max-hours", "inf"], "'--max-hours': Input should be a finite number"),
        (["predict"], "Missing argument"),
        (["eda", "--where"], "No such option: --where"),
    ],
)
def test_mistakes_are_found_before_any_corpus_is_touched(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def touched(*_: Any, **__: Any) -> None:
        raise AssertionError("a corpus or a model was touched")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(corpora, "load", touched)
    monkeypatch.setattr(artifacts, "load", touched)
    monkeypatch.setattr(artifacts, "resolve", touched)
    done = ser(*words)
    assert done.code == 2 and done.out == ""
    said, tries = done.err.splitlines()
    assert says in said and said.startswith("ser: ")
    assert tries == f"  try: ser {words[0]} --help"


def test_every_command_has_a_job_of_its_own() -> None:
    declared = {
        getattr(import_module(f"ser_cli.commands.{file}"), name.replace("-", "_"))
        for name, file in COMMANDS.items()
    }
    assert {one.name for one in declared} == set(COMMANDS)
    assert len(declared) == len(JOBS)
