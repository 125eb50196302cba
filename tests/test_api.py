"""What `import ser_cli` offers."""

from __future__ import annotations

import io
from pathlib import Path

import fake
import numpy as np
import pytest
import soundfile
from modules import printed

import ser_cli
from ser_cli.errors import ArtifactsError, AudioError, UsageError
from ser_cli.model import artifacts
from ser_cli.model.pipeline import Model

LOUD = np.full(16_000, 0.5, "f4") * np.tile([1, -1], 8_000).astype("f4")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    fake.register(monkeypatch)
    return ser_cli.load(fake.folder(tmp_path / "artifacts"))


def test_paths(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, LOUD, 16_000)
    assert model.classes == fake.CLASSES
    for source in (path, str(path), [path], tmp_path, str(tmp_path / "*.wav")):
        (row,) = model.predict(source)
        assert (row.file, row.emotion) == (str(path), "loud")
    assert [row.status for row in model.predict([path, tmp_path / "no.wav"])] == ["ok", "error"]
    stream = io.BytesIO(path.read_bytes())
    stream.name = "upload.wav"
    assert [row.file for row in model.predict([stream, stream])] == ["upload.wav"] * 2
    assert model.predict(stream)[0].emotion == "loud"
    assert model.predict([]) == []


def test_waveforms(model: Model, tmp_path: Path) -> None:
    (row,) = model.predict(LOUD, sample_rate=16_000)
    assert (row.file, row.emotion, row.end) == ("waveform[0]", "loud", 1.0)
    rows = model.predict([LOUD, LOUD * 0.01, np.tile(LOUD, 3)], sample_rate=16_000)
    assert [row.emotion for row in rows] == ["loud", "quiet", "loud"]
    assert [row.flags for row in rows] == [(), (), ("long",)]
    slow = np.sin(np.arange(44_100) / 10).astype("f4")
    path = tmp_path / "slow.wav"
    soundfile.write(path, slow, 44_100, "FLOAT")
    held, read = model.predict(slow, sample_rate=44_100)[0], model.predict(path)[0]
    assert np.array_equal(fake.shares(held), fake.shares(read))


def test_misuse(model: Model) -> None:
    with pytest.raises(UsageError, match="rate"):
        model.predict(LOUD)
    with pytest.raises(AudioError, match="floats"):
        model.predict((LOUD * 32_767).astype("i2"), sample_rate=16_000)


def test_load_finds_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "packaged", lambda: tmp_path / "shipped")
    with pytest.raises(ArtifactsError) as caught:
        ser_cli.load()
    assert "ser train" in caught.value.hint
    with pytest.raises(ArtifactsError, match="elsewhere"):
        ser_cli.load("elsewhere")


def test_version_and_unknown_names() -> None:
    assert ser_cli.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'speech'"):
        _ = ser_cli.speech


def test_import_is_nearly_free() -> None:
    code = (
        "import sys; before = set(sys.modules); import ser_cli;"
        "print(*sorted(name for name in set(sys.modules) - before))"
    )
    loaded = set(printed(code).split())
    assert "ser_cli" in loaded
    assert not loaded & {"numpy", "importlib.metadata", "pathlib", "onnxruntime"}
