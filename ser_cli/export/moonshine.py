"""The first speech encoder that ships with `ser`, made from the wheel that publishes it.

    pip download --no-deps moonshine-voice==0.0.49
    python -m ser_cli.export.moonshine moonshine_voice-0.0.49-*.whl

(`nox -s encoder` does both.) The wheel holds Moonshine tiny, an encoder for speech recognition, in
ONNX Runtime's own format. Its lower layers hear how something is said, its upper ones what, so it
is cut after the third.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper

from ser_cli.errors import DataError
from ser_cli.export.wheels import Published, cut, ship, take
from ser_cli.sound import encoder

MOONSHINE = Published(
    package="moonshine-voice==0.0.49",
    member="moonshine_voice/assets/tiny-en/encoder_model.ort",
    sha256="94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    licence="moonshine_voice-0.0.49.dist-info/licenses/LICENSE",
)
INPUTS: dict[str, int] = {"input_values": TensorProto.FLOAT, "attention_mask": TensorProto.INT64}
LAYERS = {f"layer{n}": f"/layers.{n - 1}/Add_1_output_0" for n in (1, 2, 3)}  # residual streams
CARD = {
    "name": "Moonshine tiny, English: convolutions and the first three of six transformer layers",
    "source": "moonshine-voice 0.0.49, " + MOONSHINE.member,
    "licence": "MIT, Copyright (c) 2025 Moonshine AI",
    "sample_rate": 16_000,
    # Three convolutions: 127 samples every 64, 7 of these every 3, 3 of those every 2.
    "hop": 64 * 3 * 2,
    "shortest": 127 + 64 * ((7 - 1) + 3 * (3 - 1)),
    "layers": list(LAYERS),
}


def convert(wheel: Path, path: Path) -> None:
    """Write the cut encoder, its card and its licence.

    Args:
        wheel: moonshine-voice 0.0.49.
        path: NAME.onnx; NAME.json and NAME.LICENSE go beside it.

    Raises:
        DataError: The wheel is another one.
    """
    content, licence = take(MOONSHINE, wheel)
    ship(cut(read(content, INPUTS), LAYERS, encoder.WIDTHS[path.stem]), path, CARD, licence)


def read(content: bytes, inputs: dict[str, int]) -> onnx.ModelProto:
    """Return a file in ONNX Runtime's format as ONNX; its outputs are still to be named.

    Args:
        content: Of the file.
        inputs: Name and element type of each input; all are (1, n).
    """
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import InferenceSession

    model = InferenceSession.InferenceSession.GetRootAsInferenceSession(
        bytearray(content), 0
    ).Model()
    graph = model.Graph()
    weights = [_tensor(graph.Initializers(n)) for n in range(graph.InitializersLength())]
    nodes = [_node(graph.Nodes(n)) for n in range(graph.NodesLength())]
    known = {*inputs, *(weight.name for weight in weights)}
    entries = [helper.make_tensor_value_info(n, kind, [1, "n"]) for n, kind in inputs.items()]
    made = helper.make_graph(_ordered(nodes, known), "encoder", entries, [], weights)
    opsets = [
        (_text(o.Domain()), o.Version())
        for o in map(model.OpsetImport, range(model.OpsetImportLength()))
    ]
    imports = [helper.make_opsetid(*opset) for opset in opsets if opset[0] in ("", "com.microsoft")]
    return helper.make_model(made, opset_imports=imports, ir_version=8)


def _ordered(nodes: list[NodeProto], known: set[str]) -> list[NodeProto]:
    """Return nodes so that each comes after what it needs, as ONNX demands."""
    known, ordered, waiting = {*known, ""}, [], nodes
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        if not ready:
            raise DataError("the encoder's network is not complete", hint="fetch it again")
        ordered += ready
        known.update(name for node in ready for name in node.output)
        waiting = [node for node in waiting if not known.issuperset(node.output)]
    return ordered


def _node(node: Any) -> NodeProto:
    made = NodeProto(
        op_type=_text(node.OpType()), domain=_text(node.Domain()), name=_text(node.Name())
    )
    made.input.extend(_text(node.Inputs(n)) for n in range(node.InputsLength()))
    made.output.extend(_text(node.Outputs(n)) for n in range(node.OutputsLength()))
    made.attribute.extend(_attribute(node.Attributes(n)) for n in range(node.AttributesLength()))
    return made


def _attribute(attribute: Any) -> AttributeProto:
    """Return an attribute; of the kinds that ONNX knows, these are the ones in use."""
    kind = AttributeProto
    read: dict[int, Callable[[], dict[str, Any]]] = {
        kind.FLOAT: lambda: {"f": attribute.F()},
        kind.INT: lambda: {"i": attribute.I()},
        kind.STRING: lambda: {"s": attribute.S() or b""},
        kind.TENSOR: lambda: {"t": _tensor(attribute.T())},
        kind.FLOATS: lambda: {"floats": _all(attribute.Floats, attribute.FloatsLength())},
        kind.INTS: lambda: {"ints": _all(attribute.Ints, attribute.IntsLength())},
        kind.STRINGS: lambda: {"strings": _all(attribute.Strings, attribute.StringsLength())},
    }
    own = read[attribute.Type()]()
    return AttributeProto(name=_text(attribute.Name()), type=attribute.Type(), **own)


def _all(read: Callable[[int], Any], count: int) -> list[Any]:
    return [read(number) for number in range(count)]


def _tensor(tensor: Any) -> TensorProto:
    shape = [tensor.Dims(n) for n in range(tensor.DimsLength())]
    raw = tensor.RawDataAsNumpy().tobytes() if tensor.RawDataLength() else b""
    return TensorProto(
        name=_text(tensor.Name()), dims=shape, data_type=tensor.DataType(), raw_data=raw
    )


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


if __name__ == "__main__":
    convert(Path(sys.argv[1]), encoder.MOONSHINE)
