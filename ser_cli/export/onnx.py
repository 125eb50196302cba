"""A trained Keras network -> ONNX, and an ONNX network with smaller weights."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from ser_cli.data.store import atomic_write
from ser_cli.errors import ArtifactsError
from ser_cli.model.network import OnnxNetwork

TOLERANCE = 1e-5  # of a probability; float32 networks differ by about 1e-7


def to_onnx(model: keras.Model, path: Path, *, halves: bool = False) -> None:
    """Write the network as ONNX with a free batch size, if it computes what the original does.

    Args:
        model: (N, T, F) -> (N, C).
        path: Replaced when the check has passed.
        halves: Whether to keep its matrices in half precision, to which they have been rounded.

    Raises:
        ArtifactsError: A probability differs by more than 1e-5.
    """
    shape = model.input_shape[1:]
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    # Called before the export: Keras traces the shapes of that call.
    expected = np.asarray(model(x, training=False))
    with atomic_write(path) as temporary:
        with warnings.catch_warnings():
            # Keras asks NumPy for a name that NumPy will bring back.
            warnings.simplefilter("ignore", FutureWarning)
            model.export(temporary, format="onnx", verbose=False)
        network = onnx.load(temporary)
        # It counts what TensorFlow has traced before: the same network is to be the same file.
        network.graph.doc_string = ""
        onnx.save(network, temporary)
        if halves:
            _halve(temporary, temporary)
        # One more clip than was traced: a fixed batch size would fail here.
        found = OnnxNetwork(temporary).run(np.concatenate([x, x[:1]]))[:-1]
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise ArtifactsError(
                f"{path}: ONNX and Keras differ by {difference:.1e}", hint="train again: ser train"
            )


def rewrite_onnx(source: Path, path: Path, quantize: str | None) -> None:
    """Write an ONNX network again with smaller weights.

    int8 is ONNX Runtime's dynamic quantization: 8 bits for the weights of convolutions, dense
    and LSTM layers, and for their inputs as they come. Weights outside the LSTM are unsigned:
    on CPUs without VNNI signed ones saturate, and took three times as long. An input's range is
    that of its whole batch, so a clip's result moves a little (2e-4) with the others in it.

    Args:
        source: float32 weights.
        path: Written; not atomically.
        quantize: "fp16" and "int8", or None for a plain copy.
    """
    if quantize is None:
        shutil.copyfile(source, path)
    elif quantize == "fp16":
        _halve(source, path)
    else:
        with tempfile.TemporaryDirectory() as room:
            prepared = Path(room) / source.name
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_dynamic(prepared, path, weight_type=QuantType.QUInt8)


def _halve(source: Path, path: Path) -> None:
    """Keep matrices and kernels in half precision, and widen them where they are used.

    ONNX Runtime computes in float32 as before: its CPU has no LSTM in half precision, and no sum
    can overflow.
    """
    network = onnx.load(source)
    graph, casts = network.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        wide, narrow = tensor.name, f"{tensor.name}/fp16"
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, narrow))
        casts.append(helper.make_node("Cast", [narrow], [wide], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(network)
    onnx.save(network, path)
