"""A front end that holds a model file, from one new recipe file to a prediction."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command import EMOTIONS, RATE, ser, succeed, tone
from corpus import by_table, read_rows
from onnx import TensorProto, helper, numpy_helper

from ser_cli import onnx_session, recipes

HOP, FIELD = 320, 400
ENCODER = "encoder.onnx"
# All there is to a recipe with an encoder: one file, and the encoder beside it.
TOY = """
from pathlib import Path

from ser_cli import onnx_session
from ser_cli.recipes import Recipe
from ser_cli.sound.augment import tempo_and_pitch
from ser_cli.sound.features import at_least
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.types import TrainSettings


def extract(waveform, encoder):
    return onnx_session.run(encoder, at_least(waveform, 400)[None, None])[0]


def build(shape, n_classes, params):
    from keras import Input, Sequential, layers

    head = layers.Dense(n_classes, activation="softmax")
    return Sequential([Input(shape), layers.GlobalAveragePooling1D(), head])


RECIPE = Recipe(
    name="toy-encoder",
    source="none",
    frontend=Frontend(
        name="toy-encoder",
        sample_rate=16_000,
        columns=columns(tone=8),
        extract=extract,
        hop=320,
        field=400,
        centred=False,
        files=(Path(__file__).with_name("encoder.onnx"),),
    ),
    augment=tempo_and_pitch,
    build=build,
    params={},
    search=lambda trial: {},
    train=TrainSettings(epochs=30, batch_size=4, learning_rate=0.05),
)
"""
# Puts the recipe into the package of every process that is started, as an installation would,
# and notes which process loads which model.
SITE = """
import os
from ser_cli import onnx_session, recipes

recipes.__path__.append({recipes!r})
load = onnx_session.open_session

def noted(path, **options):
    with open({log!r}, "a", encoding="utf-8") as log:
        print(os.getpid(), path, file=log)
    return load(path, **options)

onnx_session.open_session = noted
"""


def encoder(path: Path, gain: float = 1.0) -> Path:
    """Write an encoder: how loud each of the corpus's tones is in a frame, as sine and cosine."""
    at = np.arange(FIELD) - FIELD / 2
    angles = 2 * np.pi * np.outer(list(EMOTIONS.values()), at / RATE)
    short = gain * np.exp(-((at / 20) ** 2) / 2)  # each takes a tone that is 100 Hz beside it
    filters = (short * np.concatenate([np.sin(angles), np.cos(angles)]))[:, None].astype("f4")
    nodes = [
        helper.make_node("Conv", ["waveform", "filters"], ["waves"], strides=[HOP]),
        helper.make_node("Abs", ["waves"], ["levels"]),
        helper.make_node("Transpose", ["levels"], ["frames"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [1, 1, "n"])],
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, [1, "t", len(filters)])],
        [numpy_helper.from_array(filters, "filters")],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    return path


