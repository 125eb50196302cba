"""Which settings a training uses, and where they came from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.errors import ArtifactsError
from ser_cli.types import TrainSettings

if TYPE_CHECKING:
    from ser_cli.recipes import Recipe

_ONE_AT_LEAST = frozenset({"epochs", "batch_size", "patience"})
_OF_TRAINING = frozenset(field.name for field in fields(TrainSettings))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a training.

    Attributes:
        params: Of the network.
        train: Of the training.
        origin: "defaults", or what the file states they came from, and what the user changed.
    """

    params: Mapping[str, Any]
    train: TrainSettings
    origin: str = "defaults"

    def flat(self) -> dict[str, Any]:
        """Return all of them by name, as files hold them; what is not set is left out."""
        trained = {name: value for name, value in asdict(self.train).items() if value is not None}
        return {**self.params, **trained}

    def but(self, changes: Mapping[str, Any]) -> Settings:
        """Return them with some changed, whichever of the two they belong to."""
        train = {name: value for name, value in changes.items() if name in _OF_TRAINING}
        params = {name: value for name, value in changes.items() if name not in _OF_TRAINING}
        return replace(self, params={**self.params, **params}, train=replace(self.train, **train))


def resolve(
    recipe: Recipe, file: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Return all settings of a training and their origin.

    Args:
        recipe: Its defaults are the ground.
        file: best_hyperparameters.json of `ser tune`, or of the reference notebook.
        overrides: What the user asked for by option; wins. None values are ignored.

    Raises:
        ArtifactsError: The file cannot be read, or sets what the recipe does not know, or to
            what it cannot be.
    """
    settings = Settings(recipe.params, recipe.train)
    if file is not None:
        tuned = _read(file)
        origin = str(tuned.pop("settings_from", file.name))
        _refuse_unknown(tuned, settings, recipe, file)
        _refuse_unusable(tuned, settings, file)
        settings = replace(settings.but(tuned), origin=origin)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    if not given:
        return settings
    changed = ", ".join(f"{name}={value}" for name, value in given.items())
    return replace(settings.but(given), origin=f"{settings.origin} with {changed}")


def to_json(settings: Mapping[str, Any], *, settings_from: str) -> str:
    """Return a best_hyperparameters.json: flat, and with its origin."""
    return json.dumps({**settings, "settings_from": settings_from}, indent=2) + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        tuned = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactsError(f"{file} cannot be read: {error}", hint="run: ser tune") from error
    if not isinstance(tuned, dict):
        raise ArtifactsError(f"{file} holds no settings", hint="run: ser tune")
    return tuned


def _refuse_unknown(
    tuned: Mapping[str, Any], settings: Settings, recipe: Recipe, file: Path
) -> None:
    # The length of a clip is no recipe's setting: an option chooses it.
    known = settings.params.keys() | (_OF_TRAINING - {"max_len"})
    unknown = sorted(tuned.keys() - known)
    if unknown:
        raise ArtifactsError(
            f"{file} sets {', '.join(unknown)}, which the recipe {recipe.name} does not know",
            hint=f"take that out of the file; known: {', '.join(settings.flat())}",
        )


def _refuse_unusable(tuned: Mapping[str, Any], settings: Settings, file: Path) -> None:
    """Refuse what is of another kind than the recipe's own value, negative, or no number."""
    usual = {**settings.params, **asdict(settings.train)}
    for name, value in tuned.items():
        kind = type(usual[name])
        number = kind in (int, float) and isinstance(value, int | float)
        if number and not isinstance(value, bool):
            fits = 0 <= value < math.inf and (kind is float or value == int(value))
        else:
            fits = isinstance(value, kind)
        if not fits or (name in _ONE_AT_LEAST and value < 1):
            raise ArtifactsError(
                f"{file} sets {name} to {value!r}, which it cannot be",
                hint=f"correct it; usual is {usual[name]!r}",
            )
