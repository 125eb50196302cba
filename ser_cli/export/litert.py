"""A trained Keras network -> LiteRT (.tflite) for the small runtime: phones, boards, no TensorFlow.

That runtime knows LiteRT's own operators and none of TensorFlow's. Keras's plain export of a
recurrent layer needs TensorFlow's ("Select" or "Flex") in silence, because the layer is a loop
over lists. So the loop is unrolled first: the same weights, the frames one after the other, and
the length fixed, which it is in all recipes.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from ser_cli import distribution
from ser_cli.errors import ArtifactsError, SerError
from ser_cli.model.network import Network
from ser_cli.process import silent_stderr

if TYPE_CHECKING:
    from ser_cli.types import Floats


def require() -> None:
    """Make sure that the small runtime is installed.

    Raises:
        SerError: It is not.
    """
    if find_spec("ai_edge_litert") is None:
        raise SerError(
            "the exported file could not be checked: LiteRT's runtime is not installed",
            hint=distribution.install("litert"),
        )


def to_litert(model: keras.Model, path: Path, quantize: str | None) -> None:
    """Write the network as LiteRT with a free batch size and float32 input and output.

    fp16 keeps the weights in half precision. int8 is dynamic-range quantization: weights in 8
    bits, and inputs of each layer as they come. Full integer quantization, whose ranges are
    learned from clips, was measured too on the shipped model and 2,452 clips: it is no smaller
    (1.49 MB against 1.47), no faster (0.82 ms per clip against 0.71), and its probabilities differ
    more (0.012 against 0.004). Neither flips a label.

    Args:
        model: (N, T, F) -> (N, C), T fixed.
        path: Written; not atomically. Ends with .tflite.
        quantize: "fp16", "int8", or None for float32.

    Raises:
        ArtifactsError: The network cannot be written without TensorFlow's operators.
    """
    try:
        # The converter speaks to stderr past Python, of its failures above all.
        with silent_stderr():
            unrolled(model).export(path, format="litert", verbose=False, **_settings(quantize))
    except Exception as error:  # TensorFlow's ConverterError is no public name
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ArtifactsError(
            f"the network cannot be written for LiteRT's small runtime: {reason}",
            hint="ser export --format onnx",
        ) from error
    if foreign := custom_operators(path):
        raise ArtifactsError(
            f"LiteRT's small runtime lacks operators of this network: {', '.join(foreign)}",
            hint="ser export --format onnx",
        )


def unrolled(model: keras.Model) -> keras.Model:
    """Return a network that computes the same, with every recurrent layer unrolled."""
    copy: keras.Model = type(model).from_config(_unroll(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def custom_operators(path: Path) -> list[str]:
    """Return the names of the operators in a LiteRT file that are not LiteRT's own."""
    from ai_edge_litert.schema_py_generated import Model

    file = Model.GetRootAsModel(path.read_bytes(), 0)
    codes = (file.OperatorCodes(number) for number in range(file.OperatorCodesLength()))
    return sorted(code.CustomCode().decode() for code in codes if code.CustomCode())


class LiteRtNetwork(Network):
    """A network in the small runtime, on one core."""

    def __init__(self, path: Path) -> None:
        """Load it."""
        from ai_edge_litert.interpreter import Interpreter  # an extra

        self.name = str(path)
        # It tells of its kernels on stderr. From memory: on Windows a mapped file cannot be moved.
        with silent_stderr():
            self._interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
            self._interpreter.allocate_tensors()
        (self._source,) = self._interpreter.get_input_details()
        (self._target,) = self._interpreter.get_output_details()

    def run(self, x: Floats) -> Floats:
        """Return the softmax outputs (N, C) of one batch (N, T, F)."""
        interpreter, source = self._interpreter, self._source["index"]
        if len(interpreter.tensor(source)()) != len(x):
            interpreter.resize_tensor_input(source, x.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        outputs: Floats = interpreter.get_tensor(self._target["index"])
        return outputs


def _settings(quantize: str | None) -> dict[str, Any]:
    target: dict[str, Any] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    if quantize is None:
        return {"target_spec": target}
    if quantize == "fp16":
        target["supported_types"] = [tf.float16]
    return {"target_spec": target, "optimizations": [tf.lite.Optimize.DEFAULT]}


def _unroll(config: Any) -> Any:
    """Return a layer's settings with `unroll` on wherever there is one, however deep."""
    if isinstance(config, dict):
        return {key: True if key == "unroll" else _unroll(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_unroll(value) for value in config)
    return config
