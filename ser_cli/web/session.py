"""Uploads -> rows and drawings: `ser app`, without the page around them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts
from ser_cli.sound import audio
from ser_cli.web.preview import sketch

if TYPE_CHECKING:
    from ser_cli.model.pipeline import Model
    from ser_cli.types import Floats, Prediction
    from ser_cli.web.preview import Sketch

FOLDERS = "SER_APP_ARTIFACTS"  # environment: artifacts folders the page offers first
PACKAGED = "packaged with ser"
UPLOAD_MB = 10  # a file; ten of them, opened, fit into the 1 GB of the free hosts
PLAYED_MB = 2  # more is played as it was decoded, where that is less

# What browsers play as it is; anything else they get as it was decoded.
PLAYED = {suffix: kind for suffix, kind in audio.MEDIA_TYPES.items() if suffix != ".mp4"}


def folders() -> dict[str, Path]:
    """Return the trained models a visitor may choose from, by their name on the page.

    First those that were named to `ser app`, else the one that `ser predict` would take; then
    every finished one below ./artifacts, and the shipped one. A visitor types no path.
    """
    named = [Path(name) for name in os.environ.get(FOLDERS, "").split(os.pathsep) if name]
    found = [*(named or _usual()), *sorted(Path("artifacts").glob("*")), *artifacts.shipped()]
    shipped = {folder.resolve(): folder.name for folder in artifacts.shipped()}
    choices: dict[Path, str] = {}
    for folder in found:
        place = folder.resolve()
        if place not in choices and artifacts.is_complete(folder):
            own = f"{shipped[place]}, {PACKAGED}" if place in shipped else str(folder)
            choices[place] = own
    return {name: place for place, name in choices.items()}


def seal(folder: Path) -> bytes:
    """Return what changes whenever a folder is trained again: its manifest.

    Raises:
        ArtifactsError: It is not finished.
    """
    try:
        return (folder / artifacts.MANIFEST).read_bytes()
    except OSError as error:
        raise ArtifactsError(
            f"{folder} holds no finished training", hint="wait for `ser train`, or choose another"
        ) from error


def label(
    uploads: Sequence[BinaryIO], model: Model, *, same_speaker: bool = False
) -> list[Prediction]:
    """Return the rows `ser predict` gives for the same files in the same order.

    All at once, also where one upload was added to others: the last digit of a probability
    depends on which files go through the network together.

    Args:
        uploads: The files.
        model: Labels them.
        same_speaker: Hear each against all of them, which are of one speaker.
    """
    heard = model.enrol(uploads) if same_speaker else model
    return heard.predict(uploads)


def decoded(upload: BinaryIO, sample_rate: int) -> Floats:
    """Return a recording as a mono waveform (n,).

    Raises:
        AudioError: It cannot be decoded.
    """
    return audio.load(upload, sample_rate=sample_rate).waveform


def draw(upload: BinaryIO, sample_rate: int) -> Sketch:
    """Decode a recording again and draw it.

    Raises:
        AudioError: It cannot be decoded.
    """
    return sketch(decoded(upload, sample_rate), sample_rate)


def counts(rows: Sequence[Prediction], classes: Sequence[str]) -> dict[str, int]:
    """Return how many files have each emotion, without those that could not be read."""
    return {name: sum(row.emotion == name for row in rows) for name in classes}


def shares(row: Prediction, classes: Sequence[str]) -> Mapping[str, float]:
    """Return the probability of each emotion; none where the row is an error."""
    if row.probabilities is None:
        return {}
    return dict(zip(classes, row.probabilities.tolist(), strict=True))


def played_as(name: str, size: int, decoded_size: int) -> str | None:
    """Return the media type of a file to be played as it is, None of one that is not.

    A server holds what a browser has asked for and not yet played, several times over.

    Args:
        name: Of the file.
        size: In bytes.
        decoded_size: In bytes, of what would be played instead.
    """
    if size > max(PLAYED_MB * 2**20, decoded_size):
        return None
    return PLAYED.get(Path(name).suffix.lower())


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is: file names come from strangers."""
    return re.sub(r"([!-/:-@[-`{-~])", r"\\\1", " ".join(text.split()))


def _usual() -> list[Path]:
    try:
        return [artifacts.resolve(None, recipe=None)]
    except ArtifactsError:
        return []
