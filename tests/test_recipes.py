"""What every recipe promises; a new one is tested by being there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from command import small, succeed

from ser_cli import recipes
from ser_cli.data.splits import Split
from ser_cli.errors import UsageError
from ser_cli.export.keras_network import KerasNetwork
from ser_cli.jobs.trained import PredictJob
from ser_cli.model import artifacts, preprocess
from ser_cli.model.calibration import calibrate
from ser_cli.model.network import OnnxNetwork
from ser_cli.model.pipeline import Pipeline
from ser_cli.stages.predict import predict
from ser_cli.training import saving, session, settings
from ser_cli.types import Clip, Copy, TrainSettings

if TYPE_CHECKING:
    from ser_cli.data.features import Features
    from ser_cli.recipes import Recipe
    from ser_cli.types import Floats

NAMES = recipes.names()
GOLDEN = Path(__file__).parent / "golden"
EVERY = 8  # frame is kept in a golden file
LABELS = ("calm", "happy")

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
    sounds: session.Sounds
    trained: session.Trained
    folder: Path

    @property
    def learned(self) -> Features:
        return self.trained.data.train.features

    @property
    def tests(self) -> Features:
        return self.sounds.found.of(self.sounds.found.split.test)

    def outputs(self, features: Features) -> Floats:
        """Return what the network in Keras says, not calibrated."""
        pipeline = self.trained.pipeline
        return pipeline.network.probabilities(features, pipeline.preprocessor)


def corpus(folder: Path, recipe: Recipe) -> tuple[Clip, ...]:
    folder.mkdir()
    clips, rate = [], recipe.frontend.sample_rate
    for n in range(24):
        label, path = LABELS[n % 2], folder / f"{n:02d}.wav"
        hertz = (200, 1500)[n % 2] + 5 * n
        seconds = recipe.frontend.duration or 0.6
        soundfile.write(path, tone(hertz, rate, seconds, n), rate)
        clips.append(Clip(path, emotion=label))
    return tuple(clips)


# A minute of its own, for the network of cnn-lstm-attention and one more column.
DEAR = "cnn-lstm-attention-rms"
TRAINED = [pytest.param(name, marks=pytest.mark.slow if name == DEAR else ()) for name in NAMES]


@pytest.fixture(scope="module", params=TRAINED)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    recipe, root = recipes.get(request.param), tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        clips = corpus(root / "clips", recipe)
        split = Split(clips[:16], clips[16:20], clips[20:], leaky=True)
        work = session.Work(recipe.name, small(recipe))
        sounds = session.load(split, work, jobs=1)
        trained = session.train_one(sounds, work, threads=1)
        trained.pipeline.temperature = 1.7  # visible, whatever dev said
        folder = root / "artifacts"
        saving.save(folder, trained, work, sounds, {})
        yield Made(recipe, sounds, trained, folder)


def test_names_are_found_by_the_files() -> None:
    assert recipes.DEFAULT in NAMES
    assert list(NAMES) == sorted(NAMES)
    with pytest.raises(UsageError, match="there is no recipe 'crnn'") as raised:
        recipes.get("crnn")
    assert recipes.DEFAULT in raised.value.hint


@every_recipe
def test_fields_make_sense(name: str) -> None:
    recipe = recipes.get(name)
    frontend = recipe.frontend
    assert recipe.name == name and recipe.source
    assert re.fullmatch(r"[a-z0-9-]+", frontend.name)
    assert 8_000 <= frontend.sample_rate <= 48_000 and frontend.version >= 1
    assert frontend.hop >= 1 and frontend.field >= 1
    assert frontend.duration is None or 0.5 <= frontend.duration <= 10
    assert recipe.frames is None or recipe.frames >= 1
    assert recipe.scale in ("frame", "cell", "none")
    # One name is one setting, of the network or of the training.
    assert isinstance(recipe.train, TrainSettings)
    assert not recipe.params.keys() & asdict(recipe.train).keys()
    columns = [column.name for column in frontend.columns]
    assert len(columns) == len(set(columns)) == frontend.width >= 1
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*(_\d+)+", column) for column in columns)


@every_recipe
@pytest.mark.parametrize("sound", sounds(16_000))
def test_features_are_finite_frames(name: str, sound: str) -> None:
    recipe = recipes.get(name)
    frontend = recipe.frontend
    waveform = sounds(frontend.sample_rate)[sound]
    before = waveform.copy()
    features = frontend.features(waveform)
    assert features.dtype == np.float32
    assert features.ndim == 2 and features.shape[1] == frontend.width and len(features) >= 1
    assert np.isfinite(features).all()
    if frontend.duration is not None and recipe.frames is not None:
        assert len(features) == recipe.frames
    np.testing.assert_array_equal(frontend.features(waveform), features)
    np.testing.assert_array_equal(waveform, before)


@every_recipe
def test_different_sounds_have_different_features(name: str) -> None:
    frontend = recipes.get(name).frontend
    made = sounds(frontend.sample_rate)
    first, second = (frontend.features(made[k]) for k in ("noise", "a440"))
    # In every kind of feature, not in one alone.
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) > 0).mean() > 0.9


@every_recipe
def test_features_are_the_golden_ones(name: str, request: pytest.FixtureRequest) -> None:
    frontend = recipes.get(name).frontend
    made = {
        key: frontend.features(waveform)[::EVERY]
        for key, waveform in sounds(frontend.sample_rate).items()
    }
    path = GOLDEN / f"{name}.npz"
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        np.savez_compressed(path, **made)  # type: ignore[arg-type]
    assert path.is_file(), "write it once: pytest --update-golden"
    with np.load(path) as golden:
        assert set(golden) == made.keys()
        for key, features in made.items():
            # A coefficient of some hundred dB is stored with 7 digits. What an encoder rounds to
            # 8 bits inside, each processor rounds a little otherwise.
            atol, rtol = (0.05, 1e-2) if frontend.files else (5e-3, 1e-4)
            np.testing.assert_allclose(features, golden[key], atol=atol, rtol=rtol, err_msg=key)


@every_recipe
def test_augmentation_follows_its_generator(name: str) -> None:
    recipe = recipes.get(name)
    waveform = tone(300, recipe.frontend.sample_rate, 1.0)
    before = waveform.copy()

    def copies(seed: int) -> list[Floats]:
        made = (Copy(number, np.random.default_rng([seed, number])) for number in range(1, 7))
        return [recipe.augment(waveform, copy) for copy in made]

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
    for key, waveform in sounds(recipe.frontend.sample_rate).items():
        for number in range(1, 5):
            moved = recipe.augment(waveform, Copy(number, np.random.default_rng(number)))
            assert np.isfinite(moved).all(), key
            # Half of a clip may be cut off, and the rest played faster.
            assert 0.4 * len(waveform) - 1 <= len(moved) <= 1.5 * len(waveform) + 1, key
            assert np.abs(moved).max() < 2, key
            assert np.isfinite(recipe.frontend.features(moved)).all(), key


@every_recipe
def test_the_search_varies_settings_that_exist(name: str) -> None:
    import optuna

    recipe = recipes.get(name)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn, defaults = (
        [recipe.search(study.ask()) for _ in range(5)],
        settings.resolve(recipe).flat(),
    )
    for suggested in drawn:
        assert suggested.keys() <= defaults.keys()
        for key, value in suggested.items():
            assert isinstance(value, type(defaults[key])), key
    assert all(len({row[key] for row in drawn}) > 1 for key in drawn[0])


@every_recipe
@pytest.mark.filterwarnings("error")
def test_the_defaults_lie_within_the_search(name: str) -> None:
    import optuna

    recipe = recipes.get(name)
    defaults = settings.resolve(recipe).flat()
    suggested = recipe.search(optuna.trial.FixedTrial(defaults))  # type: ignore[arg-type]
    assert suggested == {key: defaults[key] for key in suggested}


def test_the_network_is_a_softmax_over_the_classes(made: Made) -> None:
    model, (frames, columns, _) = made.trained.model, made.trained.data.shape
    assert columns == made.recipe.frontend.width
    assert frames == (made.recipe.frames or made.trained.data.preprocessor.max_len)
    for classes in (2, 5):
        other = made.recipe.build((frames, columns), classes, small(made.recipe).params)
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

    features = made.learned + made.tests
    expected = made.outputs(features)
    loaded = artifacts.load(made.folder)
    assert loaded.temperature == 1.7 and loaded.recipe == made.recipe.name
    reloaded = KerasNetwork(keras.saving.load_model(made.folder / artifacts.KERAS))
    again = reloaded.probabilities(features, loaded.preprocessor)
    np.testing.assert_allclose(again, expected, atol=1e-5)
    network, frontend = OnnxNetwork(loaded.onnx), made.recipe.frontend
    pipeline = Pipeline(frontend, loaded.preprocessor, network, loaded.temperature)
    outputs = pipeline.probabilities(features)
    np.testing.assert_allclose(outputs, calibrate(expected, 1.7), atol=1e-5)
    assert not np.allclose(outputs, expected, atol=1e-3)


def test_prediction_of_files_is_that_of_the_trained_network(made: Made) -> None:
    files = [str(clip.path) for clip in made.sounds.found.split.test]
    rows = list(predict(PredictJob(paths=tuple(files), hear_all=True), artifacts.load(made.folder)))
    expected = calibrate(made.outputs(made.tests), made.trained.pipeline.temperature)
    assert [row.file for row in rows] == files
    for row, shares in zip(rows, expected, strict=True):
        assert row.status == "ok" and row.probabilities is not None
        np.testing.assert_allclose(row.probabilities, shares, atol=1e-5)
        assert row.emotion == made.trained.pipeline.classes[shares.argmax()]
        assert row.confidence == pytest.approx(shares.max(), abs=1e-5)


def test_scaling_is_learned_from_the_recipes_own_features(made: Made) -> None:
    clip, fitted = made.sounds.found.split.test[0], made.trained.pipeline.preprocessor
    waveform, _ = soundfile.read(clip.path, dtype="float32")
    x = preprocess.transform([made.recipe.frontend.features(waveform)], fitted)
    np.testing.assert_allclose(x, preprocess.transform(made.tests[:1], fitted), atol=1e-4)


TOY = """
from dataclasses import replace
import numpy as np
from ser_cli.recipes import mfcc_mlp
from ser_cli.sound.frontend import columns

def extract(waveform):
    return np.stack([np.abs(waveform).mean(), np.abs(np.diff(waveform)).mean()])[None].astype("f4")

RECIPE = replace(
    mfcc_mlp.RECIPE,
    name="toy-two",
    source="none",
    frontend=replace(
        mfcc_mlp.FRONTEND, name="toy-two", columns=columns(mean=1, peak=1), extract=extract
    ),
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
    (result,) = json.loads(table.out)["results"]
    assert (result["data"], result["n"]) == ("all", 4)
    heard = succeed(
        "predict", "clips/22.wav", "clips/23.wav", "--recipe", "toy-two", "--json", "--hear-all"
    )
    said = [json.loads(line)["emotion"] for line in heard.out.splitlines()]
    assert said == list(LABELS)  # a low tone and a high one
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
    assert "\\n" not in shown  # the name and the document of a recipe stand below each other
