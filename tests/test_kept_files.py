"""Files that earlier versions wrote are still read, and mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ser_cli
from ser_cli import recipes
from ser_cli.data import corpora, protocols
from ser_cli.model import artifacts
from ser_cli.report import results
from ser_cli.stages import matrix
from ser_cli.training import settings

HERE = Path(__file__).parent
ARTIFACTS = HERE.parent / "artifacts"
PRETRAINED = ARTIFACTS / "pretrained" / "cnn-bilstm"
ROWS = results.read(ARTIFACTS / "results.csv")
# Rows of the clips as version 0.1.0 predicted them, to six digits; not to be written anew.
BEFORE = json.loads((HERE / "golden" / "pretrained.json").read_text(encoding="utf-8"))
# Processors differ in the order in which they sum.
DIGITS = 1e-4


def test_the_shipped_model_says_what_it_said() -> None:
    model = ser_cli.load(PRETRAINED)
    rows = model.predict(sorted((HERE / "clips").glob("*.flac")))
    assert len(rows) == len(BEFORE) == 4
    for row, before in zip(rows, BEFORE, strict=True):
        named = (Path(row.file).name, row.emotion, row.status, list(row.flags))
        assert named == tuple(before[name] for name in ("file", "emotion", "status", "flags"))
        assert (row.start, row.end) == pytest.approx((before["start"], before["end"]), abs=1e-6)
        assert row.confidence == pytest.approx(before["confidence"], abs=DIGITS)
        assert row.probabilities is not None
        assert list(before["probabilities"]) == list(model.classes)
        stated = list(before["probabilities"].values())
        np.testing.assert_allclose(row.probabilities, stated, atol=DIGITS, rtol=0)


def test_the_shipped_network_is_the_same_in_keras() -> None:
    from ser_cli.export import keras_network
    from ser_cli.model.network import OnnxNetwork

    trained = artifacts.load(PRETRAINED)
    width = recipes.get(trained.recipe).frontend.width
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal((90, width)).astype(np.float32) for _ in range(3)]
    networks = OnnxNetwork(trained.onnx), keras_network.load(PRETRAINED / artifacts.KERAS)
    first, second = (network.probabilities(sounds, trained.preprocessor) for network in networks)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_the_shipped_folder_tells_how_it_came_to_be() -> None:
    trained = artifacts.load(PRETRAINED)
    assert trained.manifest["data"] == "ravdess"  # one name, where it is a list now
    roles = artifacts.read_split(PRETRAINED)
    assert len(roles) == sum(trained.manifest["clips"].values()) > 2000
    history = artifacts.read_history(PRETRAINED)
    assert len(history) >= trained.manifest["best_epoch"]
    recipe = recipes.get(trained.recipe)
    chosen = settings.resolve(recipe, PRETRAINED / artifacts.HYPERPARAMETERS)
    assert set(trained.manifest["settings"]) <= set(chosen.flat())
    assert trained.manifest["settings_from"].startswith(chosen.origin)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:6]))
def test_every_row_of_results_is_read(row: dict[str, str]) -> None:
    record = results.as_record(row)
    assert recipes.get(record["recipe"]).name == row["recipe"]
    data = record["data"].split(", ")[0]
    if record["protocol"] == matrix.PROTOCOL:
        assert data in corpora.names() and data not in record["corpora"].split("+")
        assert record["leaky"] is False
    else:
        protocol = protocols.get(record["protocol"])
        assert record["leaky"] is protocol.leaky and data in protocol.parts
        assert protocols.corpus_of(protocol.name).name in record["corpora"].split("+")
    assert 0 <= record["low"] <= record["uar"] <= record["high"] <= 1
    assert {type(record[name]) for name in ("war", "macro_f1", "weighted_f1", "ece")} == {float}
    assert {type(record[name]) for name in ("seed", "enrol_clips", "seconds")} == {int}
    assert results.origin(record["settings_from"])


def test_a_table_of_results_grows_without_a_change_to_its_rows(tmp_path: Path) -> None:
    table = tmp_path / "results.csv"
    content = (ARTIFACTS / "results.csv").read_bytes()
    table.write_bytes(content)
    record = results.as_record(ROWS[0]) | {"seed": 99}
    results.add(table, [results.Row(**{name: record[name] for name in results.COLUMNS})])
    assert table.read_bytes().startswith(content)
    assert len(results.read(table)) == len(ROWS) + 1 > 50


@pytest.mark.parametrize(
    "file", sorted((ARTIFACTS / "settings").glob("*.json")), ids=lambda file: file.stem
)
def test_every_file_of_settings_is_read(file: Path) -> None:
    written = json.loads(file.read_text(encoding="utf-8"))
    chosen = settings.resolve(recipes.get(file.stem), file)
    assert chosen.origin == written.pop("settings_from")
    flat = chosen.flat()
    assert {name: flat[name] for name in written} == written
