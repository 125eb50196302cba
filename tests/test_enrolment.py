"""Hearing a speaker against unlabelled recordings: the statistics, in training and after it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import given
import keras
import numpy as np
import pytest
import soundfile
from command import ser, succeed

from ser_cli import recipes
from ser_cli.data.splits import Split
from ser_cli.errors import DataError, UsageError
from ser_cli.jobs.trained import PredictJob
from ser_cli.model import artifacts, enrolment
from ser_cli.model.enrolment import PRIOR_MEAN, PRIOR_SCALE, Moments
from ser_cli.model.trained import Hearing, Model
from ser_cli.stages.predict import predict
from ser_cli.training import judging, saving, session, settings
from ser_cli.training.dataset import Part
from ser_cli.training.views import DRAWS, Views
from ser_cli.types import Clip, Preprocessor

RATE = 16_000
ALL = Hearing(hear_all=True)  # noise stands for speech


def test_few_recordings_are_drawn_towards_the_models_own_statistics() -> None:
    rng = np.random.default_rng(0)
    x = (3 + 2 * rng.standard_normal((400, 1, 5))).astype(np.float32)
    many = Moments.of(x).statistics()
    np.testing.assert_allclose(many.mean, 3, atol=0.4)
    np.testing.assert_allclose(many.scale, 2, atol=0.3)
    one = Moments.of(x[:1]).statistics()
    np.testing.assert_allclose(one.mean, x[0, 0] / (1 + PRIOR_MEAN), rtol=1e-5)
    np.testing.assert_allclose(one.scale, np.sqrt(PRIOR_SCALE / (1 + PRIOR_SCALE)), rtol=1e-5)
    apart = Moments.of(x[:7]) + Moments.of(x[7:])
    np.testing.assert_allclose(apart.statistics().mean, many.mean)
    np.testing.assert_allclose(apart.statistics().scale, many.scale)


def test_an_adapted_preprocessor_takes_out_what_recordings_have_in_common() -> None:
    rng = np.random.default_rng(0)
    plain = Preprocessor(1, np.array([1.0, 2.0]), np.array([2.0, 0.5]), ("a", "b"))
    recordings = [rng.normal((9, -4), (3, 1), (1, 2)).astype(np.float32) for _ in range(200)]
    moments = enrolment.measured(recordings, plain)
    heard = enrolment.adapted(plain, moments)
    from ser_cli.model.preprocess import transform

    x, raw = transform(recordings, heard), transform(recordings, plain)
    common = moments.statistics()
    np.testing.assert_allclose(x, (raw - common.mean) / common.scale, atol=1e-4)
    assert abs(x.mean()) < 0.1 and x.std() == pytest.approx(1, abs=0.1)
    assert heard.classes == plain.classes and heard.max_len == 1


def training_part() -> Part:
    """Two speakers and a corpus of nobody known, each about a centre of its own."""
    rng = np.random.default_rng(0)
    clips, x = [], []
    for copy in range(2):
        for who, corpus, centre in (("a/1", "a", 5), ("a/2", "a", -5), ("", "b", 50)):
            for n in range(20):
                name = Path(f"{corpus}{who[-1:]}{n}")
                clips.append(Clip(name, emotion="ab"[n % 2], speaker=who, corpus=corpus))
                x.append((centre + 100 * copy + rng.standard_normal((1, 3))).astype(np.float32))
    plain = Preprocessor(1, np.zeros(0), np.zeros(0), ("a", "b"))
    return Part(clips, given.Given(x), plain, recorded=60)


def test_some_clips_are_shown_against_their_own_speaker_or_corpus() -> None:
    part = training_part()
    views, places = Views(part, seed=0), np.arange(60)
    x = part.inputs(places)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(views.show(x, places, rng, share=0.0), x)
    shown = np.concatenate([views.show(x, places, rng, share=1.0) for _ in range(20)])
    of_speaker = np.abs(shown).mean(axis=(1, 2))
    assert (np.abs(shown[of_speaker < 2.5]).mean()) < 1.5  # near the speaker's own centre
    assert 0.5 < (of_speaker < 2.5).mean() < 1
    half = np.concatenate([views.show(x, places, rng, share=0.5) for _ in range(20)])
    kept = (half == np.tile(x, (20, 1, 1))).all(axis=(1, 2)).mean()
    assert kept == pytest.approx(0.5, abs=0.05)


def test_statistics_come_from_recordings_and_not_from_copies() -> None:
    part = training_part()
    views = Views(part, seed=0)
    assert len(views._found) == 2 + 3 * DRAWS
    assert max(np.abs(one.mean).max() for one in views._found) < 60  # copies lie about 100 off


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A model of a few noises and tones that was trained to hear speakers, and its clips."""
    root = tmp_path_factory.mktemp("enrolment")
    recipe = recipes.get("voice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        clips = []
        (root / "clips").mkdir()
        for n in range(24):
            rng = np.random.default_rng(n)
            at = np.arange(RATE) / RATE
            loud = np.sin(2 * np.pi * (200 + 40 * (n % 2)) * at) * (1 + np.sin(9 * at))
            wave = 0.1 * loud + 0.01 * (1 + n % 3) * rng.standard_normal(RATE)
            path = root / "clips" / f"{n:02d}.wav"
            soundfile.write(path, wave, RATE)
            clips.append(
                Clip(path, emotion=("calm", "happy")[n % 2], speaker=str(n % 3), corpus="c")
            )
        split = Split(tuple(clips[:18]), tuple(clips[18:]), (), leaky=True)
        chosen = settings.resolve(
            recipe, overrides={"epochs": 2, "copies": 0, "blanks": 6, "synthesised": 6}
        )
        work = session.Work("voice", replace(chosen, origin="test"))
        sounds = session.load(split, work, jobs=1)
        folder = root / "artifacts"
        made = session.train_one(sounds, work, threads=1)
        made.pipeline.temperature = 9.0  # tones and noises are easy: nothing would be in doubt
        saving.save(folder, made, work, sounds, {})
        yield folder, root / "clips"


def test_the_network_that_is_kept_has_learned_from_dev_too(trained: tuple[Path, Path]) -> None:
    manifest = artifacts.load(trained[0]).manifest
    assert manifest["clips"] == {"train": 18, "dev": 6, "test": 0} and manifest["settings"]["refit"]
    scaled = artifacts.load(trained[0]).preprocessor
    frontend = recipes.get("voice").frontend
    features = [
        frontend.features(soundfile.read(path)[0].astype("f4")) for path in files(trained[1])
    ]
    np.testing.assert_allclose(scaled.mean, np.mean(features, axis=(0, 1)), rtol=1e-3, atol=1e-3)


def test_members_are_believed_as_dev_said_also_in_the_network_that_is_kept(
    trained: tuple[Path, Path],
) -> None:
    kept = keras.saving.load_model(trained[0] / artifacts.KERAS)
    believed = kept.get_layer(recipes.BELIEF).get_weights()[0]
    assert believed.shape == (8, 2)
    np.testing.assert_allclose(believed.sum(axis=0), 1, atol=1e-3)
    assert believed[-4:, 0].min() > 0.02  # untold, the last four are not believed at all
    assert not believed[-3:, 1].any()


def files(clips: Path) -> list[str]:
    return [str(path) for path in sorted(clips.iterdir())]


def test_an_enrolled_speaker_changes_what_is_heard(trained: tuple[Path, Path]) -> None:
    folder, clips = trained
    model = Model(artifacts.load(folder), ALL)
    plain = model.predict(files(clips)[:2])
    heard = model.enrol(files(clips)[2:]).predict(files(clips)[:2])
    for one, other in zip(plain, heard, strict=True):
        assert one.probabilities is not None and other.probabilities is not None
        assert not np.allclose(one.probabilities, other.probabilities, atol=1e-4)
        assert other.probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("flag", ["same_speaker", "same_recording_conditions", "enrol"])
def test_the_command_hears_as_the_model_does(
    trained: tuple[Path, Path], flag: str, jobs: int
) -> None:
    folder, clips = trained
    loaded = artifacts.load(folder)
    asked = {"enrol": (str(clips),)} if flag == "enrol" else {flag: True}
    found = files(clips)
    job = PredictJob(
        paths=tuple(found[:3] if flag == "enrol" else found), jobs=jobs, hear_all=True, **asked
    )
    rows = list(predict(job, loaded))
    expected = Model(loaded, ALL).enrol(found).predict(list(job.paths))
    for row, other in zip(rows, expected, strict=True):
        assert row.probabilities is not None and other.probabilities is not None
        np.testing.assert_allclose(row.probabilities, other.probabilities, atol=1e-5)


def test_how_to_hear_travels_to_workers(trained: tuple[Path, Path]) -> None:
    hearing = Hearing(("calm",), 0.4, artifacts.load(trained[0]).preprocessor)
    again = pickle.loads(pickle.dumps(hearing))
    assert again.labels == ("calm",) and again.min_confidence == 0.4
    assert hearing.preprocessor is not None
    np.testing.assert_array_equal(again.preprocessor.mean, hearing.preprocessor.mean)


def test_that_few_recordings_tell_little_is_said(
    trained: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder, clips = trained
    model = Model(artifacts.load(folder), ALL)
    model.enrol(files(clips)[: enrolment.ENOUGH])
    assert not caplog.text
    model.enrol(files(clips)[:1])
    assert (
        "1 recording cannot tell how a speaker usually sounds: labels may be worse" in caplog.text
    )


def test_labels_are_chosen_among_and_doubt_is_said(trained: tuple[Path, Path]) -> None:
    folder, clips = trained
    words = ("predict", files(clips)[0], "--artifacts", folder, "--json", "--hear-all")
    both = json.loads(succeed(*words).out)
    some = json.loads(succeed(*words, "--labels", " Happiness , calm").out)
    assert some["happy"] + some["calm"] == pytest.approx(1.0, abs=1e-5)
    assert some["happy"] / some["calm"] == pytest.approx(both["happy"] / both["calm"], rel=1e-3)
    unsure = json.loads(succeed(*words, "--min-confidence", "1").out)
    assert unsure["emotion"] == "uncertain"
    assert unsure["confidence"] == pytest.approx(both["confidence"])
    done = ser(*words, "--labels", "happy,bored")
    assert done.code == 2 and "does not know the label 'bored'" in done.err
    assert "known: calm, happy" in done.err


def test_who_cannot_be_enrolled(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = trained
    with pytest.raises(DataError, match="no recording of the speaker can be read"):
        Model(artifacts.load(folder), ALL).enrol([str(tmp_path / "none.wav")])
    other = Model(artifacts.load(artifacts.packaged() / "cnn-bilstm"))
    with pytest.raises(UsageError, match="was not trained to hear an enrolled speaker"):
        other.enrol([str(tmp_path / "none.wav")])


@pytest.mark.parametrize("jobs", [1, 2])
def test_who_is_not_enrolled_is_named(
    trained: tuple[Path, Path], tmp_path: Path, jobs: int, caplog: pytest.LogCaptureFixture
) -> None:
    folder, clips = trained
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound at all")
    found = files(clips)
    words = [word for clip in (broken, *found[1:4]) for word in ("--enrol", clip)]
    succeed("predict", found[0], "--artifacts", folder, *words, "--jobs", jobs, "--hear-all")
    assert caplog.text.count("not enrolled") == 1
    assert f"not enrolled: {broken}" in caplog.text
    Model(artifacts.load(folder), ALL).enrol([str(broken), found[1]])
    assert caplog.text.count(f"not enrolled: {broken}") == 2
    ser("predict", found[0], broken, "--artifacts", folder, "--same-speaker")
    assert caplog.text.count("not enrolled") == 2  # its own row says why


def test_enrolled_clips_are_not_tested(trained: tuple[Path, Path]) -> None:
    folder, clips = trained
    model = Model(artifacts.load(folder), ALL)
    tested = [
        Clip(Path(path), speaker="one" if n < 14 else "few") for n, path in enumerate(files(clips))
    ]
    features = given.Given([model.frontend.features(soundfile.read(path)[0].astype("f4"))
                            for path in files(clips)])  # fmt: skip
    found = judging.enrolled(model.pipeline, tested, features, seed=0)
    assert found.shape == (judging.DRAWS, 24, 2)
    left = np.isfinite(found[:, :, 0])
    assert (left[:, :14].sum(axis=1) == 14 - enrolment.ENROLLED).all() and left[:, :14].any()
    assert left[:, 14:].sum() == 0  # ten clips are too few to enrol ten
    assert len({tuple(row) for row in left.tolist()}) > 1
    again = judging.enrolled(model.pipeline, tested, features, seed=0)
    np.testing.assert_array_equal(found, again)
