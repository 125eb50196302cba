"""What every recipe promises; a new one is tested by being there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from command import small, succeed

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.data.cache import waveform_features
from ser_cli.data.splits import Split
from ser_cli.errors import UsageError
from ser_cli.model import artifacts, preprocess
from ser_cli.model.calibration import calibrate
from ser_cli.model.runtime import Runtime
from ser_cli.stages import train
from ser_cli.stages.predict import predict
from ser_cli.training import dataset, trainer
from ser_cli.types import Clip

if TYPE_CHECKING:
    from ser_cli.types import Dataset, Floats, Recipe

NAMES = recipes.names()
GOLDEN = Path(__file__).parent / "golden"
EVERY = 8  # frame is kept in a golden file
LOOP = {  # what the training loop asks of any recipe
    "epochs",
    "patience",
    "batch_size",
    "learning_rate",
    "copies",
    "class_weights",
    "schedule",
    "min_learning_rate",
    "plateau_factor",
    "plateau_patience",
    "mask_frames",
    "mask_columns",
}

every_recipe = pytest.mark.parametrize("name", NAMES)


def tone(hertz: float, rate: int, seconds: float, seed: int = 0) -> Floats:
    at = np.arange(round(seconds * rate)) / rate
    hiss = np.random.default_rng(seed).standard_normal(len(at))
    return (0.3 * np.sin(2 * np.pi * hertz * at) + 0.01 * hiss).astype(np.float32)


def sounds(rate: int) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    at = np.arange(round(1.5 * rate)) / rate
    return {
        "silence": np.zeros(rate, np.float32),
        "noise": (0.1 * rng.standard_normal(round(1.5 * rate))).astype(np.float32),
        "a440": tone(440, rate, 1.5),
        "chirp": (0.5 * np.sin(2 * np.pi * (100 * at + 1000 * at**2))).astype(np.float32),
        "short": (0.1 * rng.standard_normal(rate // 20)).astype(np.float32),
        "sample": np.full(1, 0.1, np.float32),
    }


def equal(one: Floats, two: Floats) -> bool:
    return one.shape == two.shape and np.allclose(one, two, atol=1e-7)


@dataclass(frozen=True)
class Made:
    """A recipe trained on a few tones, and the folder it was written to."""

    recipe: Recipe
    data: Dataset
    trained: train.Trained
    folder: Path


def corpus(folder: Path, recipe: Recipe) -> tuple[Clip, ...]:
    folder.mkdir()
    clips = []
    for n in range(24):
        label, path = recipe.labels[n % 2], folder / f"{n:02d}.wav"
        hertz = (200, 1500)[n % 2] + 5 * n
        seconds = recipe.duration or 0.6
        soundfile.write(path, tone(hertz, recipe.sample_rate, seconds, n), recipe.sample_rate)
        clips.append(Clip(path, emotion=label))
    return tuple(clips)


@pytest.fixture(scope="module", params=NAMES)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    recipe, root = recipes.get(request.param), tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        clips = corpus(root / "clips", recipe)
        split = Split(clips[:16], clips[16:20], clips[20:], leaky=True)
        loaded = dataset.load(split, recipe, copies=0, seed=0, jobs=1)
        data, chosen = dataset.assemble(loaded, recipe), small(recipe)
        trainer.prepare(0, threads=1)
        trained = train.run(data, recipe, chosen, seed=0)
        trained = replace(trained, temperature=1.7)  # visible, whatever dev said
        folder = root / "artifacts"
        artifacts.unseal(folder)
        facts = {"recipe": recipe.name, "recipe_version": recipe.version}
        train.save(folder, trained, recipe, chosen, loaded, facts)
        yield Made(recipe, data, trained, folder)


def test_names_are_found_by_the_files() -> None:
    assert recipes.DEFAULT in NAMES
    assert list(NAMES) == sorted(NAMES)
    with pytest.raises(UsageError, match="there is no recipe 'crnn'") as raised:
        recipes.get("crnn")
    assert recipes.DEFAULT in raised.value.hint


@every_recipe
def test_fields_make_sense(name: str) -> None:
    recipe = recipes.get(name)
    assert recipe.name == name and recipe.source
    assert list(recipe.labels) == sorted(recipe.labels)
    assert set(recipe.labels) <= set(corpora.EMOTIONS) and len(recipe.labels) >= 2
    assert 8_000 <= recipe.sample_rate <= 48_000 and recipe.features >= 1 and recipe.version >= 1
    assert recipe.duration is None or 0.5 <= recipe.duration <= 10
    assert recipe.frames is None or recipe.frames >= 1
    assert recipe.scale in ("frame", "cell", "none")
    assert recipe.defaults.keys() >= LOOP
    assert len(recipe.columns) == len(set(recipe.columns)) == recipe.features
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*(_\d+)+", column) for column in recipe.columns)


@every_recipe
@pytest.mark.parametrize("sound", sounds(16_000))
def test_features_are_finite_frames(name: str, sound: str) -> None:
    recipe = recipes.get(name)
    waveform = sounds(recipe.sample_rate)[sound]
    before = waveform.copy()
    features = waveform_features(waveform, recipe)
    assert features.dtype == np.float32
    assert features.ndim == 2 and features.shape[1] == recipe.features and len(features) >= 1
    assert np.isfinite(features).all()
    if recipe.duration is not None and recipe.frames is not None:
        assert len(features) == recipe.frames
    np.testing.assert_array_equal(waveform_features(waveform, recipe), features)
    np.testing.assert_array_equal(waveform, before)


@every_recipe
def test_different_sounds_have_different_features(name: str) -> None:
    recipe = recipes.get(name)
    made = sounds(recipe.sample_rate)
    first, second = (waveform_features(made[k], recipe) for k in ("noise", "a440"))
    # In every kind of feature, not in one alone.
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) > 0).mean() > 0.9


@every_recipe
def test_features_are_the_golden_ones(name: str, request: pytest.FixtureRequest) -> None:
    recipe = recipes.get(name)
    made = {
        key: waveform_features(waveform, recipe)[::EVERY]
        for key, waveform in sounds(recipe.sample_rate).items()
    }
    path = GOLDEN / f"{name}.npz"
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        np.savez_compressed(path, **made)  # type: ignore[arg-type]
    assert path.is_file(), "write it once: pytest --update-golden"
    with np.load(path) as golden:
        assert set(golden) == made.keys()
        for key, features in made.items():
            # A coefficient of some hundred dB is stored with 7 digits.
            np.testing.assert_allclose(features, golden[key], atol=5e-3, rtol=1e-4, err_msg=key)


@every_recipe
def test_augmentation_follows_its_generator(name: str) -> None:
    recipe = recipes.get(name)
    waveform = tone(300, recipe.sample_rate, 1.0)
    before = waveform.copy()

    def copies(seed: int) -> list[Floats]:
        return [recipe.augment(waveform, np.random.default_rng([seed, k]), k) for k in range(1, 7)]

    first, again, other = copies(1), copies(1), copies(2)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.dtype == np.float32 and one.ndim == 1
    # Fixed copies may be equal, not all of them.
    assert any(not equal(one, another) for one, another in zip(first, other, strict=True))
    # And no copy is another's, or the clip itself.
    whole = [waveform, *first]
    assert not any(equal(one, two) for n, one in enumerate(whole) for two in whole[:n])
    np.testing.assert_array_equal(waveform, before)


@every_recipe
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
def test_augmentation_keeps_sounds_usable(name: str) -> None:
    recipe = recipes.get(name)
    for key, waveform in sounds(recipe.sample_rate).items():
        for copy in range(1, 5):
            moved = recipe.augment(waveform, np.random.default_rng(copy), copy)
            assert np.isfinite(moved).all(), key
            assert 0.7 * len(waveform) - 1 <= len(moved) <= 1.5 * len(waveform) + 1, key
            assert np.abs(moved).max() < 2, key
            assert np.isfinite(waveform_features(moved, recipe)).all(), key


@every_recipe
def test_the_search_varies_settings_that_exist(name: str) -> None:
    import optuna

    recipe = recipes.get(name)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [recipe.search(study.ask()) for _ in range(5)]
    for suggested in drawn:
        assert suggested.keys() <= recipe.defaults.keys()
        for key, value in suggested.items():
            assert isinstance(value, type(recipe.defaults[key])), key
    assert all(len({row[key] for row in drawn}) > 1 for key in drawn[0])


@every_recipe
@pytest.mark.filterwarnings("error")
def test_the_defaults_lie_within_the_search(name: str) -> None:
    import optuna

    recipe = recipes.get(name)
    suggested = recipe.search(optuna.trial.FixedTrial(dict(recipe.defaults)))  # type: ignore[arg-type]
    assert suggested == {key: recipe.defaults[key] for key in suggested}


def test_the_network_is_a_softmax_over_the_classes(made: Made) -> None:
    model, (frames, columns) = made.trained.model, made.data.train.x.shape[1:]
    assert columns == made.recipe.features
    assert frames == (made.recipe.frames or made.data.preprocessor.max_len)
    for classes in (2, 5):
        other = made.recipe.build((frames, columns), classes, small(made.recipe))
        out = np.asarray(other(np.zeros((3, frames, columns), np.float32), training=False))
        assert out.shape == (3, classes)
        np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-5)
        assert (out >= 0).all()
    assert model.output_shape == (None, 2)


def test_training_learns(made: Made) -> None:
    first, second = made.trained.fit.history
    assert second["loss"] < first["loss"]


def test_what_is_written_computes_what_was_trained(made: Made) -> None:
    import keras

    x = np.concatenate([made.data.train.x, made.data.test.x])
    expected = trainer.probabilities(made.trained.model, x)
    loaded = artifacts.load(made.folder)
    assert loaded.temperature == 1.7 and loaded.recipe == made.recipe.name
    reloaded = keras.saving.load_model(made.folder / artifacts.KERAS)
    np.testing.assert_allclose(trainer.probabilities(reloaded, x), expected, atol=1e-5)
    outputs = Runtime(loaded).probabilities(x)
    np.testing.assert_allclose(outputs, calibrate(expected, 1.7), atol=1e-5)
    assert not np.allclose(outputs, expected, atol=1e-3)


def test_prediction_of_files_is_that_of_the_trained_network(made: Made) -> None:
    clips = made.data.test.clips
    rows = list(predict([str(clip.path) for clip in clips], artifacts.load(made.folder)))
    outputs = trainer.probabilities(made.trained.model, made.data.test.x)
    expected = calibrate(outputs, made.trained.temperature)
    classes = made.data.preprocessor.classes
    assert [row.file for row in rows] == [str(clip.path) for clip in clips]
    for row, shares in zip(rows, expected, strict=True):
        assert row.status == "ok" and row.probabilities is not None
        np.testing.assert_allclose(row.probabilities, shares, atol=1e-5)
        assert row.emotion == classes[shares.argmax()]
        assert row.confidence == pytest.approx(shares.max(), abs=1e-5)


def test_scaling_is_learned_from_the_recipes_own_features(made: Made) -> None:
    clip = made.data.test.clips[0]
    waveform, _ = soundfile.read(clip.path, dtype="float32")
    x = preprocess.transform([waveform_features(waveform, made.recipe)], made.data.preprocessor)
    np.testing.assert_allclose(x[0], made.data.test.x[0], atol=1e-4)


TOY = """
from dataclasses import replace
import numpy as np
from ser_cli.recipes import mfcc_mlp

