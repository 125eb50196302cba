"""Complete systems, one per file: adding a recipe is adding a module that defines RECIPE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from ser_cli.errors import UsageError
from ser_cli.remarks import near
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Augment, Params

DEFAULT = "cnn-bilstm"  # what is tuned and trained unless another is named
PREDICTING = "voice"  # what predicts unless another is named, or one was trained

# Layers of a network that take off what its input is along some directions. Training sets their
# weights, (F, n) and minus its transpose, to those in which voices differ.
# Their names begin so, and end alike.
ALONG_VOICES, OFF_VOICES = "along_voices", "off_voices"
# Layers of a network of several members: where their outputs meet, and how much each is believed,
# which dev decides. Of the last members, whose layers' names begin with SPARED, none learns from
# degraded copies; GATE says how much a clip sounds as recordings do, and how much otherwise: then
# they are not believed.
MEMBERS, BELIEF, SPARED, GATE = "members", "belief", "spared", "gate"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One complete system: front end, network, training and search space.

    Attributes:
        name: What `--recipe` takes.
        source: The document the system comes from.
        frontend: Makes the features (t, F).
        augment: Makes an augmented copy of a waveform.
        build: (T, F), C, params -> an uncompiled keras.Model with softmax output.
        params: Every setting of `build`.
        search: Optuna trial -> the settings it varies, of the network and of the training.
        train: How the network is trained.
        frames: T, fixed; None when it is learned from the training clips (95th percentile).
        scale: What the scaler standardises: each column of a frame, each cell of the
            (T, F) matrix, or nothing.
        with_encoder: A speech encoder's file -> the recipe with it in place of its own; None where
            it has none.
        halves: Whether its matrices are kept in half precision, which halves the file.
        degrades: Whether a copy is degraded, by its number; None: none is.
    """

    name: str
    source: str
    frontend: Frontend
    augment: Augment
    build: Callable[[tuple[int, int], int, Params], keras.Model]
    params: Params
    search: Callable[[optuna.Trial], dict[str, Any]]
    train: TrainSettings = field(default_factory=TrainSettings)
    frames: int | None = None
    scale: Literal["frame", "cell", "none"] = "frame"
    with_encoder: Callable[[Path], Recipe] | None = None
    halves: bool = False
    degrades: Callable[[int], bool] | None = None


def names() -> tuple[str, ...]:
    """Return what `--recipe` takes, sorted: file names with "-" for "_"."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def get(name: str, encoder: Path | None = None) -> Recipe:
    """Return the recipe of that name.

    Args:
        name: What `--recipe` takes.
        encoder: A speech encoder to take in place of the recipe's own.

    Raises:
        UsageError: There is none, it takes no encoder, or the file is no encoder.
    """
    if encoder is not None:
        if not encoder.is_file():
            raise UsageError(f"{encoder}: no such encoder", hint="name a .onnx file")
        return _with_encoder(name, encoder, encoder.stat().st_mtime_ns)
    if name not in names():
        raise UsageError(f"there is no recipe {name!r}", hint=near(name, names()))
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    recipe: Recipe = module.RECIPE
    return recipe


@lru_cache(maxsize=4)
def _with_encoder(name: str, encoder: Path, changed: int) -> Recipe:
    recipe = get(name)
    if recipe.with_encoder is None:
        raise UsageError(f"the recipe {name} takes no encoder", hint=f"--recipe {PREDICTING}")
    return recipe.with_encoder(encoder)
