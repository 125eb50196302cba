"""Networks from strangers: what could harm is refused, and the rest ends in time and memory."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import graphs
import numpy as np
import pytest
from command import ser, tone
from graphs import END, YES, branch, constant, ends, loop, square, write
from modules import printed
from onnx import TensorProto, helper, load, save

from ser_cli import onnx_graph, onnx_session, recipes
from ser_cli.errors import ArtifactsError, SerError
from ser_cli.model import artifacts, sklearn_files
from ser_cli.model.frontends import frontend_of
from ser_cli.model.network import OnnxNetwork
from ser_cli.model.pipeline import Pipeline
from ser_cli.sound import fingerprint
from ser_cli.sound.encoder import MOONSHINE, SMART_TURN, card_of
from ser_cli.types import Preprocessor

NEGATIVE = helper.make_node("Identity", ["logits"], ["q"])


def external(path: Path) -> Path:
    """Write a network whose weights lie in a second file."""
    model = load(str(write(path, ends(NEGATIVE))))
    save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def elsewhere() -> TensorProto:
    """Return a constant that is to be read from a file of the machine."""
    outside = TensorProto(data_type=TensorProto.FLOAT, dims=[1], name="secret")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../../etc/passwd")
    return outside


def hidden_loop() -> list[Any]:
    """Return a loop in a branch of a branch."""
    inner = branch("inner", loop())
    middle = helper.make_node("If", ["yes"], ["z"], then_branch=inner, else_branch=branch("e"))
    outer = branch("outer", middle)
    return ends(helper.make_node("If", ["yes"], ["q"], then_branch=outer, else_branch=branch("f")))


def deep(levels: int) -> list[Any]:
    """Return branches in branches."""
    made = branch("b0")
    for level in range(1, levels):
        pair = {"then_branch": made, "else_branch": branch("e")}
        made = branch(f"b{level}", helper.make_node("If", ["yes"], [f"z{level}"], **pair))
    return ends(helper.make_node("If", ["yes"], ["q"], then_branch=made, else_branch=branch("f")))


def function() -> Any:
    opset = [helper.make_opsetid("", 18)]
    return helper.make_function("own", "twice", ["a"], ["b"], [graphs.HEAD[0]], opset)


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "external weights": (external, "external data"),
    "an external constant": (
        lambda path: write(path, ends(helper.make_node("Constant", [], ["c"], value=elsewhere()))),
        "external data",
    ),
    "an operator of a library": (
        lambda path: write(path, ends(helper.make_node("Run", ["logits"], ["q"], domain="own"))),
        "needs the operator 'Run' of 'own'",
    ),
    "a loop": (lambda path: write(path, ends(loop()), YES), "holds a Loop"),
    "a scan": (
        lambda path: write(path, ends(helper.make_node("Scan", ["logits"], ["q"]))),
        "holds a Scan",
    ),
    "a loop in a branch of a branch": (lambda path: write(path, hidden_loop(), YES), "a Loop"),
    "branches without end": (lambda path: write(path, deep(12), YES), "too deep"),
    "a graph in any other operator": (
        lambda path: write(path, ends(helper.make_node("Abs", ["logits"], ["q"], g=branch("b")))),
        "holds a graph",
    ),
    "functions": (
        lambda path: write(path, ends(NEGATIVE), functions=[function()]),
        "functions of its own",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_do_more_than_compute_is_refused(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(ArtifactsError, match=reason) as caught:
        onnx_session.open_session(make(tmp_path / "model.onnx"))
    assert caught.value.hint and "model.onnx is refused" in str(caught.value)


def test_a_number_in_the_place_of_a_name_hides_none(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", [helper.make_node("Loop", ["a"], ["b"]), END])
    content = path.read_bytes()
    node = content[content.index(b"\x0a\x01a\x12\x01b\x22\x04Loop") :][:12]
    # The name of the operator once more, as a number: a parser of Protocol Buffers skips it.
    forged = node + b"\x20\x00"
    place = content.index(node)
    assert content[place - 1] == len(node)
    patched = content[: place - 1] + bytes([len(forged)]) + forged + content[place + len(node) :]
    # The graph is two bytes longer.
    at = patched.index(b"\x3a")
    size, end = onnx_graph._Reader(patched)._varint(at + 1)  # type: ignore[arg-type]
    longer = bytes([(size + 2) & 0x7F | 0x80, (size + 2) >> 7])
    path.write_bytes(patched[: at + 1] + longer + patched[end:])
    assert load(str(path)).graph.node[2].op_type == "Loop"
    with pytest.raises(ArtifactsError, match="holds a Loop"):
        onnx_graph.check(path)


def test_what_only_computes_is_taken(tmp_path: Path) -> None:
    pair = {"then_branch": branch("b"), "else_branch": branch("c")}
    chosen = write(tmp_path / "a", ends(helper.make_node("If", ["yes"], ["q"], **pair)), YES)
    assert OnnxNetwork(chosen).run(fake_input()).tolist() == [[0.5, 0.5]]
    for path in (
        MOONSHINE,
        SMART_TURN,
        *(folder / artifacts.ONNX for folder in artifacts.shipped()),
    ):
        onnx_graph.check(path)


def test_forged_files_are_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", ends(loop()), YES)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    cuts = [whole[:cut] for cut in range(0, len(whole), 11)]
    changed = []
    for _ in range(300):
        forged = bytearray(whole)
        forged[rng.integers(len(whole))] = rng.integers(256)
        changed.append(bytes(forged))
    for content in (*cuts, *changed, b"\xff" * 50, b"no network"):
        path.write_bytes(content)
        try:
            onnx_graph.check(path)
        except ArtifactsError as error:
            assert error.hint


def test_a_file_of_too_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "MOST_FIELDS", 20)
    with pytest.raises(ArtifactsError, match="more parts"):
        onnx_graph.check(write(tmp_path / "model.onnx", ends(NEGATIVE)))


def fake_input(n: int = 1) -> np.ndarray:
    return np.zeros((n, fake.MAX_LEN, 2), np.float32)


@pytest.mark.parametrize("gigabytes", [6, 80])
def test_more_memory_than_there_is_to_have(gigabytes: int, tmp_path: Path) -> None:
    side = round((gigabytes * 2**30 / 4) ** 0.5)
    nodes, *constants = square(side)
    network = OnnxNetwork(write(tmp_path / "model.onnx", nodes, *constants))
    with pytest.raises(ArtifactsError, match=r"asks for more than 4 GB of memory") as caught:
        network.run(fake_input())
    assert "ser train" in caught.value.hint


def test_memory_of_a_large_run_is_given_back(tmp_path: Path) -> None:
    status = Path("/proc/self/statm")
    if not status.is_file():
        pytest.skip("this system does not tell how much memory is in use")
    nodes, *constants = square(10_000)  # 400 MB
    path = write(tmp_path / "model.onnx", nodes, *constants)
    # In a process of its own, which no other test has used ONNX Runtime in before.
    code = (
        "from pathlib import Path; from test_strangers import fake_input;"
        "from ser_cli.model.network import OnnxNetwork;"
        "used = lambda: int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6;"
        f"network = OnnxNetwork(Path({str(path)!r})); before = used();"
        "network.run(fake_input()); print(used() - before)"
    )
    assert float(printed(code)) < 200


def test_more_time_than_anybody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, *constants = square(1_500, times=1_000)  # minutes
    began = time.monotonic()
    network = OnnxNetwork(write(tmp_path / "model.onnx", nodes, *constants))
    monkeypatch.setattr(onnx_session, "MOST_SECONDS", 0.5)
    with pytest.raises(ArtifactsError, match=r"takes longer than 0\.5 s"):
        network.run(fake_input())
    assert time.monotonic() - began < 20  # and nothing was computed when it was loaded


def pipeline(path: Path, **changes: Any) -> Pipeline:
    plain = Preprocessor(fake.MAX_LEN, np.zeros(2), np.ones(2), fake.CLASSES)
    return Pipeline(fake.FRONTEND, replace(plain, **changes), OnnxNetwork(path))


def nodes_of(kind: str) -> list[Any]:
    """Return nodes whose output is no probability."""
    last = {
        "nan": helper.make_node("Div", ["logits", "logits"], ["p"]),
        "logits": helper.make_node("Sub", ["logits", "one"], ["p"]),
        "sum": helper.make_node("Add", ["logits", "one"], ["p"]),
        "shape": helper.make_node("Concat", ["logits", "logits"], ["p"], axis=0),
    }
    return [last[kind]]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nan", "not finite"),
        ("logits", "no probabilities"),
        ("sum", "no probabilities"),
        ("shape", r"its output is \(2, 2\), not \(1, 2\)"),
    ],
)
def test_an_output_that_is_no_probability(kind: str, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", nodes_of(kind), constant("one", 1, "f4"))
    with pytest.raises(ArtifactsError, match=reason) as caught:
        pipeline(path).probabilities([fake_input()[0]])
    assert caught.value.hint


def test_a_network_that_cannot_be_run(tmp_path: Path) -> None:
    two = write(tmp_path / "two.onnx", ends(NEGATIVE), batch=2)
    with pytest.raises(ArtifactsError, match=r"two\.onnx cannot be run: .*invalid dim"):
        pipeline(two).probabilities([fake_input()[0]])
    more = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])]
    with pytest.raises(ArtifactsError, match="maps"):
        pipeline(write(tmp_path / "b.onnx", ends(NEGATIVE), inputs=more))


def test_a_scaling_of_another_width(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", ends(NEGATIVE))
    for width in (0, 2, 2 * fake.MAX_LEN):
        pipeline(path, mean=np.zeros(width), scale=np.ones(width))
    with pytest.raises(ArtifactsError, match=r"scaling .* is of 5 values"):
        pipeline(path, mean=np.zeros(5), scale=np.ones(5))


def test_a_hostile_model_is_one_sentence_of_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "model")
    fake.unseal(folder)
    write(folder / artifacts.ONNX, nodes_of("nan"))
    artifacts.seal(folder, facts={"recipe": "fake"})
    done = ser("predict", tone(tmp_path / "a.wav", 440, seed=0), "--artifacts", folder)
    assert done.code == 1 and len(done.out.splitlines()) == 1  # the head
    assert "Traceback" not in done.err and "not finite" in done.err
    assert "try: take another model" in done.err


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"temperature": 0}, "'temperature' is 0"),
        ({"temperature": -1.0}, "'temperature' is -1"),
        ({"temperature": float("nan")}, "'temperature' is nan"),
        ({"temperature": float("inf")}, "'temperature' is inf"),
        ({"temperature": True}, "'temperature' is True"),
        ({"format": True}, "'format' is True"),
        ({"files": {"x": []}}, "files are not described"),
        ({"frontend_files": [3]}, "files are not described"),
        ({"frontend_files": "x"}, "'frontend_files' is 'x'"),
        ({"settings": 3}, "'settings' is 3"),
        ({"encoder": 5}, "'encoder' is 5"),
        ({"data": {}}, "'data' is {}"),
    ],
)
def test_manifests_that_nobody_sealed(facts: dict[str, Any], reason: str, tmp_path: Path) -> None:
    folder = fake.folder(tmp_path / "model")
    manifest = json.loads((folder / artifacts.MANIFEST).read_text())
    (folder / artifacts.MANIFEST).write_text(json.dumps(manifest | facts))
    with pytest.raises(ArtifactsError, match=reason) as caught:
        artifacts.load(folder)
    assert caught.value.hint and not artifacts.is_complete(folder)


@pytest.mark.parametrize("key", ["frontend_files", "encoder"])
def test_names_in_a_manifest_lead_out_of_no_folder(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.register(monkeypatch)
    folder = fake.folder(tmp_path / "model")
    outside = tmp_path / "outside.onnx"
    outside.write_bytes(b"secret")
    name = f"../{outside.name}"
    manifest = json.loads((folder / artifacts.MANIFEST).read_text())
    manifest["files"][name] = {"bytes": 6, "sha256": fingerprint.of_file(outside)}
    manifest[key] = [name] if key == "frontend_files" else name
    (folder / artifacts.MANIFEST).write_text(json.dumps(manifest))
    asked: list[Path] = []

    def get(name: str, encoder: Path | None = None) -> Any:
        asked.append(encoder or folder)
        return fake.recipe()

    monkeypatch.setattr(recipes, "get", get)
    if key == "frontend_files":
        with pytest.raises(ArtifactsError, match=r"model.outside\.onnx is missing"):
            artifacts.load(folder)
    else:
        frontend_of(artifacts.load(folder))
        assert asked == [folder / outside.name]


def test_classes_of_a_column_of_pandas(tmp_path: Path) -> None:
    import joblib
    from sklearn.preprocessing import LabelEncoder

    folder = fake.folder(tmp_path / "model")
    encoder = LabelEncoder().fit(np.array(["sad", "angry"], dtype=object))
    joblib.dump(encoder, tmp_path / "l.pkl")
    read = sklearn_files.read(folder / artifacts.SCALER, tmp_path / "l.pkl", fake.MAX_LEN)
    assert read.classes == ("angry", "sad")


def encoder(path: Path, *nodes: Any, **parts: Any) -> Path:
    """Write a network of waveforms (1, n) -> (1, n, 1), and its card."""
    wave = helper.make_tensor_value_info("wave", TensorProto.FLOAT, [1, "n"])
    layer = helper.make_tensor_value_info("layer", TensorProto.FLOAT, [1, "n", 1])
    axes = constant("axes", [2])
    given = [helper.make_node("Unsqueeze", ["wave", "axes"], ["q"]), *nodes]
    graph = helper.make_graph(given, "g", [wave], [layer], [axes, *parts.pop("constants", ())])
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    save(helper.make_model(graph, opset_imports=sets, ir_version=10), str(path))
    card = {"sample_rate": 16_000, "hop": 1, "shortest": 100, "layers": ["layer"]}
    card_of(path).write_text(json.dumps(card))
    return path


def test_encoders_are_held_to_the_same(tmp_path: Path) -> None:
    plain = helper.make_node("Identity", ["q"], ["layer"])
    recipes.get("voice", encoder(tmp_path / "a.onnx", plain))
    own = helper.make_node("Run", ["q"], ["layer"], domain="own")
    with pytest.raises(SerError, match="needs the operator"):
        recipes.get("voice", encoder(tmp_path / "b.onnx", own))
    none = [helper.make_node("Sub", ["q", "q"], ["o"]), helper.make_node("Log", ["o"], ["layer"])]
    with pytest.raises(SerError, match=r"output layer holds values that are not finite"):
        recipes.get("voice", encoder(tmp_path / "c.onnx", *none))
    side = constant("side", [150_000, 150_000])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    big = [
        helper.make_node("ConstantOfShape", ["side"], ["s"], value=one),
        helper.make_node("ReduceMean", ["s"], ["m"], keepdims=0),
        helper.make_node("Add", ["q", "m"], ["layer"]),
    ]
    with pytest.raises(SerError, match="more than 4 GB"):
        recipes.get("voice", encoder(tmp_path / "d.onnx", *big, constants=[side]))


def test_a_small_archive_of_a_large_network_is_not_unpacked(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    from ser_cli.export import keras_network

    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", b" " * (keras_network.MOST_JSON_BYTES + 1))
        archive.writestr("model.weights.h5", b"")
    assert path.stat().st_size < 100_000
    with pytest.raises(ArtifactsError, match="is refused: unpacked it has 17 MB"):
        keras_network.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ArtifactsError, match="cannot be loaded"):
        keras_network.load(path)
