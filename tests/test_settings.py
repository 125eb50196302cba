"""Which settings win, and what is said of their origin."""

from __future__ import annotations

import json
from pathlib import Path

import fake
import pytest

from ser_cli import recipes
from ser_cli.errors import ArtifactsError
from ser_cli.report import results
from ser_cli.training import settings

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
SETTINGS = sorted((ARTIFACTS / "settings").glob("*.json"))
RECIPE = fake.recipe(defaults={"epochs": 100, "dropout": 0.3, "batch_size": 16})


def tuned(folder: Path, text: str) -> Path:
    path = folder / "best_hyperparameters.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults() -> None:
    assert settings.resolve(RECIPE, None, {}) == (dict(RECIPE.defaults), "defaults")


def test_a_file_beats_defaults_and_options_beat_both(tmp_path: Path) -> None:
    file = tuned(tmp_path, settings.to_json({"dropout": 0.5, "epochs": 7}, settings_from="study x"))
    overrides = {"epochs": 2, "batch_size": None}
    chosen, origin = settings.resolve(RECIPE, file, overrides)
    assert chosen == {"epochs": 2, "dropout": 0.5, "batch_size": 16}
    assert origin == "study x with epochs=2"
    assert RECIPE.defaults["epochs"] == 100  # and the recipe stays what it was


def test_zero_is_an_option(tmp_path: Path) -> None:
    recipe = fake.recipe(defaults={"copies": 1})
    assert settings.resolve(recipe, None, {"copies": 0}) == (
        {"copies": 0},
        "defaults with copies=0",
    )


def test_the_file_of_the_reference_notebook_is_read(tmp_path: Path) -> None:
    # As the notebook prints it.
    seed = {
        "conv1_filters": 224,
        "conv2_filters": 256,
        "conv3_filters": 128,
        "kernel_size": 7,
        "pool_size": 2,
        "conv_dropout": 0.2,
        "lstm_units": 224,
        "dense_units": 160,
        "dropout": 0.3,
        "learning_rate": 0.00046957,
        "batch_size": 16,
        "conv_l2": 2.9e-06,
        "dense_l2": 2.2e-06,
        "output_l2": 0.00186,
        "lstm_l2": 3.37e-05,
    }
    recipe = recipes.get("cnn-bilstm")
    chosen, origin = settings.resolve(recipe, tuned(tmp_path, json.dumps(seed)), {})
    assert chosen == dict(recipe.defaults)  # they are the notebook's, so nothing changes
    assert origin == "best_hyperparameters.json"


def test_what_is_written_is_flat_and_says_its_origin() -> None:
    text = settings.to_json({"dropout": 0.5}, settings_from="study x")
    assert json.loads(text) == {"dropout": 0.5, "settings_from": "study x"}
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "holds no settings"),
        ('{"droput": 0.5, "lr": 1}', "sets droput, lr, which the recipe fake does not know"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArtifactsError, match=message) as raised:
        settings.resolve(RECIPE, tuned(tmp_path, text), {})
    assert raised.value.hint


def test_a_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(ArtifactsError, match="cannot be read"):
        settings.resolve(RECIPE, tmp_path / "no.json", {})


@pytest.mark.parametrize("file", SETTINGS, ids=lambda file: file.stem)
def test_what_better_training_takes_is_what_the_results_name(file: Path) -> None:
    chosen, origin = settings.resolve(recipes.get(file.stem), file, {})
    assert chosen != recipes.get(file.stem).defaults
    rows = results.read(ARTIFACTS / "results.csv")
    named = {row["settings_from"] for row in rows if row["recipe"] == file.stem}
    assert origin in named - {"defaults"}
