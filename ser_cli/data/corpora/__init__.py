"""Corpora: where labelled clips come from. One file a corpus, found by its presence here.

A corpus module has NAME, ABOUT, LICENCE and CITATION, `matches(data)` and `load(data)`, where
data is what a user gives to `--data`: the corpus's name or a path. GENERIC = True marks the
layouts (any folder, say) that are tried after the corpora which know their own files.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from ser_cli.errors import DataError, UsageError
from ser_cli.types import Clip

EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")

# Spellings met in the reference systems and in other corpora's file names (TESS writes "ps").
_SPELLINGS = {
    "anger": "angry",
    "calmness": "calm",
    "disgusted": "disgust",
    "fear": "fearful",
    "afraid": "fearful",
    "happiness": "happy",
    "joy": "happy",
    "neutrality": "neutral",
    "sadness": "sad",
    "surprise": "surprised",
    "ps": "surprised",
    "pleasant surprise": "surprised",
    "pleasant surprised": "surprised",
}


def names() -> tuple[str, ...]:
    """Return the names of all corpora, sorted."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def get(name: str) -> ModuleType:
    """Import the corpus of this name.

    Raises:
        UsageError: No corpus has this name.
    """
    if name not in names():
        raise UsageError(f"there is no corpus {name!r}", hint=f"known: {', '.join(names())}")
    return import_module(f"{__name__}.{name}")


def load(data: str) -> tuple[Clip, ...]:
    """Return the clips of a corpus, a folder or a table, in the same order on every machine.

    Args:
        data: A corpus's name, or a path that one of the corpora recognises.

    Raises:
        DataError: Nothing is there, nothing recognises it, or it holds no clips.
    """
    if data in names():
        clips: tuple[Clip, ...] = get(data).load(data)
        return clips
    if not Path(data).exists():
        raise DataError(
            f"there is no corpus and no file or folder {data!r}",
            hint="fetch RAVDESS with `ser download-ravdess`, then use --data ravdess; "
            "or give a folder with one sub-folder an emotion, or a CSV table",
        )
    for module in sorted(map(get, names()), key=lambda m: getattr(m, "GENERIC", False)):
        if module.matches(data):
            clips = module.load(data)
            return clips
    raise DataError(
        f"{data} is neither a folder of clips nor a CSV table of them",
        hint="give a folder, or a CSV file with the columns file,emotion[,speaker,split]",
    )


def normalise_label(text: str) -> str:
    """Return the one spelling of an emotion; a label that is not known is only tidied.

    >>> normalise_label(" Fear "), normalise_label("pleasant_surprise"), normalise_label("Bored")
    ('fearful', 'surprised', 'bored')
    """
    label = " ".join(text.replace("_", " ").lower().split())
    return _SPELLINGS.get(label, label)


def has_speakers(clips: Sequence[Clip]) -> bool:
    """Tell whether every clip names its speaker, as speaker-independent splits need."""
    return bool(clips) and all(clip.speaker for clip in clips)


def audio_files(folder: Path) -> tuple[Path, ...]:
    """List the sound files below a folder by file name, then path: the same on every machine.

    Hidden files and folders, the "._x.wav" shadows that macOS leaves among them, are passed over.
    """
    from ser_cli.sound.audio import EXTENSIONS

    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
        ]
    return tuple(sorted(found, key=lambda path: (path.name, path.relative_to(folder).as_posix())))
