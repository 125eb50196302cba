"""Any folder with one sub-folder per emotion: happy/001.wav, sad/session 2/017.mp3, ..."""

from __future__ import annotations

from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.labels import normalise_label
from ser_cli.errors import DataError
from ser_cli.sound.files import audio_files
from ser_cli.types import Clip


def matches(data: str) -> bool:
    """Tell whether this is a folder."""
    return Path(data).is_dir()


def load(data: str) -> tuple[Clip, ...]:
    """Return the clips below every label folder; files next to those folders carry no label.

    Raises:
        DataError: There is no such folder, or fewer than two label folders hold sound.
    """
    root = Path(data)
    if not root.is_dir():
        raise DataError(f"{data} is not a folder", hint="give --data the folder's path")
    clips = tuple(
        Clip(path, emotion=normalise_label(path.relative_to(root).parts[0]))
        for path in audio_files(root)
        if path.parent != root
    )
    labels = sorted({clip.emotion for clip in clips})
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "none"
        raise DataError(
            f"{data} needs at least two sub-folders with sound files, one per emotion; found "
            f"{found}",
            hint=f"sort the files as {root.name}/happy/x.wav, {root.name}/sad/y.wav; "
            "or give a CSV table with the columns file,emotion",
        )
    return clips


CORPUS = Corpus(
    name="folder",
    about="a folder with one sub-folder per emotion (no speakers)",
    matches=matches,
    load=load,
    generic=True,
)
