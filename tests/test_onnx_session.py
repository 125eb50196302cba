"""ONNX Runtime as all networks are run: what they compute does not depend on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ser_cli import onnx_session

WIDTH = 64


def eight_bits(path: Path) -> Path:
    """Write a network that multiplies 8-bit inputs by the largest 8-bit weights there are."""
    weights = np.full((WIDTH, 1), 127, np.int8)
    one, step = np.float32(1), np.float32(WIDTH * 127)  # so that 8 bits hold the largest sum
    given = {"w": weights, "one": one, "step": step, "s0": np.int8(0), "u0": np.uint8(0)}
    product = helper.make_node(
        "QLinearMatMul", ["x", "one", "u0", "w", "one", "s0", "step", "u0"], ["y"]
    )
    graph = helper.make_graph(
        [product],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["n", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()],
    )
    sets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=10), str(path))
    return path


def test_sums_of_8_bit_products_do_not_overflow(tmp_path: Path) -> None:
    """On x86 without VNNI a pair of products is summed in 16 bits, which 2 * 255 * 127 exceeds."""
    path = eight_bits(tmp_path / "eight.onnx")
    inputs = np.array([[255] * WIDTH, [128] * WIDTH, [3] * WIDTH], np.uint8)
    (found,) = onnx_session.execute(onnx_session.kept(path), {"x": inputs}, name="eight")
    assert found.ravel().tolist() == [255, 128, 3]


def test_the_exact_sums_are_asked_for_on_every_processor(tmp_path: Path) -> None:
    session = onnx_session.open_session(eight_bits(tmp_path / "eight.onnx"))
    options = session.get_session_options()
    assert options.get_session_config_entry("session.x64quantprecision") == "1"
