"""Which settings win, and what is said of their origin."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import fake
import pytest

from ser_cli import recipes
from ser_cli.errors import ArtifactsError
from ser_cli.report import results
from ser_cli.training import settings
from ser_cli.training.settings import Settings
from ser_cli.types import TrainSettings

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
SETTINGS = sorted((ARTIFACTS / "settings").glob("*.json"))
RECIPE = fake.recipe(params={"dropout": 0.3}, train=TrainSettings(epochs=100, batch_size=16))


def tuned(folder: Path, text: str) -> Path:
    path = folder / "best_hyperparameters.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults() -> None:
    assert settings.resolve(RECIPE) == Settings({"dropout": 0.3}, RECIPE.train, "defaults")
    assert settings.resolve(RECIPE, None, {}) == settings.resolve(RECIPE)


def test_a_file_beats_defaults_and_options_beat_both(tmp_path: Path) -> None:
    file = tuned(tmp_path, settings.to_json({"dropout": 0.5, "epochs": 7}, settings_from="study x"))
    overrides = {"epochs": 2, "batch_size": None}
    chosen = settings.resolve(RECIPE, file, overrides)
    assert chosen.params == {"dropout": 0.5}
    assert chosen.train == TrainSettings(epochs=2, batch_size=16)
    assert chosen.origin == "study x with epochs=2"
    # And the recipe stays what it was.
    assert (RECIPE.train.epochs, RECIPE.params) == (100, {"dropout": 0.3})


def test_zero_is_an_option(tmp_path: Path) -> None:
    recipe = fake.recipe(train=TrainSettings(copies=1))
    assert settings.resolve(recipe, None, {"copies": 0}) == Settings(
        {}, TrainSettings(copies=0), "defaults with copies=0"
    )


def test_all_settings_are_flat_in_a_file_and_the_unset_are_left_out() -> None:
    flat = settings.resolve(RECIPE).flat()
    assert flat == {"dropout": 0.3, **{k: v for k, v in asdict(RECIPE.train).items() if k in flat}}
    assert asdict(RECIPE.train).keys() - flat.keys() == {"max_len"}
    chosen = settings.resolve(RECIPE).but({"max_len": 40, "dropout": 0.1})
    assert (chosen.flat()["max_len"], chosen.flat()["dropout"]) == (40, 0.1)


def test_the_file_of_the_reference_notebook_is_read(tmp_path: Path) -> None:
    # As the notebook prints it.
    printed = {
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
    chosen = settings.resolve(recipe, tuned(tmp_path, json.dumps(printed)), {})
    # They are the notebook's, so nothing changes.
    assert (chosen.params, chosen.train) == (dict(recipe.params), recipe.train)
    assert chosen.origin == "best_hyperparameters.json"


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
    recipe = recipes.get(file.stem)
    chosen = settings.resolve(recipe, file, {})
    assert (dict(chosen.params), chosen.train) != (dict(recipe.params), recipe.train)
    rows = results.read(ARTIFACTS / "results.csv")
    named = {row["settings_from"] for row in rows if row["recipe"] == file.stem}
    assert chosen.origin in named - {"defaults"}