@dataclass(frozen=True)
class Home:
    """A trained folder, its corpus, the encoder as it was, and the notes of who loaded what."""

    trained: Path
    table: Path
    encoder: bytes
    extracted: dict[str, Any]
    log: Path

    def loads(self, path: Path) -> Counter[int]:
        """Count how often each process loaded a file."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return Counter(int(who) for who, what in (line.split(" ", 1) for line in lines)
                       if what == str(path))  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("encoder")
    for name in ("recipes", "site"):
        (root / name).mkdir()
    (root / "recipes" / "toy_encoder.py").write_text(TOY, encoding="utf-8")
    given, log = encoder(root / "recipes" / ENCODER), root / "loads.txt"
    site = SITE.format(recipes=str(root / "recipes"), log=str(log))
    (root / "site" / "sitecustomize.py").write_text(site, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(root / "site"), *sys.path]))
        patch.setattr(recipes, "__path__", list(recipes.__path__))
        patch.setattr(onnx_session, "open_session", onnx_session.open_session)
        patch.delitem(sys.modules, "ser_cli.recipes.toy_encoder", raising=False)
        exec(site, {})
        table, trained, content = by_table(root), root / "trained", given.read_bytes()
        data = ("--data", table, "--recipe", "toy-encoder", "--jobs", 2)
        extracted = json.loads(succeed("extract", *data, "--json").out)
        succeed("train", *data, "--artifacts", trained, "--threads", 1)
        # What is left where it was at training time hears nothing.
        encoder(given, gain=0.0)
        yield Home(trained, table, content, extracted, log)
        sys.modules.pop("ser_cli.recipes.toy_encoder")


@pytest.fixture
def trained(home: Home, tmp_path: Path) -> Path:
    """A copy of the trained folder, which no process has read yet."""
    return shutil.copytree(home.trained, tmp_path / "moved")


def test_every_clip_has_the_encoders_frames(home: Home) -> None:
    frames = 1 + (round(0.6 * RATE) - FIELD) // HOP
    assert (home.extracted["clips"], home.extracted["features"]) == (48, 8)
    assert (home.extracted["frames"], home.extracted["computed"]) == (48 * frames, 48)


def test_the_encoder_lies_sealed_in_the_artifacts_folder(home: Home) -> None:
    assert (home.trained / ENCODER).read_bytes() == home.encoder
    manifest = json.loads((home.trained / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["frontend_files"] == [ENCODER]
    assert manifest["files"][ENCODER] == {
        "bytes": len(home.encoder),
        "sha256": hashlib.sha256(home.encoder).hexdigest(),
    }


@pytest.mark.parametrize("jobs", [1, 2])
def test_prediction_takes_the_encoder_from_the_folder(
    home: Home, trained: Path, tmp_path: Path, jobs: int
) -> None:
    truth = {row["file"]: row["emotion"] for row in read_rows(home.table)}
    files = [home.table.parent / name for name in truth]
    out = tmp_path / "out.csv"
    done = succeed(
        "predict", *files, "--artifacts", trained, "--jobs", jobs, "--csv", out, "--hear-all"
    )
    rows = read_rows(out)
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert [row["emotion"] for row in rows] == list(truth.values()), done.err
    loads = home.loads(trained / ENCODER)
    assert set(loads.values()) == {1}  # however many files a process labels
    assert 1 <= len(loads) <= jobs
    assert (os.getpid() in loads) == (jobs == 1)


def test_recordings_of_any_length_are_heard(trained: Path, tmp_path: Path) -> None:
    for name, seconds in (("short", 0.01), ("long", 2.0)):
        tone(tmp_path / f"{name}.wav", EMOTIONS["calm"], seed=1, seconds=seconds)
    files = (tmp_path / "short.wav", tmp_path / "long.wav")
    lines = succeed(
        "predict", *files, "--artifacts", trained, "--json", "--hear-all"
    ).out.splitlines()
    short, long = map(json.loads, lines)
    assert (short["status"], short["flags"]) == ("warning", "short")
    assert (long["emotion"], long["flags"]) == ("calm", "long")


@pytest.mark.parametrize("command", ["predict", "evaluate", "export"])
@pytest.mark.parametrize("how", ["exchanged", "missing"])
def test_another_encoder_is_refused(
    home: Home, trained: Path, tmp_path: Path, command: str, how: str
) -> None:
    path = trained / ENCODER
    path.unlink()
    if how == "exchanged":
        encoder(path, gain=2.0)
        assert path.stat().st_size == len(home.encoder)
    words = {
        "predict": (tone(tmp_path / "a.wav", 440, seed=0),),
        "evaluate": (),
        "export": ("--format", "onnx", "--out", tmp_path / "out.onnx", "--data", home.table),
    }
    done = ser(command, *words[command], "--artifacts", trained)
    reason = {"exchanged": "is not the file that was sealed", "missing": "is missing"}[how]
    assert done.code == 1 and f"{ENCODER} {reason}" in done.err
    assert not (tmp_path / "out.onnx").exists()


def test_an_evaluation_takes_the_encoder_from_the_folder(home: Home, trained: Path) -> None:
    done = succeed("evaluate", "--artifacts", trained, "--json")
    (result,) = json.loads(done.out)["results"]
    parts = Counter(row["split"] for row in read_rows(trained / "split.csv"))
    assert result["n"] == parts["test"] > 0 and result["uar"] == 1.0
    assert home.loads(trained / ENCODER)


def test_an_export_is_checked_on_the_encoders_features(
    home: Home, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.onnx"
    where = ("--artifacts", trained, "--data", home.table, "--out", out)
    record = json.loads(succeed("export", "--format", "onnx", *where, "--json").out)
    assert (record["clips"], record["labels_flipped"]) == (48, 0)
    assert record["input"][-1] == 8 and out.is_file()
    assert home.loads(trained / ENCODER)
