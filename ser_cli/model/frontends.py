"""The front end that a trained system needs, as its folder holds it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.data.store import atomic_write
from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.sound.frontend import Frontend


def frontend_of(trained: Artifacts) -> Frontend:
    """Return the front end that a system was trained with, its files from the folder.

    Raises:
        ArtifactsError: There is no such recipe, this version of it makes other features, or a
            file is missing.
    """
    own = trained.manifest.get("encoder")
    encoder = trained.folder / Path(own).name if own else None
    if trained.recipe not in recipes.names():
        raise ArtifactsError(
            f"{trained.folder} is of a recipe {trained.recipe!r}, which this version of ser lacks",
            hint="update ser to the newest version, or train again: ser train",
        )
    frontend = recipes.get(trained.recipe, encoder).frontend
    _check_version(trained, frontend)
    return frontend.within(trained.folder)


def write(folder: Path, frontend: Frontend) -> None:
    """Copy the files of a front end, which prediction needs as it needs the network.

    Raises:
        ArtifactsError: The folder is sealed, or two of its files would have one name.
    """
    artifacts.refuse_sealed(folder)
    _check_names(frontend)
    for path in frontend.files:
        with atomic_write(folder / path.name) as temporary:
            shutil.copyfile(path, temporary)


def _check_names(frontend: Frontend) -> None:
    names = [path.name for path in frontend.files]
    for name in names:
        if name in (*artifacts.FILES, *artifacts.OTHERS) or names.count(name) > 1:
            raise ArtifactsError(
                f"the front end {frontend.name} needs a file {name}, and an artifacts folder has "
                "another of that name",
                hint="give the front end's file a different name",
            )


def _check_version(trained: Artifacts, frontend: Frontend) -> None:
    version = trained.manifest.get("recipe_version", frontend.version)
    if version != frontend.version:
        raise ArtifactsError(
            f"{trained.folder} was trained on version {version} of the features of "
            f"{frontend.name}, and this is version {frontend.version}",
            hint=f"train again: ser train --recipe {trained.recipe}",
        )
