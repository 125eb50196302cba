"""`ser export`: every format says what the network says, or there is no file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fake
import numpy as np
import pytest
from command import TINY, Result, ser, small, succeed, tone
from corpus import by_table

from ser_cli import recipes
from ser_cli.data import cache, corpora
from ser_cli.errors import ArtifactsError
from ser_cli.export import formats, litert, onnx, parity, saved_model
from ser_cli.export.keras_network import KerasNetwork
from ser_cli.jobs.export import QUANTIZED, Quantization
from ser_cli.model import artifacts, preprocess
from ser_cli.model.network import Network, OnnxNetwork
from ser_cli.stages.export import balanced, size
from ser_cli.types import Clip

if TYPE_CHECKING:
    import keras

    from ser_cli.types import Floats

COMBINATIONS = [
    (name, quantize)
    for name in formats.FORMATS
    for quantize in (None, *(Quantization if name in QUANTIZED else ()))
]
DEFAULT_NAMES = {
    ("onnx", None): "cnn-bilstm.onnx",
    ("onnx", "fp16"): "cnn-bilstm-fp16.onnx",
    ("onnx", "int8"): "cnn-bilstm-int8.onnx",
    ("litert", None): "cnn-bilstm.tflite",
    ("litert", "fp16"): "cnn-bilstm-fp16.tflite",
    ("litert", "int8"): "cnn-bilstm-int8.tflite",
    ("saved-model", None): "cnn-bilstm-saved-model",
}
ATOL = {None: 1e-5, "fp16": 5e-3, "int8": 0.1}
# The small runtime as a phone has it: numpy beside it, and no TensorFlow.
SMALL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
runner = Interpreter(sys.argv[1])
x = np.load(sys.argv[2])
(source,), (target,) = runner.get_input_details(), runner.get_output_details()
runner.resize_tensor_input(source["index"], x.shape)
runner.allocate_tensors()
runner.set_tensor(source["index"], x)
runner.invoke()
np.save(sys.argv[3], runner.get_tensor(target["index"]))
assert "tensorflow" not in sys.modules
"""


@dataclass(frozen=True)
class Home:
    """A trained folder, the table it was trained on, and what its network says of the clips."""

    trained: Path
    table: Path
    x: Floats
    expected: Floats


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    import keras

    root = tmp_path_factory.mktemp("export")
    (root / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE_DIR", str(root / "cache"))
        table, folder = by_table(root), root / "trained"
        # All epochs, so that the labels are sure: int8 may change none of 48.
        command = ("train", "--data", table, "--artifacts", folder, "--split", "none")
        succeed(*command, "--params", root / "tiny.json", "--temperature", 1.5)
        trained = artifacts.load(folder)
        made = cache.extract(corpora.load(str(table)), recipes.get(trained.recipe).frontend, jobs=1)
        x = preprocess.transform(made.features, trained.preprocessor)
        model = keras.saving.load_model(folder / artifacts.KERAS)
        yield Home(folder, table, x, KerasNetwork(model).run(x))


@pytest.fixture(autouse=True)
def _in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Home, _own_cache: None
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SER_CACHE_DIR", str(home.table.parent / "cache"))
    monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)


@pytest.fixture
def run(home: Home) -> Callable[..., Result]:
    """Run the command on the trained folder and the clips it was trained on."""

    def export_it(name: str, *arguments: object) -> Result:
        where = ("--artifacts", home.trained, "--data", home.table)
        return ser("export", "--format", name, *where, *arguments)

    return export_it


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def earlier_export(target: Path) -> dict[str, bytes]:
    """Put an export of the same kind into the place of the next; return what lies there."""
    if target.suffix:
        target.write_text("old")
    else:
        (target / "variables").mkdir(parents=True)
        (target / "saved_model.pb").write_text("old")
        (target / "variables" / "stale").write_text("old")
    return contents(Path())


def litert_types(file: Path) -> set[type]:
    from ai_edge_litert.interpreter import Interpreter

    tensors = Interpreter(model_content=file.read_bytes()).get_tensor_details()
    return {tensor["dtype"] for tensor in tensors}


