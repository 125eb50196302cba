"""A pretrained speech encoder in ONNX: waveform -> hidden states, one vector per frame and layer.

An encoder is two files side by side, NAME.onnx and NAME.json. The second states what the first
does not:

    {"sample_rate": 16000,      Hz of the waveform it takes
     "hop": 384,                samples from one frame to the next
     "shortest": 895,           samples it needs at least
     "layers": ["layer1"]}      outputs to use, each (1, t, width); t and width may differ

The network takes a waveform (1, n) or (1, 1, n) of floats of any length and, if it has a second
input, a mask (1, n) of integers, which is all ones here. Any export of wav2vec2, HuBERT or WavLM
is like that; Whisper's is if the spectrogram is part of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli import onnx_session
from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.sound.features import at_least
from ser_cli.sound.frontend import Frontend, columns
from ser_cli.sound.speech import speech_part

if TYPE_CHECKING:
    from ser_cli.types import Floats

FOLDER = Path(__file__).parents[1] / "encoders"
MOONSHINE, SMART_TURN = FOLDER / "moonshine-tiny.onnx", FOLDER / "smart-turn.onnx"
# Values of a frame in each layer, known without running them.
WIDTHS = {"moonshine-tiny": (288, 288, 288), "smart-turn": (80, 384, 384)}
TOGETHER_S = 6.0  # seconds heard at once: all of a clip of any corpus, or some sentences of a talk

_HINT = "see `ser_cli/sound/encoder.py` for what the two files of an encoder hold"
_FLOAT, _INTEGERS = "tensor(float)", ("tensor(int64)", "tensor(int32)")


@dataclass(frozen=True, slots=True)
class Card:
    """What NAME.json states of an encoder.

    Attributes:
        sample_rate: Hz.
        hop: Samples from one frame to the next.
        shortest: Samples it needs at least.
        layers: Names of the outputs to use.
    """

    sample_rate: int
    hop: int
    shortest: int
    layers: tuple[str, ...]


def card_of(path: Path) -> Path:
    """Return the file that tells about an encoder."""
    return path.with_suffix(".json")


def read_card(path: Path) -> Card:
    """Read what NAME.json states of an encoder NAME.onnx.

    Raises:
        UsageError: There is no such file, or it does not state what is needed.
    """
    file = card_of(path)
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        numbers = {name: stated[name] for name in ("sample_rate", "hop", "shortest")}
        layers = tuple(stated["layers"])
    except FileNotFoundError as error:
        raise UsageError(
            f"{file} is missing: it states the encoder's rate, hop and layers", hint=_HINT
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} does not tell about an encoder: {error}", hint=_HINT) from error
    usable = all(type(value) is int and value > 0 for value in numbers.values())
    if not usable or not layers or not all(isinstance(name, str) for name in layers):
        raise UsageError(
            f"{file}: sample_rate, hop and shortest must be positive integers, and layers a list "
            "of at least one name",
            hint=_HINT,
        )
    return Card(**numbers, layers=layers)


def widths(path: Path, card: Card) -> tuple[int, ...]:
    """Return the values of a frame in each layer; the encoder is run once on noise to be sure.

    Raises:
        ArtifactsError: The file is no network, cannot be run, or its states are not finite.
        UsageError: It is not one of waveforms, or lacks a layer.
    """
    noise = np.random.default_rng(0).standard_normal(2 * card.sample_rate, dtype=np.float32)
    return tuple(layer.shape[1] for layer in hidden(0.1 * noise, path, card))


def hidden(waveform: Floats, path: Path, card: Card) -> list[Floats]:
    """Return the hidden states of each layer, (t, width), of a waveform (n,).

    Raises:
        ArtifactsError: The file is no network, cannot be run, or its states are not finite.
        UsageError: It is not one of waveforms, or lacks a layer.
    """
    session = onnx_session.kept(path)
    _check(path, session, card)
    wave = at_least(waveform, card.shortest).astype(np.float32)[None]
    feeds: dict[str, Any] = {}
    for entry in session.get_inputs():
        if entry.type == _FLOAT:
            feeds[entry.name] = wave if len(entry.shape) == 2 else wave[None]
        else:
            kind = np.int64 if entry.type == _INTEGERS[0] else np.int32
            feeds[entry.name] = np.ones(wave.shape, kind)
    outputs = onnx_session.execute(session, feeds, card.layers, name=str(path))
    for name, layer in zip(card.layers, outputs, strict=True):
        if layer.ndim != 3 or layer.shape[0] != 1:
            raise UsageError(
                f"{path}: its output {name} is {layer.shape}, not (1, frames, width)", hint=_HINT
            )
        if not np.isfinite(layer).all():
            raise ArtifactsError(
                f"{path}: its output {name} holds values that are not finite", hint=_HINT
            )
    return [layer[0] for layer in outputs]


def _check(path: Path, session: Any, card: Card) -> None:
    """Refuse a network that is not one of waveforms, or lacks a layer."""
    inputs = {entry.name: (entry.type, tuple(entry.shape)) for entry in session.get_inputs()}
    waves = [shape for kind, shape in inputs.values() if kind == _FLOAT]
    masks = [shape for kind, shape in inputs.values() if kind in _INTEGERS]
    takes_waves = len(waves) == 1 and len(waves[0]) in (2, 3) and len(masks) == len(inputs) - 1
    if (
        not takes_waves
        or isinstance(waves[0][-1], int)
        or (len(waves[0]) == 3 and waves[0][1] != 1)
    ):
        raise UsageError(
            f"{path} takes {', '.join(f'{n} {s}' for n, (_, s) in inputs.items())}, not a waveform "
            "(1, n) of any length",
            hint=_HINT,
        )
    there = [output.name for output in session.get_outputs()]
    if absent := [name for name in card.layers if name not in there]:
        raise UsageError(
            f"{path} has no output {absent[0]!r}", hint=f"it has {', '.join(there[:12])}"
        )


def statistics(waveform: Floats, *files: Path) -> Floats:
    """Return mean and deviation over time of each layer's hidden states, as one frame.

    The silence around the speech is cut off and the loudest sample set to half of full scale, so
    that neither says anything.

    Args:
        waveform: (n,) at the encoders' rate.
        files: NAME.onnx and NAME.json of each encoder, in turn.

    Returns:
        (1, F): of each layer first all means, then all deviations.
    """
    heard = waveform[speech_part(waveform)]
    loudest = float(np.abs(heard).max(initial=0.0))
    level = heard * np.float32(0.5 / loudest) if loudest else heard
    pairs = zip(files[::2], files[1::2], strict=True)
    layers = [h for path, card in pairs for h in hidden(level, path, read_card(card))]
    return np.hstack([part for h in layers for part in (h.mean(axis=0), h.std(axis=0))])[None]


def frontend(*paths: Path) -> Frontend:
    """Return the front end whose features are the statistics of encoders, one after another.

    Args:
        paths: NAME.onnx of each, with NAME.json beside it, all of one rate; none: those that ship.

    Raises:
        SerError: They are not an encoder's.
    """
    paths = paths or (MOONSHINE, SMART_TURN)
    cards = [read_card(path) for path in paths]
    families: dict[str, int] = {}
    for path, card in zip(paths, cards, strict=True):
        sizes = WIDTHS[path.stem] if path.parent == FOLDER else widths(path, card)
        for layer, size in zip(card.layers, sizes, strict=True):
            families |= {f"{layer}_mean": size, f"{layer}_std": size}
    return Frontend(
        name="-".join(("encoder", *(path.stem for path in paths))),
        sample_rate=cards[0].sample_rate,
        columns=columns(**families),
        extract=statistics,
        hop=cards[0].hop,
        field=round(TOGETHER_S * cards[0].sample_rate),
        centred=False,
        files=tuple(file for path in paths for file in (path, card_of(path))),
    )
