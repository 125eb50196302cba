"""ONNX files that mean no good, and some that do, each mapping (n, 100, 2) to (n, 2) as `fake`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fake
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

FLOAT = TensorProto.FLOAT
# x -> (n, 2) logits, all 0.
HEAD = (
    helper.make_node("ReduceMean", ["x", "axis"], ["mean"], keepdims=0),
    helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
)
END = helper.make_node("Softmax", ["q"], ["p"], axis=1)
Value = helper.make_tensor_value_info


def constant(name: str, values: Any, kind: str = "i8") -> TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def write(
    path: Path, nodes: Sequence[Any], *constants: TensorProto, batch: Any = "n", **parts: Any
) -> Path:
    """Write a network of these nodes between `HEAD` and what they end in."""
    given = [constant("axis", [1]), constant("weights", np.zeros((2, 2)), "f4"), *constants]
    inputs = [Value("x", FLOAT, [batch, fake.MAX_LEN, 2]), *parts.pop("inputs", ())]
    graph = helper.make_graph([*HEAD, *nodes], "g", inputs, [Value("p", FLOAT, [batch, 2])], given)
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    save(helper.make_model(graph, opset_imports=sets, ir_version=10, **parts), str(path))
    return path


def ends(*nodes: Any) -> list[Any]:
    """Return nodes that lead from "logits" to "q", and the end."""
    return [*nodes, END]


def square(side: int, times: int = 0) -> tuple[list[Any], TensorProto, TensorProto]:
    """Return nodes that make a square of numbers, and multiply it by itself some times."""
    one = helper.make_tensor("one", FLOAT, [1], [1.0])
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["s0"], value=one)]
    nodes += [helper.make_node("MatMul", [f"s{n}", "s0"], [f"s{n + 1}"]) for n in range(times)]
    nodes += [helper.make_node("ReduceMean", [f"s{times}", "both"], ["m"], keepdims=0)]
    nodes += ends(helper.make_node("Add", ["logits", "m"], ["q"]))
    return nodes, constant("shape", [side, side]), constant("both", [0, 1])


def branch(name: str, *inner: Any) -> Any:
    """Return a graph without inputs that passes the logits on."""
    last = helper.make_node("Identity", ["logits"], [name])
    return helper.make_graph([*inner, last], name, [], [Value(name, FLOAT, ["n", 2])])


def loop() -> Any:
    """Return a node that never ends."""
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("c", "d"), ("v", "w"))]
    inputs = [Value("i", TensorProto.INT64, []), Value("c", TensorProto.BOOL, [])]
    outputs = [Value("d", TensorProto.BOOL, []), Value("w", FLOAT, None)]
    body = helper.make_graph(nodes, "body", [*inputs, Value("v", FLOAT, None)], outputs)
    return helper.make_node("Loop", ["", "yes", "logits"], ["q"], body=body)


YES = constant("yes", True, "?")