def heard_by_a_phone(file: Path, x: Floats) -> Floats:
    """Run a LiteRT file in a process that knows the small runtime alone."""
    folder = file.resolve().parent
    np.save(folder / "x.npy", x)
    files = [str(folder / name) for name in (file.name, "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", SMALL, *files], check=True, capture_output=True)
    outputs: Floats = np.load(folder / "y.npy")
    return outputs


def option(quantize: str | None) -> list[str]:
    return ["--quantize", quantize] if quantize else []


# -- what is written


@pytest.mark.parametrize(("name", "quantize"), COMBINATIONS)
def test_an_export_says_what_the_network_says(
    name: str, quantize: str | None, home: Home, run: Callable[..., Result]
) -> None:
    before, written = contents(home.trained), Path(DEFAULT_NAMES[name, quantize])
    earlier = earlier_export(written)
    done = run(name, *option(quantize), "--json")
    assert done.code == 0, done.err
    assert list(Path().iterdir()) == [written]  # and nothing beside it
    assert contents(home.trained) == before

    assert not contents(Path()).items() & earlier.items()

    outputs = formats.FORMATS[name].load(written).run(home.x)
    np.testing.assert_allclose(outputs, home.expected, atol=ATOL[quantize])
    changed = int((outputs.argmax(axis=1) != home.expected.argmax(axis=1)).sum())
    told = json.loads(done.out)
    assert told["labels_flipped"] >= changed and told["labels_flipped"] <= 0.02 * 48
    # The most of clips heard alone and in a batch; Keras itself differs by rounding in these.
    assert told["largest_difference"] >= np.abs(outputs - home.expected).max() - 1e-6
    assert (told["format"], told["quantize"], told["file"]) == (name, quantize, written.name)
    assert (told["clips"], told["clips_learned"], told["failed"]) == (48, 48, [])
    assert told["bytes"] == size(written) and told["source"] == str(home.trained / "model.keras")
    assert told["source_bytes"] == (home.trained / "model.keras").stat().st_size
    assert told["input"] == ["N", 19, 139]
    assert told["outputs"] == ["angry", "calm", "happy", "sad"]
    assert told["ms_per_clip"] > 0 and told["source_ms_per_clip"] > 0
    if name == "litert":
        assert litert.custom_operators(written) == []
        narrow = {None: set(), "fp16": {np.float16}, "int8": {np.int8}}
        assert litert_types(written) & {np.float16, np.int8} == narrow[quantize]
        np.testing.assert_allclose(heard_by_a_phone(written, home.x), outputs, atol=1e-6)


def test_onnx_weights_are_really_smaller(run: Callable[..., Result]) -> None:
    import onnx
    from onnx import TensorProto

    for quantize in ("fp16", "int8"):
        assert run("onnx", "--quantize", quantize).code == 0
    half = onnx.load("cnn-bilstm-fp16.onnx").graph
    kinds = {t.data_type for t in half.initializer if len(t.dims) > 1}
    assert TensorProto.FLOAT16 in kinds and TensorProto.FLOAT not in kinds
    eighth = onnx.load("cnn-bilstm-int8.onnx").graph
    operators = {node.op_type for node in eighth.node}
    assert {"DynamicQuantizeLSTM", "ConvInteger", "MatMulInteger"} <= operators
    assert not {"LSTM", "Conv", "MatMul", "Gemm"} & operators


def test_the_result_says_what_goes_in_and_out(home: Home, run: Callable[..., Result]) -> None:
    done = run("onnx", "--quantize", "fp16", "--out", "phone/m.onnx")
    assert done.code == 0 and f"model: {home.trained}" in done.err
    lines = done.out.splitlines()
    assert lines[0] == f"written: {Path('phone/m.onnx')} (onnx, fp16)"
    assert lines[1].startswith("labels changed: 0 of 48 clips (48 of them training data); largest")
    assert lines[4].startswith("input: float32 (N, 19, 139), features of cnn-bilstm")
    assert "max_len.npy" in lines[4] and "scaler.pkl" in lines[4]
    temperature = artifacts.load(home.trained).temperature
    assert lines[5].startswith("output: probabilities of angry, calm, happy, sad, before")
    assert f"(temperature {temperature:g})" in lines[5]
    assert "only 48 clips: 50 or more" in done.err


