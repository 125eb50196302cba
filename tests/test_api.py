"""What `import ser_cli` offers."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import fake
import numpy as np
import pandas
import pytest
import soundfile
from modules import printed

import ser_cli
from ser_cli.errors import ArtifactsError, AudioError, UsageError
from ser_cli.model import artifacts
from ser_cli.model.trained import Model

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
    with pytest.raises(AudioError, match="no waveform"):
        model.predict((LOUD * 32_767).astype("i8"), sample_rate=16_000)
    with pytest.raises(UsageError, match="window"):
        model.predict(LOUD, sample_rate=16_000, window=0.001)


class Tensor:
    """An array of another library."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return self.values


WHOLE = (LOUD * 32_767).astype("i2")
WAVEFORMS = {
    "int16": WHOLE,
    "(n, 1)": LOUD[:, None],
    "(1, n)": LOUD[None],
    "(n, 2)": np.stack([LOUD, LOUD], axis=1),
    "list of floats": LOUD.tolist(),
    "tuple of floats": tuple(LOUD.tolist()),
    "tensor": Tensor(LOUD),
    "(rate, int16)": (16_000, WHOLE),
    "(rate, list)": (16_000.0, LOUD.tolist()),
    "float64": LOUD.astype("f8"),
}


@pytest.mark.parametrize("kind", WAVEFORMS)
def test_waveforms_as_libraries_have_them(kind: str, model: Model) -> None:
    rate = None if kind.startswith("(rate") else 16_000
    given = WAVEFORMS[kind]
    (row,) = model.predict(given, sample_rate=rate)
    assert (row.file, row.emotion, row.status, row.end) == ("waveform[0]", "loud", "ok", 1.0)
    rows = model.predict([given, given], sample_rate=rate)
    assert [row.file for row in rows] == ["waveform[0]", "waveform[1]"]


def test_files_as_programs_have_them(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, LOUD, 16_000)
    names, content = [str(path)], path.read_bytes()
    table = pandas.DataFrame({"file": names, "age": [30]})
    column = pandas.Series(names)
    for source in (np.array(names), np.array(names, object), column, table, iter(names)):
        (row,) = model.predict(source)
        assert (row.file, row.emotion) == (str(path), "loud")
    for held in (content, bytearray(content), memoryview(content)):
        (row,) = model.predict(held)
        assert (row.file, row.emotion) == ("bytes[0]", "loud")
    assert [row.file for row in model.predict([content, content])] == ["bytes[0]", "bytes[1]"]


NOTHING: dict[str, object] = {
    "nothing": None,
    "a number": 0.5,
    "a dict": {"file": "a.wav"},
    "a list of nothing": [None],
    "a list of lists": [[None]],
    "a missing path": [float("nan")],
    "truths": np.array([True]),
    "a table without files": pandas.DataFrame(),
    "the wrong way round": (LOUD, 16_000),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_what_is_no_recording_is_one_error(kind: str, model: Model) -> None:
    with pytest.raises(TypeError):
        model.predict(NOTHING[kind], sample_rate=16_000)


def test_windows_of_a_waveform(model: Model) -> None:
    rows = model.predict(np.tile(LOUD, 3), sample_rate=16_000, window=1.0, step=0.5)
    assert [row.start for row in rows] == [0, 0.5, 1, 1.5, 2]


def test_rows_are_handed_on(model: Model) -> None:
    rows = model.predict([LOUD, LOUD * 0.01], sample_rate=16_000)
    records = rows.to_dicts()
    assert [record["emotion"] for record in records] == ["loud", "quiet"]
    assert {"file", "loud", "quiet", "status"} <= records[0].keys()
    assert json.loads(rows.to_json()) == records
    frame = rows.to_frame()
    assert frame["loud"].tolist() == [record["loud"] for record in records]
    assert list(model.predict([]).to_frame().columns) == list(frame.columns)
    again = pickle.loads(pickle.dumps(rows))
    assert again.to_dicts() == records


def test_a_model_travels(model: Model) -> None:
    here = model.predict(LOUD, sample_rate=16_000)
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(LOUD, sample_rate=16_000).to_dicts() == here.to_dicts()


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
