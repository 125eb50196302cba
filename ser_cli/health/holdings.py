"""What the user has: trained models and corpora, whether they are whole and as they were made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import distribution, recipes
from ser_cli.data import corpora, verified
from ser_cli.data.store import remembered
from ser_cli.errors import DataError, SerError
from ser_cli.health import Check
from ser_cli.model import artifacts
from ser_cli.model.trained import Model
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.data.corpora import Corpus


def models() -> Iterator[Check]:
    """Look at the shipped models, and at those in ./artifacts."""
    home = artifacts.packaged()
    shipped = [home / name for name in recipes.names() if (home / name).is_dir()]
    if recipes.PREDICTING not in [folder.name for folder in shipped]:
        again = f"pip install --force-reinstall {distribution.NAME}"
        yield Check("shipped model", f"there is none in {home}", "error", again)
    for folder in shipped:
        yield _model(folder, f"shipped model {folder.name}")
    for folder in sorted(Path("artifacts").glob("*")):
        if folder.resolve() != home.resolve() and _is_one(folder):
            yield _model(folder, f"model {folder}")


def _is_one(folder: Path) -> bool:
    return any((folder / name).exists() for name in (*artifacts.FILES, artifacts.MANIFEST))


def _model(folder: Path, name: str) -> Check:
    if not (folder / artifacts.MANIFEST).exists():
        return Check(
            name,
            "unfinished: it is being trained, or that was broken off",
            "warning",
            f"ser train --artifacts {folder}",
        )
    try:
        trained = artifacts.load(folder, verify=artifacts.FILES)
        classes = Model(trained).pipeline.classes
    except SerError as error:
        return Check(name, str(error), "error", error.hint)
    count = len(trained.manifest["files"])
    return Check(
        name,
        f"recipe {trained.recipe}, {len(classes)} emotions; it loads, and its "
        f"{counted(count, 'file is', 'files are')} as sealed (SHA-256)",
    )


def data() -> Iterator[Check]:
    """Look at the corpora that are known by name."""
    absent = []
    for corpus in corpora.known():
        if corpus.generic:
            continue
        try:
            yield _corpus(corpus)
        except DataError as error:
            if remembered(corpus.name):
                yield Check(f"corpus {corpus.name}", str(error), "warning", error.hint)
            else:
                absent.append(corpus.name)
    if absent:
        yield Check("corpora not on this machine", ", ".join(absent))


def _corpus(corpus: Corpus) -> Check:
    """Look at one corpus.

    Raises:
        DataError: It is not on this machine.
    """
    name, source = f"corpus {corpus.name}", corpus.source
    count = len(corpus.load(corpus.name))
    if source is None:
        return Check(name, f"{counted(count, 'clip')}; there is no index to compare them with")
    places = (source.named(), Path(remembered(corpus.name) or "?"))
    folder = next(place for place in places if place and place.is_dir())
    here, right = verified.before(source, folder)
    parts = {part: source.digests(part).keys() for part in source.archives}
    found = {part: len(here & wanted) for part, wanted in parts.items()}
    text = ", ".join(f"{part} {found[part]:,} of {len(parts[part]):,}" for part in parts)
    text = f"{text}; {len(right):,} found right, and unchanged since; in {folder}"
    partial = any(0 < found[part] < len(parts[part]) for part in parts)
    if partial or len(right) < sum(found.values()):
        return Check(name, text, "warning", f"ser download {corpus.name} (verifies, and completes)")
    return Check(name, text)
