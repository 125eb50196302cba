"""The second speech encoder that ships with `ser`, made from the wheel that publishes it.

    pip download --no-deps pipecat-ai==1.14.0
    python -m ser_cli.export.smart_turn pipecat_ai-1.14.0-*.whl

(`nox -s encoder` does both.) The wheel holds smart-turn 3.2, which hears from the melody of speech
whether somebody has finished: an encoder like Whisper's in 8 bits, for log-mel spectrograms of 8 s.
It is cut after its first block. The spectrogram becomes a part of it, and any length will do; it is
an output, too, since its statistics help as those of the layers do (artifacts/EXPERIMENTS.md).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ser_cli.export.wheels import Published, cut, ship, take
from ser_cli.sound import encoder

SMART_TURN = Published(
    package="pipecat-ai==1.14.0",
    member="pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
    sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
    licence="pipecat_ai-1.14.0.dist-info/licenses/LICENSE",
)
LAYERS = {"spectrogram": "frames_first", "conv": "convolved", "block1": "add_146"}
N_FFT, HOP, N_MELS, SAMPLE_RATE = 400, 160, 80, 16_000  # of Whisper's spectrogram
CARD = {
    "name": "smart-turn 3.2: spectrogram, convolutions and the first of four transformer blocks",
    "source": "pipecat-ai 1.14.0, " + SMART_TURN.member,
    "licence": "BSD-2-Clause, Copyright (c) 2024-2026, Daily",
    "sample_rate": SAMPLE_RATE,
    "hop": 2 * HOP,  # its second convolution halves the frames
    "shortest": 2 * HOP,
    "layers": list(LAYERS),
}

_POSITIONS = "inner.encoder.embed_positions.weight"  # (400, 384): 8 s of frames
_FRAMES = "val_21"  # their number, where states are given other shapes


def convert(wheel: Path, path: Path) -> None:
    """Write the cut encoder, its card and its licence.

    Args:
        wheel: pipecat-ai 1.14.0.
        path: NAME.onnx; NAME.json and NAME.LICENSE go beside it.

    Raises:
        DataError: The wheel is another one.
    """
    content, licence = take(SMART_TURN, wheel)
    model = of_waveforms(onnx.load_from_string(content))
    made = cut(model, LAYERS, encoder.WIDTHS[path.stem], frames=None)
    ship(made, path, CARD, licence)


def of_waveforms(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network of 800 frames of a spectrogram as one of a waveform (1, n) of any length."""
    graph = model.graph
    (features,) = (value.name for value in graph.input)
    weights = [tensor for tensor in graph.initializer if tensor.name != _FRAMES]
    weights += [*constants(), _array(np.array([-1]), _FRAMES)]
    nodes = [part for node in graph.node for part in _any_length(node)]
    turned = {features: "frames_first", "gelu_1": "convolved"}
    frames = [helper.make_node("Transpose", [a], [b], perm=[0, 2, 1]) for a, b in turned.items()]
    made = helper.make_graph(
        [*spectrogram(features), *nodes, *frames],
        "encoder",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, [1, "n"])],
        graph.output,
        weights,
    )
    imports = [opset for opset in model.opset_import if opset.domain in ("", "com.microsoft")]
    return helper.make_model(made, opset_imports=imports, ir_version=model.ir_version)


def _any_length(node: NodeProto) -> list[NodeProto]:
    """Return a node, and before it, if it adds positions, what picks as many as there are frames.

    Beyond 8 s all frames have the last position.
    """
    if _POSITIONS not in node.input:
        return [node]
    (states,) = (name for name in node.input if name != _POSITIONS)
    return [
        _step("Shape", f"{states}", "shape"),
        _step("Gather", "shape one", "frames"),
        _step("Range", "zero frames one", "numbers"),
        _step("Min", "numbers last_position", "positions"),
        _step("Gather", f"{_POSITIONS} positions", "own_positions"),
        _step("Add", f"{states} own_positions", node.output[0]),
    ]


def spectrogram(name: str) -> list[NodeProto]:
    """Return the nodes of Whisper's log-mel spectrogram (1, 80, n // 160) of a waveform (1, n).

    As in the encoder's own preprocessing, the waveform has mean 0 and variance 1 first, and what
    is 80 dB below the loudest cell is cut off.
    """
    return [
        _step("ReduceMean", "waveform axis", "mean"),
        _step("Sub", "waveform mean", "centred"),
        _step("Mul", "centred centred", "squares"),
        _step("ReduceMean", "squares axis", "variance"),
        _step("Add", "variance least_variance", "safe_variance"),
        _step("Sqrt", "safe_variance", "deviation"),
        _step("Div", "centred deviation", "normal"),
        _step("Unsqueeze", "normal channel_axis", "channel"),
        _step("Pad", "channel half_a_frame", "padded", mode="reflect"),
        _step("Mul", "bins samples", "turns"),
        _step("Mod", "turns n_fft", "part_turns"),  # exact, which angles of many turns are not
        _step("Cast", "part_turns", "phases", to=TensorProto.FLOAT),
        _step("Mul", "phases radians", "angles"),
        _step("Cos", "angles", "cosines"),
        _step("Sin", "angles", "sines"),
        _step("Mul", "cosines hann", "real_kernels"),
        _step("Mul", "sines hann", "imaginary_kernels"),
        _step("Conv", "padded real_kernels", "real", strides=[HOP]),
        _step("Conv", "padded imaginary_kernels", "imaginary", strides=[HOP]),
        _step("Mul", "real real", "real_power"),
        _step("Mul", "imaginary imaginary", "imaginary_power"),
        _step("Add", "real_power imaginary_power", "power"),
        _step("Slice", "power first before_last time_axis", "whole_frames"),
        _step("MatMul", "mel whole_frames", "mel_power"),
        _step("Max", "mel_power least_power", "safe_power"),
        _step("Log", "safe_power", "nepers"),
        _step("Mul", "nepers decades_per_neper", "decades"),
        _step("ReduceMax", "decades", "loudest", keepdims=0),
        _step("Sub", "loudest range", "floor"),
        _step("Max", "decades floor", "above_floor"),
        _step("Add", "above_floor four", "shifted"),
        _step("Div", "shifted four", name),
    ]


def constants() -> list[TensorProto]:
    """Return the numbers that the spectrogram and the positions are computed with."""
    mel = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)
    whole = {
        "axis": [-1],
        "channel_axis": [1],
        "half_a_frame": [0, 0, N_FFT // 2, 0, 0, N_FFT // 2],
        "bins": np.arange(1 + N_FFT // 2)[:, None, None],
        "samples": np.arange(N_FFT)[None, None],
        "n_fft": N_FFT,
        "first": [0],
        "before_last": [-1],
        "time_axis": [2],
        "zero": 0,
        "one": 1,
        "last_position": 399,
    }
    real = {
        "least_variance": 1e-7,
        "radians": 2 * np.pi / N_FFT,
        "hann": np.hanning(N_FFT + 1)[:-1],
        "mel": mel[None],
        "least_power": 1e-10,
        "decades_per_neper": 1 / np.log(10),
        "range": 8.0,
        "four": 4.0,
    }
    made = [_array(np.asarray(value, np.int64), name) for name, value in whole.items()]
    return made + [_array(np.asarray(value, np.float32), name) for name, value in real.items()]


def _step(kind: str, inputs: str, output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def _array(value: np.ndarray[Any, Any], name: str) -> TensorProto:
    return numpy_helper.from_array(value, name)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), encoder.SMART_TURN)
