"""A trained system small enough to check by hand, without TensorFlow."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ser_cli import recipes
from ser_cli.model import artifacts, windows
from ser_cli.recipes import Recipe
from ser_cli.report import results
from ser_cli.sound.frontend import Column, Frontend
from ser_cli.types import Prediction, Preprocessor

if TYPE_CHECKING:
    from ser_cli.types import Floats

CLASSES = ("quiet", "loud")
RATE, HOP = 16_000, 160
MAX_LEN = 100  # frames: one second
ROW = results.Row(
    recipe="cnn-bilstm",
    protocol="emobox6",
    data="speech",
    corpora="ravdess",
    seed=0,
    enrol_clips=0,
    settings_from="defaults",
    uar=0.66666,
    war=0.5,
    macro_f1=0.4,
    weighted_f1=0.45,
    ece=0.1,
    low=0.6,
    high=0.7,
    epochs="3;4",
    seconds=12,
    command="ser evaluate --data 'my clips'",
)


def extract(waveform: Floats) -> Floats:
    """Return two columns a frame of 10 ms: the mean magnitude, and ones."""
    n_frames = -(-len(waveform) // HOP)
    padded = np.pad(waveform, (0, n_frames * HOP - len(waveform)))
    loudness = np.abs(padded).reshape(n_frames, HOP).mean(axis=1)
    return np.stack([loudness, np.ones(n_frames)], axis=1).astype(np.float32)


FRONTEND = Frontend(
    name="fake",
    sample_rate=RATE,
    columns=(Column("loudness", 0), Column("one", 0)),
    extract=extract,
    hop=HOP,
    field=HOP,
    centred=False,
)


def recipe(**changes: Any) -> Recipe:
    """Return the recipe "fake"; changes are fields of it or of its front end."""
    of_frontend = {field.name for field in fields(Frontend)} - {"name"}
    frontend = replace(FRONTEND, **{k: v for k, v in changes.items() if k in of_frontend})
    settings: dict[str, Any] = {
        "name": "fake",
        "source": "",
        "frontend": frontend,
        "augment": None,
        "build": None,
        "params": {},
        "search": None,
    }
    return Recipe(**settings | {k: v for k, v in changes.items() if k not in of_frontend})


def network(path: Path, *, max_len: int = MAX_LEN, classes: int = 2) -> None:
    """Write softmax(mean over time @ W): louder than 0.1 on average is "loud"."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.zeros((2, classes), np.float32)
    weights[:, 1] = 40, -4
    nodes = [
        helper.make_node("ReduceMean", ["x", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "fake",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", max_len, 2])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))


def folder(where: Path, **facts: Any) -> Path:
    """Write a sealed artifacts folder of the fake network."""
    unseal(where)
    plain = Preprocessor(MAX_LEN, np.zeros(2), np.ones(2), CLASSES)
    artifacts.write_shared(where, plain)
    network(where / artifacts.ONNX)
    artifacts.seal(where, facts={"recipe": "fake", **facts})
    return where


def unseal(where: Path) -> None:
    """Take the manifest away, so that files may be written; the folder is made if absent."""
    where.mkdir(parents=True, exist_ok=True)
    (where / artifacts.MANIFEST).unlink(missing_ok=True)


def register(monkeypatch: pytest.MonkeyPatch, chosen: Recipe | None = None) -> None:
    """Make the registry know the fake recipe, and load no other; noise stands for speech."""
    monkeypatch.setattr(windows, "speaks", lambda wave, sample_rate: True)
    modules = [*iter_modules(recipes.__path__), SimpleNamespace(name="fake")]
    monkeypatch.setattr(recipes, "iter_modules", lambda path: modules)
    known = {"fake": chosen or recipe()}
    monkeypatch.setattr(recipes, "get", lambda name, encoder=None: known[name])


def shares(row: Prediction) -> Floats:
    """Return the probabilities of a row that has some."""
    assert row.probabilities is not None
    return row.probabilities


def moved(frontend: Frontend, folder: Path) -> Frontend:
    """Copy the files of a front end into a new folder, and return that which reads them there."""
    folder.mkdir()
    for path in frontend.files:
        (folder / path.name).write_bytes(path.read_bytes())
    return frontend.within(folder)