def extract(waveform):
    return np.stack([np.abs(waveform).mean(), np.abs(np.diff(waveform)).mean()])[None].astype("f4")

RECIPE = replace(
    mfcc_mlp.RECIPE,
    name="toy-two",
    source="none",
    features=2,
    columns=("mean_0", "peak_0"),
    extract=extract,
)
"""


def test_a_new_recipe_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "toy_two.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path / "recipes")])
    monkeypatch.setitem(sys.modules, "ser_cli.recipes.toy_two", None)  # and out again at the end
    del sys.modules["ser_cli.recipes.toy_two"]
    monkeypatch.chdir(tmp_path)
    rows = ["file,emotion,split"]
    for clip in corpus(tmp_path / "clips", recipes.get("toy-two")):
        part = "test" if int(clip.path.stem) > 19 else "train"
        rows.append(f"{clip.path},{clip.emotion},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")

    once = ("--epochs", 30, "--jobs", 1, "--threads", 1)
    succeed("train", "--data", "clips.csv", "--recipe", "toy-two", *once)
    table = succeed("evaluate", "--recipe", "toy-two", "--json")
    assert json.loads(table.out)["reports"]["all"]["n"] == 4
    heard = succeed("predict", "clips/22.wav", "clips/23.wav", "--recipe", "toy-two", "--json")
    said = [json.loads(line)["emotion"] for line in heard.out.splitlines()]
    assert said == list(recipes.get("toy-two").labels[:2])  # a low tone and a high one
    listed = {row["name"]: row for row in json.loads(succeed("recipes", "--json").out)}
    assert listed["toy-two"]["parameters"] == 2 * 256 + 256 + 256 * 128 + 128 + 128 * 8 + 8


def test_the_list_of_recipes() -> None:
    listed = {row["name"]: row for row in json.loads(succeed("recipes", "--json").out)}
    assert tuple(listed) == NAMES
    assert listed["mfcc-cnn1d"] == {
        "name": "mfcc-cnn1d",
        "source": "Emotion Detection from Speech",
        "sample_rate": 22_050,
        "duration": 2.5,
        "frames": 1,
        "features": 2376,
        "parameters": 7_193_736,
    }
    shown = succeed("recipes").out
    assert all(name in shown for name in NAMES)
    assert "Emotion Detection from Speech" in shown
    assert "T x 139" in shown and "7,193,736" in shown
