"""Pretrained networks as others publish them: inside a wheel, and more of one than is needed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper

from ser_cli.data.store import atomic_write, write_text
from ser_cli.errors import DataError
from ser_cli.sound.encoder import card_of


@dataclass(frozen=True, slots=True)
class Published:
    """A network in a wheel.

    Attributes:
        package: Name and version of the wheel.
        member: The network's path in it.
        sha256: Of the network.
        licence: The licence's path in it.
    """

    package: str
    member: str
    sha256: str
    licence: str


def take(published: Published, wheel: Path) -> tuple[bytes, bytes]:
    """Return a network and its licence as the wheel holds them.

    Raises:
        DataError: The wheel is another one.
    """
    try:
        with zipfile.ZipFile(wheel) as zipped:
            content, licence = zipped.read(published.member), zipped.read(published.licence)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _other(published, wheel) from error
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise _other(published, wheel)
    return content, licence


def cut(
    model: onnx.ModelProto, layers: dict[str, str], widths: Sequence[int], frames: str | None = "t"
) -> onnx.ModelProto:
    """Return the part of a network that computes some of its tensors, which become its outputs.

    Args:
        model: Its nodes in order.
        layers: Name of the output -> name of the tensor.
        widths: Values of a frame in each.
        frames: Name of their number; None where it is not the same in all.
    """
    graph, needed = model.graph, set(layers.values())
    nodes: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(node.input)
    renamed = [helper.make_node("Identity", [tensor], [name]) for name, tensor in layers.items()]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, frames, width])
        for name, width in zip(layers, widths, strict=True)
    ]
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    inputs = [value for value in graph.input if value.name in needed]
    made = helper.make_graph([*nodes, *renamed], "encoder", inputs, outputs, weights)
    return helper.make_model(made, opset_imports=model.opset_import, ir_version=model.ir_version)


def ship(model: onnx.ModelProto, path: Path, card: Mapping[str, Any], licence: bytes) -> None:
    """Write an encoder, NAME.onnx, and NAME.json and NAME.LICENSE beside it."""
    with atomic_write(path) as temporary:
        onnx.save(model, temporary)
    write_text(card_of(path), json.dumps(card, indent=2) + "\n")
    path.with_suffix(".LICENSE").write_bytes(licence)


def _other(published: Published, wheel: Path) -> DataError:
    return DataError(
        f"{wheel} does not hold the network that is shipped",
        hint=f"pip download --no-deps {published.package}",
    )
