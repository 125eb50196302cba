"""The front end that a trained system needs, as its folder holds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.errors import ArtifactsError

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.sound.frontend import Frontend


def frontend_of(trained: Artifacts) -> Frontend:
    """Return the front end that a system was trained with, its files from the folder.

    Raises:
        ArtifactsError: This version of the recipe makes other features, or a file is missing.
    """
    own = trained.manifest.get("encoder")
    encoder = trained.folder / Path(own).name if own else None
    frontend = recipes.get(trained.recipe, encoder).frontend
    _check_version(trained, frontend)
    return frontend.within(trained.folder)


def _check_version(trained: Artifacts, frontend: Frontend) -> None:
    version = trained.manifest.get("recipe_version", frontend.version)
    if version != frontend.version:
        raise ArtifactsError(
            f"{trained.folder} was trained on version {version} of the features of "
            f"{frontend.name}, and this is version {frontend.version}",
            hint=f"train again: ser train --recipe {trained.recipe}",
        )
