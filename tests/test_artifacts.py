"""The artifacts folder: other scripts can read it, and nothing in it is trusted or half written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import fake
import joblib
import numpy as np
import pytest
from modules import printed

from ser_cli import recipes
from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts, frontends, sklearn_files
from ser_cli.types import Preprocessor

EIGHT = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fake.folder(tmp_path / "a", temperature=1.5)


def preprocessor(n: int = 3) -> Preprocessor:
    rng = np.random.default_rng(0)
    return Preprocessor(135, rng.standard_normal(n), rng.uniform(1, 2, n), EIGHT)


def test_reference_scripts_read_what_is_written(tmp_path: Path) -> None:
    made = preprocessor()
    artifacts.write_shared(tmp_path, made)
    scaler = joblib.load(tmp_path / "scaler.pkl")
    encoder = joblib.load(tmp_path / "label_encoder.pkl")
    x = np.random.default_rng(1).standard_normal((4, 3))
    np.testing.assert_allclose(scaler.transform(x), (x - made.mean) / made.scale)
    assert encoder.classes_.dtype == "<U9"
    assert encoder.inverse_transform([7]).tolist() == ["surprised"]
    max_len = np.load(tmp_path / "max_len.npy")
    assert (max_len.shape, max_len.dtype, int(max_len)) == ((), np.int64, 135)


def test_a_system_without_scaling(tmp_path: Path) -> None:
    made = Preprocessor(7, np.zeros(0), np.zeros(0), ("a", "b"))
    artifacts.write_shared(tmp_path, made)
    fake.network(tmp_path / "model.onnx")
    artifacts.seal(tmp_path, facts={"recipe": "fake"})
    back = artifacts.load(tmp_path).preprocessor
    assert (back.mean.shape, back.scale.shape, back.max_len) == ((0,), (0,), 7)
    x = np.ones((2, 5))
    assert np.array_equal(joblib.load(tmp_path / "scaler.pkl").transform(x), x)


def test_load_gives_back_what_was_sealed(folder: Path) -> None:
    back = artifacts.load(folder)
    assert (back.recipe, back.temperature, back.folder) == ("fake", 1.5, folder)
    assert back.preprocessor.classes == fake.CLASSES
    assert back.preprocessor.max_len == fake.MAX_LEN
    assert back.manifest["format"] == 1
    assert set(back.manifest["files"]) == set(artifacts.NEEDED)
    assert artifacts.is_complete(folder)


@pytest.mark.parametrize("name", artifacts.NEEDED)
def test_changed_or_missing_files(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactsError, match="not the file that was sealed") as caught:
        artifacts.load(folder)
    assert "ser train" in caught.value.hint
    path.write_bytes(content + b"x")
    assert not artifacts.is_complete(folder)
    with pytest.raises(ArtifactsError):
        artifacts.load(folder, verify=())
    path.unlink()
    with pytest.raises(ArtifactsError, match="missing"):
        artifacts.load(folder)
    assert not artifacts.is_complete(folder)


def test_unusable_manifests(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "manifest.json"
    for text, reason in (
        ("{", "cannot be read"),
        ("[]", "not a manifest"),
        ('{"format": 1}', "not a manifest"),
        (manifest.read_text().replace('"format": 1', '"format": 2'), "newer version"),
    ):
        manifest.write_text(text)
        with pytest.raises(ArtifactsError, match=reason) as caught:
            artifacts.load(folder)
        assert caught.value.hint
        assert not artifacts.is_complete(folder)
    manifest.unlink()
    with pytest.raises(ArtifactsError, match="no finished training"):
        artifacts.load(folder)
    with pytest.raises(ArtifactsError, match="no such artifacts folder"):
        artifacts.load(tmp_path / "nowhere")


def test_a_sealed_folder_is_not_written_to(folder: Path) -> None:
    with pytest.raises(ArtifactsError, match="sealed"):
        artifacts.write_shared(folder, preprocessor())
    with pytest.raises(ArtifactsError, match="sealed"):
        artifacts.seal(folder, facts={"recipe": "fake"})
    fake.unseal(folder)
    assert not artifacts.is_complete(folder)
    artifacts.write_shared(folder, preprocessor())
    artifacts.seal(folder, facts={"recipe": "fake"})
    assert artifacts.load(folder).preprocessor.max_len == 135


def test_seal_wants_all_that_prediction_needs(tmp_path: Path) -> None:
    artifacts.write_shared(tmp_path, preprocessor())
    with pytest.raises(ArtifactsError, match=r"model\.onnx missing"):
        artifacts.seal(tmp_path, facts={"recipe": "fake"})
    assert not (tmp_path / "manifest.json").exists()


def test_extra_files_are_covered_when_known(folder: Path) -> None:
    fake.unseal(folder)
    (folder / "history.csv").write_text("epoch,loss\n")
    (folder / "notes.txt").write_text("mine")
    artifacts.seal(folder, facts={"recipe": "fake"})
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert "history.csv" in files
    assert "notes.txt" not in files
    (folder / "history.csv").write_text("epoch,gain\n")
    artifacts.load(folder)  # what prediction reads is as it was
    with pytest.raises(ArtifactsError, match=r"history\.csv"):
        artifacts.load(folder, verify=artifacts.FILES)


def test_files_of_a_front_end_are_covered_and_always_checked(folder: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder.bin"
    encoder.write_bytes(b"weights")
    frontend = replace(fake.FRONTEND, files=(encoder,))
    with pytest.raises(ArtifactsError, match="sealed"):
        frontends.write(folder, frontend)
    fake.unseal(folder)
    frontends.write(folder, frontend)
    artifacts.seal(folder, facts={"recipe": "fake"}, frontend=["encoder.bin"])
    sealed = folder / "encoder.bin"
    assert sealed.read_bytes() == b"weights" and artifacts.is_complete(folder)
    sealed.write_bytes(b"strange")  # as long as it was
    with pytest.raises(ArtifactsError, match=r"encoder\.bin is not the file that was sealed"):
        artifacts.load(folder)
    sealed.unlink()
    with pytest.raises(ArtifactsError, match=r"encoder\.bin is missing"):
        artifacts.load(folder)
    assert not artifacts.is_complete(folder)


def test_a_folder_is_not_sealed_without_its_front_ends_files(folder: Path) -> None:
    fake.unseal(folder)
    with pytest.raises(ArtifactsError, match=r"encoder\.bin missing"):
        artifacts.seal(folder, facts={"recipe": "fake"}, frontend=["encoder.bin"])


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "best_hyperparameters.json"])
def test_a_front_end_replaces_no_file_of_the_folder(
    folder: Path, tmp_path: Path, name: str
) -> None:
    fake.unseal(folder)
    (tmp_path / name).write_bytes(b"weights")
    before = (folder / "model.onnx").read_bytes()
    with pytest.raises(ArtifactsError, match=f"needs a file {name}"):
        frontends.write(folder, replace(fake.FRONTEND, files=(tmp_path / name,)))
    assert (folder / "model.onnx").read_bytes() == before


def test_two_files_of_a_front_end_have_two_names(folder: Path, tmp_path: Path) -> None:
    fake.unseal(folder)
    for part in ("a", "b"):
        (tmp_path / part).mkdir(exist_ok=True)
        (tmp_path / part / "encoder.bin").write_bytes(part.encode())
    files = (tmp_path / "a" / "encoder.bin", tmp_path / "b" / "encoder.bin")
    with pytest.raises(ArtifactsError, match=r"needs a file encoder\.bin"):
        frontends.write(folder, replace(fake.FRONTEND, files=files))


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ser_cli.recipes.get", lambda name: name)  # both recipes exist
    home, shipped = tmp_path / "pretrained", tmp_path / "pretrained" / "fake"
    monkeypatch.setattr(artifacts, "packaged", lambda: home)
    with pytest.raises(ArtifactsError) as caught:
        artifacts.resolve(None, recipe="fake")
    assert caught.value.hint.endswith("ser train --recipe fake")
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "unguarded")
    fake.folder(shipped)
    monkeypatch.setattr(artifacts, "packaged", lambda: home)
    assert artifacts.resolve(None, recipe="fake") == shipped
    with pytest.raises(ArtifactsError):  # never another recipe's model in silence
        artifacts.resolve(None, recipe="other")
    own = fake.folder(Path("artifacts") / "fake")
    assert artifacts.resolve(None, recipe="fake") == own
    artifacts.begin(own)  # a training is under way
    assert artifacts.resolve(None, recipe="fake") == own
    assert artifacts.resolve(Path("x"), recipe="fake") == Path("x")


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the models of `fake` and `other` ship, and one's own are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "PREDICTING", "fake")
    monkeypatch.setattr(recipes, "DEFAULT", "other")
    for name in ("fake", "other"):
        fake.folder(tmp_path / "pretrained" / name)
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "pretrained")
    return tmp_path / "pretrained"


def spoil(folder: Path, name: str, how: str) -> None:
    """Damage a file as disks and people do."""
    path = folder / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: {"empty": 0, "cut": 20}[how]])


@pytest.mark.parametrize("how", ["missing", "empty", "cut"])
@pytest.mark.parametrize("name", [*artifacts.NEEDED, "manifest.json", "split.csv", "encoder.bin"])
@pytest.mark.parametrize("recipe", ["fake", None])
def test_one_s_own_damaged_model_is_an_error(
    at_home: Path, name: str, how: str, recipe: str | None
) -> None:
    own = Path("artifacts") / "fake"
    fake.folder(own)
    fake.unseal(own)
    (own / "split.csv").write_text("recording,split\n" * 9)
    (own / "encoder.bin").write_bytes(bytes(99))
    artifacts.seal(own, facts={"recipe": "fake"}, frontend=["encoder.bin"])
    spoil(own, name, how)
    with pytest.raises(ArtifactsError) as caught:
        artifacts.resolve(None, recipe=recipe)
    assert name in str(caught.value) and str(own) in str(caught.value)
    assert caught.value.hint.startswith("ser train --recipe fake; or move")


@pytest.mark.parametrize("recipe", ["fake", None])
def test_what_is_no_model_leaves_the_shipped_one(at_home: Path, recipe: str | None) -> None:
    own = Path("artifacts") / "fake"
    own.mkdir(parents=True)
    assert artifacts.resolve(None, recipe=recipe) == at_home / "fake"
    for name in ("best_hyperparameters.json", "trials.csv", "trials.png", "results.csv"):
        (own / name).write_text("{}")
    assert artifacts.resolve(None, recipe=recipe) == at_home / "fake"
    artifacts.begin(own)  # the first training, under way or given up
    with pytest.raises(ArtifactsError, match="no finished training"):
        artifacts.resolve(None, recipe=recipe)


def test_an_unfinished_first_training_is_no_reason_against_another_model(at_home: Path) -> None:
    artifacts.begin(Path("artifacts") / "other")
    own = fake.folder(Path("artifacts") / "fake")
    assert artifacts.resolve(None, recipe=None) == own


@pytest.mark.parametrize("name", artifacts.SHOWN)
def test_a_spoilt_picture_stops_nothing(
    at_home: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = fake.folder(Path("artifacts") / "fake")
    fake.unseal(own)
    (own / name).write_bytes(bytes(99))
    artifacts.seal(own, facts={"recipe": "fake"})
    assert artifacts.load(artifacts.resolve(None, recipe="fake")).folder == own
    assert not caplog.messages
    spoil(own, name, "cut")
    for chosen in (None, own):
        caplog.clear()
        assert artifacts.load(artifacts.resolve(chosen, recipe="fake")).folder == own
        assert [name in message for message in caplog.messages] == [True]


def test_without_a_recipe_what_was_trained_last_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipes, "PREDICTING", "other")
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "unguarded")
    shipped = [fake.folder(tmp_path / "pretrained" / name) for name in ("cnn-bilstm", "other")]
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "pretrained")
    assert artifacts.resolve(None, recipe=None) == shipped[1]
    assert artifacts.resolve(None, recipe="cnn-bilstm") == shipped[0]
    own = [fake.folder(Path("artifacts") / name) for name in ("cnn-bilstm", "other")]
    for newest, oldest in (own, own[::-1]):
        os.utime(oldest / artifacts.MANIFEST, (1, 1))
        os.utime(newest / artifacts.MANIFEST, (2, 2))
        assert artifacts.resolve(None, recipe=None) == newest


def test_the_shipped_model_is_guarded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "packaged", lambda: folder.parent)
    for guarded in (folder.parent / "b" / ".." / folder.name, folder.parent):
        with pytest.raises(ArtifactsError, match="not be overwritten"):
            artifacts.refuse_packaged(guarded)
    artifacts.refuse_packaged(folder / "own")


def test_reading_needs_neither_sklearn_nor_joblib(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ser_cli.model import artifacts;"
        f"artifacts.load(Path({str(folder)!r}));"
        "print(*{'sklearn', 'joblib', 'tensorflow', 'scipy'} & sys.modules.keys())"
    )
    assert printed(code).strip() == ""


@pytest.mark.parametrize("wrong", [np.inf, np.nan, 131.7, 0, -3, [131, 7], "x"])
def test_a_length_that_is_none_is_refused(tmp_path: Path, wrong: object) -> None:
    folder = fake.folder(tmp_path / "model")
    np.save(tmp_path / "l.npy", np.array(wrong))
    with pytest.raises(ArtifactsError, match=r"l\.npy"):
        sklearn_files.read(folder / "scaler.pkl", folder / "label_encoder.pkl", tmp_path / "l.npy")
