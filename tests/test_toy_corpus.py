"""A corpus is one file: what a new one brings is taken up everywhere, and no other file changes."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import fake
import numpy as np
import pytest
import soundfile
from command import RATE, TINY, ser, succeed
from corpus import read_rows

from ser_cli.data import corpora, identity, protocols, select, splits
from ser_cli.errors import DataError
from ser_cli.jobs.training import SearchSplit, TuneJob
from ser_cli.model import artifacts
from ser_cli.stages import tune
from ser_cli.types import Clip

MODULE = '''
"""Toy: toy-SPEAKER-EMOTION-TAKE.wav."""

from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.protocols import Protocol, speakers_once
from ser_cli.errors import DataError
from ser_cli.sound.files import audio_files
from ser_cli.types import Clip

HOME = ""


def parse(name):
    kind, *fields = name.split("-")
    if kind != "toy" or len(fields) != 3:
        return None
    return dict(zip(("speaker", "emotion", "take"), fields))


def clip(path):
    facts = parse(path.stem)
    return Clip(path, emotion=facts.pop("emotion"), speaker=facts.pop("speaker"), facts=facts)


def load(data):
    folder = Path(HOME if data == "toy" else data)
    if not folder.is_dir():
        raise DataError(f"toy is not in {folder}", hint="draw one")
    return tuple(clip(path) for path in audio_files(folder))


CORPUS = Corpus(
    name="toy",
    about="made-up speakers",
    matches=lambda data: Path(data).is_dir() and any(Path(data).glob("toy-*.wav")),
    load=load,
    parse=parse,
    held_out=("5", "6"),
    protocols=(
        Protocol(
            "toy-last-two",
            "dev is 4, test is 5 and 6",
            ("all",),
            folds=speakers_once(dev=["toy/4"], test=["toy/5", "toy/6"]),
        ),
    ),
    usual_protocol="toy-last-two",
)
'''
SWING = {"quiet": 0.05, "loud": 0.5}  # of the tone of each emotion


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of six speakers, of whose corpus the package finds the file."""
    home, modules = tmp_path / "clips", tmp_path / "modules"
    home.mkdir()
    for speaker, emotion, take in product("123456", SWING, "12"):
        at = np.arange(RATE // 2) * (400 + 100 * int(take) + int(speaker)) / RATE
        wave = SWING[emotion] * np.sin(2 * np.pi * at)
        soundfile.write(home / f"toy-{speaker}-{emotion}-{take}.wav", wave, RATE, "PCM_16")
    modules.mkdir()
    (modules / "toy.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(corpora, "__path__", [*corpora.__path__, str(modules)])
    importlib.invalidate_caches()
    module = importlib.import_module("ser_cli.data.corpora.toy")
    monkeypatch.setattr(module, "HOME", str(home))
    yield home
    del sys.modules["ser_cli.data.corpora.toy"]
    vars(corpora).pop("toy")


def speakers(clips: tuple[Clip, ...]) -> set[str]:
    return {clip.speaker.removeprefix("toy/") for clip in clips}


def test_it_is_found_by_its_name_and_by_its_folder(toy: Path) -> None:
    assert "toy" in corpora.names() and corpora.get("toy").name == "toy"
    clips = corpora.load("toy")
    assert clips == corpora.load(str(toy)) and len(clips) == 24
    assert {(clip.corpus, clip.speaker.partition("/")[0]) for clip in clips} == {("toy", "toy")}
    assert speakers(clips) == set("123456")
    done = json.loads(succeed("extract", "--data", "toy", "--jobs", 1, "--json").out)
    assert done["clips"] == 24
    with pytest.raises(DataError) as raised:
        corpora.load("nowhere")
    assert "savee, tess, toy" in raised.value.hint


def test_what_its_names_say_is_reported_by_predict(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "fake")
    (toy / "toy-1-loud-1.wav").rename(toy / "toy-7-quiet-1.wav")
    done = succeed("predict", toy, "--artifacts", folder, "--csv", tmp_path / "out.csv")
    assert "24 files have labels in their names (as in toy); scored on them:" in done.err
    found = {line.split()[0]: line.split()[1:] for line in done.err.splitlines() if line.split()}
    assert found["loud"] == ["0.917", "1.000", "0.957", "11"]
    assert found["quiet"] == ["1.000", "0.923", "0.960", "13"]


def test_training_clips_are_known_by_its_names(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "fake")
    rows = "file,emotion,speaker,split,recording\nx.wav,loud,toy/1,train,toy-1-loud-1\n"
    (folder / artifacts.SPLIT).write_text(rows, encoding="utf-8")
    done = succeed("predict", toy, "--artifacts", folder, "--csv", tmp_path / "out.csv")
    assert "1 of 24 clips was training data of this model" in done.err
    # Evaluation and export ask in this way, whatever the format of a copy.
    assert identity.of([Clip(toy / "toy-1-loud-1.flac")]) == ["toy-1-loud-1"]


def test_it_is_split_by_its_usual_protocol(toy: Path) -> None:
    clips = corpora.load("toy")
    split = splits.default_split(clips, 3)
    assert [speakers(part) for part in (split.train, split.dev, split.test)] == [
        {"1", "2", "3"},
        {"4"},
        {"5", "6"},
    ]
    assert not split.leaky
    # Without a held-out speaker it is not the corpus that the protocol is of.
    lacking = tuple(clip for clip in clips if clip.speaker != "toy/6")
    assert splits.default_split(lacking, 3) == splits.by_speaker(lacking, 3)


def test_its_held_out_speakers_are_never_tuned_on(toy: Path) -> None:
    assert corpora.held_out(corpora.load("toy")) == {"toy/5", "toy/6"}
    for split in SearchSplit:
        folds = tune.fold_splits(TuneJob(data=("toy",), split=split, folds=2))
        for fold in folds:
            assert speakers(fold.train + fold.dev) == {"1", "2", "3", "4"} and not fold.test


def test_its_protocol_is_one_of_all(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "toy-last-two" in protocols.names()
    assert protocols.corpus_of("toy-last-two").name == "toy"
    assert not protocols.is_leaky("toy-last-two")
    refused = ser("evaluate", "--protocol", "toy-first-two")
    assert refused.code == 2 and "'toy-last-two'" in refused.err
    assert "toy-last-two" in ser("evaluate", "--help").out
    table = tmp_path / "clips.csv"
    table.write_text("file,emotion\nclips/toy-1-loud-1.wav,happy\n", encoding="utf-8")
    done = ser("evaluate", "--protocol", "toy-last-two", "--data", table)
    assert done.code == 1 and "splits the corpus toy" in done.err and "--data toy" in done.err


def test_its_protocol_is_trained_and_tested(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    command = ("evaluate", "--protocol", "toy-last-two", "--data", "toy", "--params", "tiny.json")
    done = succeed(*command, "--epochs", 1, "--workers", 1, "--json")
    (scores,) = json.loads(done.out)["results"]
    assert (scores["data"], scores["n"], scores["leaky"]) == ("all", 8, False)
    (row,) = read_rows(Path("artifacts/results.csv"))
    assert (row["protocol"], row["data"]) == ("toy-last-two", "all")


def test_chosen_clips_stay_its_own(toy: Path) -> None:
    clips = select.choose(corpora.load("toy"), select.Selection(per_class=5), seed=0)
    assert len(clips) == 10 and {(clip.corpus, *clip.facts) for clip in clips} == {("toy", "take")}
