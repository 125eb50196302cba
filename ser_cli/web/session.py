"""Models to choose from, names, players and drawings: `ser app`, without the page around them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts
from ser_cli.sound import audio
from ser_cli.web import limits
from ser_cli.web.preview import sketch

if TYPE_CHECKING:
    from ser_cli.types import Floats, Prediction
    from ser_cli.web.preview import Sketch

FOLDERS = "SER_APP_ARTIFACTS"  # environment: artifacts folders the page offers first
PACKAGED = "packaged with ser"
NAME_LETTERS = 100  # of a file's name that are shown
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


def played(upload: BinaryIO, sample_rate: int) -> Floats:
    """Return a recording as a mono waveform (n,), for browsers that cannot decode it.

    Raises:
        AudioError: It cannot be decoded.
        SerError: Other visitors are served, and that takes too long.
    """
    with limits.turn():
        return _decoded(upload, sample_rate)


def draw(upload: BinaryIO, sample_rate: int) -> Sketch:
    """Decode a recording again and draw it.

    Raises:
        AudioError: It cannot be decoded.
        SerError: Other visitors are served, and that takes too long.
    """
    with limits.turn():
        return sketch(_decoded(upload, sample_rate), sample_rate)


def _decoded(upload: BinaryIO, sample_rate: int) -> Floats:
    bounds = replace(limits.of_recording(), hours=limits.DRAWN_S / 3600)
    return audio.load(upload, sample_rate=sample_rate, limits=bounds).waveform


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


def clean(name: str) -> str:
    """Return a file's name as it may be shown: one line of letters in their order, not too long.

    It comes from a stranger, who may put signs into it that no one sees: those of a terminal, and
    those that turn the direction of writing and let "gpj.exe" appear as "exe.jpg".
    """
    seen = "".join(sign if sign.isprintable() else " " for sign in Path(name).name)
    seen = " ".join(seen.split())
    if len(seen) > NAME_LETTERS:
        ending = Path(seen).suffix[:8]
        seen = seen[: NAME_LETTERS - len(ending) - 1] + "\N{HORIZONTAL ELLIPSIS}" + ending
    return seen or "recording"


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is: file names come from strangers."""
    return re.sub(r"([!-/:-@[-`{-~])", r"\\\1", " ".join(text.split()))


def _usual() -> list[Path]:
    try:
        return [artifacts.resolve(None, recipe=None)]
    except ArtifactsError:
        return []