def test_the_help_says_what_goes_in_and_out() -> None:
    shown = " ".join(ser("export", "--help").out.split())
    assert "float32 (N, T, F)" in shown and "scaler.pkl" in shown and "max_len.npy" in shown
    assert "in the order of label_encoder.pkl" in shown


def test_a_folder_receives_the_default_name(run: Callable[..., Result]) -> None:
    Path("phone").mkdir()
    assert run("onnx", "--out", "phone").code == 0
    assert [path.name for path in Path("phone").iterdir()] == ["cnn-bilstm.onnx"]


# -- what is refused


def ruin_onnx(path: Path) -> None:
    """Turn the last layer of an ONNX file upside down."""
    import onnx
    from onnx import numpy_helper

    network = onnx.load(path)
    for tensor in network.graph.initializer:
        if list(tensor.dims)[-1:] == [4] and len(tensor.dims) == 2:
            wrong = -numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(wrong, tensor.name))
    onnx.save(network, path)


@pytest.fixture
def ruin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every writer lose the weights on its way."""
    rewrite, unroll, save = onnx.rewrite_onnx, litert.unrolled, saved_model.to_saved_model

    def zeroed(model: keras.Model) -> keras.Model:
        copy = unroll(model)
        copy.set_weights([-weights for weights in copy.get_weights()])
        return copy

    def rewrite_wrongly(source: Path, path: Path, quantize: str | None) -> None:
        rewrite(source, path, quantize)
        ruin_onnx(path)

    monkeypatch.setattr(formats, "rewrite_onnx", rewrite_wrongly)
    monkeypatch.setattr(litert, "unrolled", zeroed)
    monkeypatch.setattr(formats, "to_saved_model", lambda model, path: save(zeroed(model), path))


@pytest.mark.parametrize(
    ("name", "quantize", "hint"),
    [
        ("onnx", "fp16", "try: ser export --format onnx\n"),
        ("litert", "int8", "try: ser export --format litert --quantize fp16\n"),
        ("saved-model", None, "try: another --format, or train again: ser train\n"),
    ],
)
def test_a_ruined_network_is_not_left_behind(
    name: str, quantize: str | None, hint: str, run: Callable[..., Result], ruin: None
) -> None:
    earlier = earlier_export(Path(DEFAULT_NAMES[name, quantize]))
    done = run(name, *option(quantize))
    assert contents(Path()) == earlier  # which outlives the failed one
    assert done.code == 1 and done.out == ""
    assert "changes the label of" in done.err and "of 48 clips" in done.err
    assert "nothing was written" in done.err and done.err.endswith(hint)
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "says", "hint"),
    [
        (("saved-model", "--quantize", "int8"), "is not quantized with int8", "onnx or litert"),
        (("saved-model", "--quantize", "fp16"), "is not quantized with fp16", "onnx or litert"),
        (("onnx", "--out", "m.tflite"), "m.tflite does not have", "--out m.onnx"),
        (("litert", "--out", "m"), "m does not have", "--out m.tflite"),
        (("saved-model", "--out", "mine"), "is not a SavedModel", "cnn-bilstm-saved-model"),
        (("saved-model", "--out", "mine/song.txt"), "is not a SavedModel", "saved-model"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], says: str, hint: str, run: Callable[..., Result]
) -> None:
    Path("mine").mkdir()
    Path("mine/song.txt").write_text("la")
    done = run(*arguments)
    assert done.code == 2 and done.out == ""
    assert says in done.err and hint in done.err.splitlines()[-1]
    assert contents(Path()) == {"mine/song.txt": b"la"}


def test_a_sealed_folder_is_not_written_to(home: Home, run: Callable[..., Result]) -> None:
    before = contents(home.trained)
    for out in (home.trained, home.trained / "model.onnx"):
        done = run("onnx", "--out", out)
        assert done.code == 2 and "is sealed" in done.err
    done = run("saved-model", "--out", home.trained)
    assert done.code == 2 and "is not a SavedModel" in done.err
    assert contents(home.trained) == before


def test_without_the_small_runtime(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "find_spec", lambda name: None)
    done = run("litert")
    assert done.code == 1 and "runtime is not installed" in done.err
    assert 'pip install "speech-emotion[litert]"' in done.err
    assert run("onnx").code == 0


# -- where it is made from


def test_a_folder_of_onnx_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "bare")
    for n in range(3):
        tone(tmp_path / "clips" / f"{n}.wav", 300, seed=n)
    where = ("--artifacts", folder, "--data", tmp_path / "clips")
    told = json.loads(succeed("export", "--format", "onnx", *where, "--json").out)
    assert Path("fake.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
    assert told["source"] == str(folder / "model.onnx") and told["labels_flipped"] == 0
    assert (told["clips"], told["clips_learned"]) == (3, 0)
    for name in ("litert", "saved-model"):
        done = ser("export", "--format", name, *where)
        assert done.code == 1 and "holds no model.keras" in done.err
        assert "ser train --recipe fake" in done.err and "--format onnx" in done.err


def test_a_damaged_network_is_not_exported(
    home: Home, tmp_path: Path, run: Callable[..., Result]
) -> None:
    broken = shutil.copytree(home.trained, tmp_path / "broken")
    file = broken / "model.keras"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    done = run("litert", "--artifacts", broken)
    assert done.code == 1 and "is not the file that was sealed" in done.err
    assert list(Path().iterdir()) == []


# -- the clips it is checked on


def test_there_is_no_export_without_clips(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    command = ("export", "--format", "onnx", "--artifacts", home.trained)
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    done = ser(*command)
    assert done.code == 1 and "RAVDESS is not on this machine" in done.err
    assert "ser download ravdess" in done.err and "--data" in done.err
    for data in ("nowhere", tmp_path / "empty"):
        done = ser(*command, "--data", data)
        assert done.code == 1 and str(data) in done.err
    assert list(Path().iterdir()) == []


def test_ravdess_is_the_default(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for actor in ("01", "02"):
        tone(tmp_path / "ravdess" / f"03-01-05-01-01-01-{actor}.wav", 250, seed=int(actor))
    monkeypatch.setenv("SER_RAVDESS_DIR", str(tmp_path / "ravdess"))
    done = succeed("export", "--format", "onnx", "--artifacts", home.trained, "--json")
    assert json.loads(done.out)["clips"] == 2


def test_any_recordings_will_do_and_broken_ones_are_named(home: Home, tmp_path: Path) -> None:
    tone(tmp_path / "clips" / "0.wav", 300, seed=0)
    shutil.copy(next((home.table.parent / "wav").iterdir()), tmp_path / "clips" / "1.wav")
    broken = tmp_path / "clips" / "b.wav"
    broken.write_bytes(b"RIFF")
    command = ("export", "--format", "onnx", "--artifacts", home.trained, "--data")
    done = ser(*command, tmp_path / "clips", "--json")
    assert done.code == 3 and str(broken) in done.err
    told = json.loads(done.out)
    assert (told["clips"], told["clips_learned"]) == (2, 1)
    assert [row["file"] for row in told["failed"]] == [str(broken)]
    assert ser(*command, str(tmp_path / "clips" / "?.wav")).code == 3
    assert ser(*command, tmp_path / "clips" / "0.wav").code == 0
    Path("cnn-bilstm.onnx").unlink()
    done = ser(*command, broken)
    assert done.code == 1 and "none of the clips can be read" in done.err
    assert list(Path().iterdir()) == []


def test_the_choice_of_clips_is_balanced() -> None:
    clips = [
        Clip(Path(f"{who}-{what}-{n}"), emotion=what, speaker=who)
        for who in "abc"
        for what, count in (("sad", 9), ("happy", 2), ("calm", 1))
        for n in range(count)
    ]
    nine = balanced(clips, 9)
    assert len({(clip.speaker, clip.emotion) for clip in nine}) == 9
    fifteen = balanced(clips, 15)
    assert sorted(
        sum((c.speaker, c.emotion) == (who, what) for c in fifteen)
        for who in "abc"
        for what in ("sad", "happy", "calm")
    ) == [1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert balanced(clips, 15) == fifteen and set(nine) <= set(fifteen)
    assert balanced(clips, 100) == tuple(clips)
    positions = [clips.index(clip) for clip in fifteen]
    assert positions == sorted(positions)


# -- the comparison


@pytest.mark.parametrize(
    ("quantize", "flipped", "passes"),
    [
        (None, 0, True),
        (None, 1, False),
        ("fp16", 0, True),
        ("fp16", 1, False),
        ("int8", 4, True),
        ("int8", 5, False),
    ],
)
def test_how_many_labels_may_change(quantize: str | None, flipped: int, passes: bool) -> None:
    compared = parity.Parity(200, flipped, 0.1, 1.0, 1.0)
    if passes:
        parity.require(compared, "onnx", quantize)
        return
    with pytest.raises(ArtifactsError, match=f"the label of {flipped} of 200"):
        parity.require(compared, "onnx", quantize)


class Runs(Network):
    """A network that is a function."""

    def __init__(self, function: Callable[[Floats], Floats]) -> None:
        self._function = function

    def run(self, x: Floats) -> Floats:
        return self._function(x)


def test_compare_counts_what_changed() -> None:
    x = np.random.default_rng(0).random((10, 4, 3)).astype(np.float32)

    def original(batch: Floats) -> Floats:
        shares = batch.mean(axis=1)
        normalised: Floats = shares / shares.sum(axis=1, keepdims=True)
        return normalised

    def other(batch: Floats, *, at: int, value: float, when: int = 1) -> Floats:
        outputs = original(batch).copy()
        if len(batch) == when and np.array_equal(batch[-1], x[at]):
            # A probability that is no number must show even where the label's place is its own.
            place = outputs[-1].argmax() if np.isnan(value) else outputs[-1].argmin()
            outputs[-1, int(place)] = value
        return outputs

    def compared(found: Callable[[Floats], Floats]) -> parity.Parity:
        return parity.compare(Runs(original), Runs(found), x)

    same = parity.compare(Runs(original), Runs(original), x)
    assert (same.clips, same.flipped, same.difference) == (10, 0, 0.0)
    for when, at in ((1, 3), (10, 9)):  # heard alone, and in company
        changed = compared(lambda b: other(b, at=at, value=2.0, when=when))  # noqa: B023
        assert changed.flipped == 1
        assert changed.difference == pytest.approx(2.0 - original(x[at : at + 1]).min())
    broken = compared(lambda b: other(b, at=5, value=np.nan))
    assert broken.flipped == 1
    with pytest.raises(ArtifactsError, match="changes the label of 1 of 10"):
        parity.require(broken, "onnx", "int8")
    with pytest.raises(ArtifactsError):  # however few they are
        parity.require(parity.Parity(200, 1, np.nan, 1.0, 1.0), "onnx", "int8")


# -- LiteRT


def network(*, frames: int = 6) -> keras.Model:
    """A network with recurrent layers in recurrent and other wrappers."""
    from keras import Input, Sequential, layers, utils

    utils.set_random_seed(0)
    inner = Sequential([Input((frames, 5)), layers.GRU(4, return_sequences=True)])
    both = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True),
        backward_layer=layers.SimpleRNN(3, return_sequences=True, go_backwards=True),
    )
    return Sequential(
        [Input((frames, 5)), inner, both, layers.LSTM(4), layers.Dense(3, activation="softmax")]
    )


def test_unrolling_reaches_every_layer_and_changes_nothing() -> None:
    model = network()
    copy = litert.unrolled(model)
    assert str(model.get_config()).count("'unroll': False") == 4
    assert str(copy.get_config()).count("'unroll': True") == 4
    x = np.random.default_rng(0).standard_normal((7, 6, 5)).astype(np.float32)
    expected = KerasNetwork(model).run(x)
    np.testing.assert_allclose(KerasNetwork(copy).run(x), expected, atol=1e-6)
    assert expected.std(axis=0).max() > 1e-3  # the input matters


def test_recurrent_layers_within_others_become_litert(tmp_path: Path) -> None:
    model = network()
    litert.to_litert(model, tmp_path / "m.tflite", None)
    x = np.random.default_rng(0).standard_normal((7, 6, 5)).astype(np.float32)
    found = litert.LiteRtNetwork(tmp_path / "m.tflite").run(x)
    np.testing.assert_allclose(found, KerasNetwork(model).run(x), atol=1e-6)


def test_a_loop_that_stays_is_found_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras import Input, Sequential, layers

    model = Sequential([Input((6, 5)), layers.LSTM(4), layers.Dense(3, activation="softmax")])
    model.export(tmp_path / "select.tflite", format="litert", verbose=False)
    assert "FlexTensorListReserve" in litert.custom_operators(tmp_path / "select.tflite")
    monkeypatch.setattr(litert, "unrolled", lambda model: model)
    with pytest.raises(ArtifactsError, match="cannot be written for LiteRT") as raised:
        litert.to_litert(model, tmp_path / "m.tflite", None)
    assert "--format onnx" in raised.value.hint and "\n" not in str(raised.value)
    # Where the converter would let it pass, the file itself is looked into.
    monkeypatch.setattr(litert, "_settings", lambda quantize: {})
    with pytest.raises(ArtifactsError, match=r"lacks operators.*FlexTensorList"):
        litert.to_litert(model, tmp_path / "m.tflite", None)


DEAR = {"cnn-lstm-attention", "cnn-lstm-attention-rms"}  # a minute each


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in DEAR else ())
        for name in recipes.names()
    ],
)
def test_every_recipe_can_be_exported(name: str, tmp_path: Path) -> None:
    recipe = recipes.get(name)
    model = recipe.build((recipe.frames or 40, recipe.frontend.width), 4, small(recipe).params)
    x = np.random.default_rng(0).standard_normal((5, *model.input_shape[1:])).astype(np.float32)
    expected = KerasNetwork(model).run(x)
    litert.to_litert(model, tmp_path / "m.tflite", None)
    onnx.to_onnx(model, tmp_path / "m.onnx")
    np.testing.assert_allclose(
        litert.LiteRtNetwork(tmp_path / "m.tflite").run(x), expected, atol=1e-5
    )
    for quantize in (None, "fp16", "int8"):
        onnx.rewrite_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", quantize)
        found = OnnxNetwork(tmp_path / "q.onnx").run(x)
        np.testing.assert_allclose(found, expected, atol=ATOL[quantize])


# -- the shipped model on the real corpus


@pytest.mark.slow
@pytest.mark.parametrize(("name", "quantize"), COMBINATIONS)
def test_the_shipped_model_in_every_format(
    name: str, quantize: str | None, ravdess: Path, tmp_path: Path
) -> None:
    """In a process of its own: what the libraries write to stderr shows there alone."""
    shares = {None: 1.01, "fp16": 0.51, "int8": 0.28}
    code = "import sys; sys.argv[0] = 'ser'; from command import ser; done = ser(*sys.argv[1:]); "
    code += "sys.stdout.write(done.out); sys.stderr.write(done.err); sys.exit(done.code)"
    shipped = artifacts.packaged() / "cnn-bilstm"
    arguments = ["--format", name, *option(quantize), "--artifacts", str(shipped), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, "export", *arguments],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SER_RAVDESS_DIR": str(ravdess),
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"model: {shipped}\n"
    told = json.loads(done.stdout)
    assert told["clips"] == 200 and told["labels_flipped"] <= (4 if quantize == "int8" else 0)
    if name != "saved-model":  # Keras stores its weights twice
        assert told["bytes"] <= shares[quantize] * told["source_bytes"]
