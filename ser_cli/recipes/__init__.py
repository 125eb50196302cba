"""Complete systems, one per file: adding a recipe is adding a module that defines RECIPE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from ser_cli.errors import UsageError
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    import keras
    import optuna

    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Augment, Params

DEFAULT = "cnn-bilstm"


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


def names() -> tuple[str, ...]:
    """Return what `--recipe` takes, sorted: file names with "-" for "_"."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def get(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in names():
        raise UsageError(f"there is no recipe {name!r}", hint="known: " + ", ".join(names()))
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    recipe: Recipe = module.RECIPE
    return recipe
