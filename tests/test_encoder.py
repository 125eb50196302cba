"""A pretrained encoder: the one that ships, one of one's own, and what is no encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import librosa
import numpy as np
import onnx
import onnxruntime
import pytest
from command import EMOTIONS, ser, succeed
from corpus import by_actor, by_table, read_rows
from onnx import TensorProto, helper, numpy_helper

from ser_cli import recipes
from ser_cli.errors import SerError, UsageError
from ser_cli.export import moonshine, smart_turn, wheels
from ser_cli.sound import encoder
from ser_cli.sound.speech import speech_part

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE, HOP, FIELD = 8_000, 100, 200
CARD = {"sample_rate": RATE, "hop": HOP, "shortest": FIELD, "layers": ["low", "high"]}


def network(
    path: Path,
    *,
    shape: list[Any] | None = None,
    mask: int | None = TensorProto.INT64,
    width: int = 4,
) -> Path:
    """Write an encoder of two layers: frames of a convolution, and twice those times the mask."""
    rng = np.random.default_rng(0)
    kernels = rng.standard_normal((width, 1, FIELD)).astype(np.float32)
    shape = shape or [1, "n"]
    nodes = [
        helper.make_node("Reshape", ["wave", "channels"], ["one"]),
        helper.make_node("Conv", ["one", "kernels"], ["conv"], strides=[HOP]),
        helper.make_node("Transpose", ["conv"], ["low"], perm=[0, 2, 1]),
    ]
    inputs = [helper.make_tensor_value_info("wave", TensorProto.FLOAT, shape)]
    if mask:
        inputs.append(helper.make_tensor_value_info("mask", mask, [1, "n"]))
        nodes += [
            helper.make_node("Cast", ["mask"], ["counted"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["counted"], ["share"], keepdims=0),
            helper.make_node("Add", ["share", "share"], ["twice"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["two"], ["twice"]))
    nodes.append(helper.make_node("Mul", ["low", "twice"], ["high"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "t", width])
            for name in ("low", "high")
        ],
        [
            numpy_helper.from_array(kernels, "kernels"),
            numpy_helper.from_array(np.array([1, 1, -1]), "channels"),
            numpy_helper.from_array(np.array(2, np.float32), "two"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def tiny(folder: Path, card: dict[str, Any] | None = None, **changes: Any) -> Path:
    path = network(folder / "tiny.onnx", **changes)
    encoder.card_of(path).write_text(json.dumps(card or CARD), encoding="utf-8")
    return path


def speech(seconds: float = 1.0, rate: int = RATE) -> Floats:
    rng = np.random.default_rng(1)
    return rng.standard_normal(round(seconds * rate), dtype=np.float32) * np.float32(0.1)


@pytest.mark.parametrize("shape", [[1, "n"], [1, 1, "n"], ["b", "n"]])
@pytest.mark.parametrize("mask", [None, TensorProto.INT64, TensorProto.INT32])
def test_an_encoder_of_ones_own_makes_features(
    tmp_path: Path, shape: list[Any], mask: int | None
) -> None:
    frontend = encoder.frontend(tiny(tmp_path, shape=shape, mask=mask))
    assert (frontend.sample_rate, frontend.hop, frontend.width) == (RATE, HOP, 2 * 2 * 4)
    assert [column.name for column in frontend.columns[:5]] == [
        *(f"low_mean_{n}" for n in range(4)),
        "low_std_0",
    ]
    features = frontend.features(speech())
    assert features.shape == (1, 16) and features.dtype == np.float32
    low, high = np.split(features[0], 2)
    np.testing.assert_allclose(high, 2 * low, rtol=1e-5)  # the mask is all ones
    assert (low[4:] > 0).all()


def test_features_are_means_and_deviations_of_hidden_states(tmp_path: Path) -> None:
    path = tiny(tmp_path)
    heard = speech()[speech_part(speech())]
    wave = heard / np.abs(heard).max() / 2
    low = encoder.hidden(wave, path, encoder.read_card(path))[0]
    assert low.shape == (1 + (len(wave) - FIELD) // HOP, 4)
    expected = np.concatenate([low.mean(axis=0), low.std(axis=0)])
    found = encoder.frontend(path).features(speech())
    np.testing.assert_allclose(found[0, :8], expected, rtol=1e-4, atol=1e-5)


def test_layers_may_differ_in_width_and_in_their_number_of_frames(tmp_path: Path) -> None:
    path = tiny(tmp_path, CARD | {"layers": ["low", "wide"]})
    model = onnx.load(path)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.array([n]), name) for n, name in ((0, "first"), (7, "seventh"))]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "time"))
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["low", "first", "seventh", "time"], ["begun"]),
            helper.make_node("Concat", ["begun", "begun"], ["wide"], axis=2),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info("wide", TensorProto.FLOAT, None))
    onnx.save(model, str(path))
    frontend = encoder.frontend(path)
    families = [column.family for column in frontend.columns]
    assert [families.count(f"wide_{kind}") for kind in ("mean", "std")] == [8, 8]
    low, wide = encoder.hidden(speech(), path, encoder.read_card(path))
    np.testing.assert_array_equal(wide, np.tile(low[:7], 2))
    means = frontend.features(speech())[0, 8:16]
    np.testing.assert_array_equal(means[:4], means[4:])


def test_neither_silence_around_nor_level_says_anything(tmp_path: Path) -> None:
    frontend = encoder.frontend(tiny(tmp_path))
    plain = frontend.features(speech())
    np.testing.assert_allclose(
        frontend.features(speech() * np.float32(0.01)), plain, rtol=1e-4, atol=1e-5
    )
    # A frame of the measure of level may be half silent, and the encoder's frames lie otherwise.
    surrounded = frontend.features(np.pad(speech(), RATE).astype(np.float32))
    deviations = [n for n, column in enumerate(frontend.columns) if "std" in column.family]
    np.testing.assert_allclose(surrounded[:, deviations], plain[:, deviations], rtol=0.15)


@pytest.mark.parametrize("n_samples", [1, 50, FIELD])
def test_the_shortest_sounds_are_heard(tmp_path: Path, n_samples: int) -> None:
    frontend = encoder.frontend(tiny(tmp_path))
    for wave in (speech()[:n_samples], np.zeros(n_samples, np.float32)):
        assert np.isfinite(frontend.features(wave)).all()


def test_frontend_of_another_folder_is_another_in_the_cache(tmp_path: Path) -> None:
    first = encoder.frontend(tiny(tmp_path))
    moved = fake.moved(first, tmp_path / "moved")
    assert moved.fingerprint() == first.fingerprint()
    tiny(tmp_path / "moved", CARD | {"hop": 200})
    assert moved.fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "does not tell about an encoder"),
        ({"sample_rate": RATE}, "does not tell about an encoder: 'hop'"),
        (CARD | {"hop": 0}, "positive integers"),
        (CARD | {"sample_rate": "16k"}, "positive integers"),
        (CARD | {"layers": []}, "at least one name"),
        (CARD | {"layers": ["middle"]}, "has no output 'middle'"),
    ],
)
def test_a_card_that_tells_too_little_is_refused(
    tmp_path: Path, card: dict[str, Any] | None, reason: str
) -> None:
    path = tiny(tmp_path)
    text = "no JSON" if card is None else json.dumps(card)
    encoder.card_of(path).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=reason) as raised:
        encoder.frontend(path)
    assert raised.value.hint


def test_without_a_card_there_is_no_encoder(tmp_path: Path) -> None:
    path = network(tmp_path / "tiny.onnx")
    with pytest.raises(UsageError, match=r"tiny\.json is missing"):
        encoder.frontend(path)


@pytest.mark.parametrize("shape", [[1, 80, "t"], [1, 16_000], [1, "c", 80, "t"]])
def test_a_network_of_anything_but_waveforms_is_refused(tmp_path: Path, shape: list[Any]) -> None:
    with pytest.raises(UsageError, match="not a waveform"):
        encoder.frontend(tiny(tmp_path, shape=shape))


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tiny(tmp_path)
    path.write_bytes(b"no network")
    with pytest.raises(SerError, match="cannot be loaded"):
        encoder.frontend(path)


def test_a_system_is_trained_with_an_encoder_of_ones_own_and_predicts_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    path, table, folder = tiny(tmp_path), by_table(tmp_path / "corpus"), tmp_path / "trained"
    settings = tmp_path / "settings.json"
    settings.write_text(
        '{"blanks": 0, "synthesised": 0, "epochs": 2, "copies": 0}', encoding="utf-8"
    )
    words = ("--data", table, "--recipe", "voice", "--encoder", path)
    succeed("train", *words, "--artifacts", folder, "--params", settings, "--jobs", 1)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["encoder"] == "tiny.onnx"
    assert manifest["frontend_files"] == ["tiny.json", "tiny.onnx"]
    path.unlink()  # the folder has its own
    clip = next((table.parent / "wav").iterdir())
    row = json.loads(succeed("predict", clip, "--artifacts", folder, "--json", "--hear-all").out)
    assert row["emotion"] in EMOTIONS and row["status"] == "ok"
    network(folder / "tiny.onnx", width=5)
    done = ser("predict", clip, "--artifacts", folder, "--hear-all")
    assert done.code == 1 and "is not the file that was sealed" in done.err


def test_a_protocol_and_a_matrix_try_an_encoder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    settings = Path("settings.json")
    settings.write_text(
        '{"blanks": 0, "synthesised": 0, "epochs": 1, "copies": 0}', encoding="utf-8"
    )
    words = ("--recipe", "voice", "--encoder", tiny(tmp_path), "--params", settings)
    actors = by_actor(tmp_path / "actors")
    succeed("evaluate", "--protocol", "actors21-24", "--data", actors, *words, "--workers", 1)
    tables = [by_table(tmp_path / name).rename(f"{name}.csv") for name in ("one", "two")]
    for table in tables:
        text = table.read_text(encoding="utf-8").replace("wav/", f"{table.stem}/wav/")
        table.write_text(text, encoding="utf-8")
    both = [word for table in tables for word in ("--data", table)]
    matrix = succeed("evaluate", "--matrix", *both, *words, "--workers", 1, "--json").out
    assert len(json.loads(matrix)["cells"]) == 2
    rows = read_rows(Path("artifacts/results.csv"))
    assert {row["settings_from"] for row in rows} == {"settings.json with encoder=tiny.onnx"}
    assert len(rows) >= 2


def test_all_members_hear_all_of_an_encoder_of_ones_own(tmp_path: Path) -> None:
    own = recipes.get("voice", tiny(tmp_path))
    assert own.params["first"] == own.frontend.width == 16
    assert recipes.get("voice").params["first"] == 2 * 3 * 288  # Moonshine's layers


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--recipe", "voice", "--encoder", "none.onnx"), "none.onnx: no such encoder"),
        (("--encoder", "tiny.onnx"), "the recipe cnn-bilstm takes no encoder"),
    ],
)
def test_an_encoder_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny(tmp_path)
    for command in ("extract", "train", "tune"):
        done = ser(command, "--data", by_table(tmp_path / "corpus"), *words)
        assert done.code == 2 and reason in done.err


def test_moonshine_is_what_its_card_states() -> None:
    card = encoder.read_card(encoder.MOONSHINE)
    assert card == encoder.Card(16_000, 384, 895, tuple(moonshine.LAYERS))
    assert encoder.widths(encoder.MOONSHINE, card) == encoder.WIDTHS["moonshine-tiny"]
    assert encoder.MOONSHINE.with_suffix(".LICENSE").read_text("utf-8").startswith("MIT License")
    for n_samples in (895, 16_000):
        wave = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
        frames = ((((n_samples - 127) // 64 + 1) - 7) // 3 + 1 - 3) // 2 + 1
        assert encoder.hidden(wave, encoder.MOONSHINE, card)[2].shape == (frames, 288)


def test_smart_turn_is_what_its_card_states() -> None:
    card = encoder.read_card(encoder.SMART_TURN)
    assert card == encoder.Card(16_000, 320, 320, tuple(smart_turn.LAYERS))
    assert encoder.widths(encoder.SMART_TURN, card) == encoder.WIDTHS["smart-turn"]
    licence = encoder.SMART_TURN.with_suffix(".LICENSE").read_text("utf-8")
    assert licence.startswith("BSD 2-Clause License")
    for n_samples in (320, 16_000, 10 * 16_000):  # the last is longer than it was trained for
        wave = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
        columns, *layers = encoder.hidden(wave, encoder.SMART_TURN, card)
        assert columns.shape == (n_samples // 160, 80)
        for layer in layers:
            assert layer.shape == (-(-(n_samples // 160) // 2), 384)


def test_the_spectrogram_inside_smart_turn_is_whispers() -> None:
    """Against librosa's in double precision, as the encoder's own preprocessing computes it."""
    name, rng = "features", np.random.default_rng(0)
    wave = rng.standard_normal(16_000) * np.geomspace(1e-3, 1, 16_000) + 0.2
    graph = helper.make_graph(
        smart_turn.spectrogram(name),
        "spectrogram",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 80, "t"])],
        smart_turn.constants(),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"waveform": wave[None].astype(np.float32)})
    normal = (wave - wave.mean()) / wave.std()
    power = np.abs(librosa.stft(normal, n_fft=400, hop_length=160, pad_mode="reflect")) ** 2
    mel = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80) @ power[:, :-1]
    decades = np.log10(np.maximum(mel, 1e-10))
    expected = (np.maximum(decades, decades.max() - 8) + 4) / 4
    np.testing.assert_allclose(found[0], expected, atol=1e-3)


def test_a_network_of_spectrograms_becomes_one_of_waveforms_of_any_length() -> None:
    """The tool that makes smart-turn, on a network that adds positions and gives a new shape."""
    names = {"positions": "inner.encoder.embed_positions.weight", "frames": "val_21"}
    nodes = [
        helper.make_node("ReduceMean", ["features", "bins_axis"], ["level"], keepdims=1),
        helper.make_node("AveragePool", ["level"], ["gelu_1"], kernel_shape=[2], strides=[2]),
        helper.make_node("Concat", ["one_clip", names["frames"], "one_value"], ["given"], axis=0),
        helper.make_node("Reshape", ["gelu_1", "given"], ["states"]),
        helper.make_node("Add", ["states", names["positions"]], ["add_146"]),
    ]
    positions = np.arange(400, dtype=np.float32)[:, None]
    graph = helper.make_graph(
        nodes,
        "whisper",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 80, 800])],
        [helper.make_tensor_value_info("add_146", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array([1]), "bins_axis"),
            numpy_helper.from_array(np.array([1]), "one_clip"),
            numpy_helper.from_array(np.array([400]), names["frames"]),
            numpy_helper.from_array(np.array([1]), "one_value"),
            numpy_helper.from_array(positions, names["positions"]),
        ],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    cut = wheels.cut(smart_turn.of_waveforms(whole), smart_turn.LAYERS, (80, 1, 1), None)
    session = onnxruntime.InferenceSession(
        cut.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for seconds, frames in ((0.2, 10), (8, 400), (9, 450)):
        conv, block = session.run(["conv", "block1"], {"waveform": speech(seconds, 16_000)[None]})
        assert conv.shape == block.shape == (1, frames, 1)
        added = np.minimum(np.arange(frames), 399)
        np.testing.assert_allclose((block - conv)[0, :, 0], added, atol=1e-3)


def test_onnx_runtimes_own_format_is_read_as_onnx(tmp_path: Path) -> None:
    """The tool that makes the shipped encoder, on one small enough to be made here."""
    source = network(tmp_path / "source.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "source.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    inputs: dict[str, int] = {"wave": TensorProto.FLOAT, "mask": TensorProto.INT64}
    read = moonshine.read((tmp_path / "source.ort").read_bytes(), inputs)
    cut = wheels.cut(read, {"first": "conv", "last": "high"}, (4, 4))
    names = {node.op_type for node in cut.graph.node}
    assert {"Conv", "Mul", "Identity"} <= names
    wave, mask = speech()[None], np.ones((1, RATE), np.int64)
    again = onnxruntime.InferenceSession(
        cut.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"wave": wave, "mask": mask}
    (expected,) = session.run(["high"], feeds)
    found = again.run(["last"], {entry.name: feeds[entry.name] for entry in again.get_inputs()})
    np.testing.assert_array_equal(found[0], expected)
    lone = wheels.cut(read, {"first": "conv"}, (4,))
    assert [node.op_type for node in lone.graph.node] == ["Reshape", "Conv", "Identity"]
    assert [value.name for value in lone.graph.input] == ["wave"]
