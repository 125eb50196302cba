"""Which settings a training uses, and where they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    from ser_cli.types import Params, Recipe


def resolve(
    recipe: Recipe, file: Path | None, overrides: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return all settings of a training and their origin.

    Args:
        recipe: Its defaults are the ground.
        file: best_hyperparameters.json of `ser tune`, or of the reference notebook; None for none.
        overrides: What the user asked for by option; wins.

    Returns:
        The settings, and "defaults", or the origin that the file names.

    Raises:
        ArtifactsError: The file cannot be read or sets what the recipe does not know.
    """
    settings, origin = dict(recipe.defaults), "defaults"
    if file is not None:
        tuned = _read(file)
        origin = str(tuned.pop("settings_from", file.name))
        _refuse_unknown(tuned, recipe, file)
        settings |= tuned
    given = {name: value for name, value in overrides.items() if value is not None}
    if given:
        origin += " with " + ", ".join(f"{name}={value}" for name, value in given.items())
    return settings | given, origin


def to_json(settings: Params, *, settings_from: str) -> str:
    """Return a best_hyperparameters.json: flat, as the reference notebook's is, with its origin."""
    return json.dumps({**settings, "settings_from": settings_from}, indent=2) + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        tuned = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactsError(f"{file} cannot be read: {error}", hint="run: ser tune") from error
    if not isinstance(tuned, dict):
        raise ArtifactsError(f"{file} holds no settings", hint="run: ser tune")
    return tuned


def _refuse_unknown(tuned: Mapping[str, Any], recipe: Recipe, file: Path) -> None:
    unknown = sorted(tuned.keys() - recipe.defaults.keys())
    if unknown:
        raise ArtifactsError(
            f"{file} sets {', '.join(unknown)}, which the recipe {recipe.name} does not know",
            hint="known: " + ", ".join(recipe.defaults),
        )
