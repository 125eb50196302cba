"""Any folder with one sub-folder per emotion: happy/001.wav, sad/session 2/017.mp3, ...

Above or below the emotions there may be the parts of a split (train/happy/001.wav), and above them
the speakers (0011/happy/001.wav).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.labels import is_emotion, normalise_label
from ser_cli.data.parts import PART_OF
from ser_cli.errors import DataError
from ser_cli.remarks import counted, listed, plural, remark
from ser_cli.sound.files import Passed, audio_files, tell
from ser_cli.types import Clip

Placed = tuple[Path, tuple[str, ...]]  # a file, and the folders that it lies in


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
    passed = Passed()
    placed = [(path, path.relative_to(root).parts[:-1]) for path in audio_files(root, passed)]
    tell(data, passed)
    level = _level_of_parts([folders for _, folders in placed if folders])
    if level is not None:
        named = sorted({folders[level] for _, folders in placed if len(folders) > level})
        remark(f"{data}: the folders {listed(named)} are taken for the parts of a split")
    clips = _clips(placed, level)
    labels = sorted({clip.emotion for clip in clips})
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "none"
        raise DataError(
            f"{data} needs at least two sub-folders with sound files, one per emotion; found "
            f"{found}",
            hint=f"sort the files as {root.name}/happy/x.wav, {root.name}/sad/y.wav; "
            "or give a CSV table with the columns file,emotion",
        )
    if unlabelled := len(placed) - len(clips):
        lie = counted(unlabelled, "file lies", "files lie")
        are = plural(unlabelled, "is", "are")
        remark(f"{data}: {lie} in no folder of an emotion, and {are} not used")
    return clips


def _level_of_parts(folders: Sequence[tuple[str, ...]]) -> int | None:
    """Return the level at which all folders are named train, dev or test, if there is one.

    Raises:
        DataError: Some of the upper ones are, and others are not.
    """
    upper = {names[0] for names in folders}
    if others := sorted(name for name in upper if name.lower() not in PART_OF):
        if len(others) < len(upper):
            raise DataError(
                f"beside the folders {listed(sorted(upper - {*others}))}, which are parts of a "
                f"split, there are others: {listed(others)}",
                hint="move these elsewhere, or give a CSV table with the column split",
            )
        lower = [names[1].lower() for names in folders if len(names) > 1]
        return 1 if lower and all(name in PART_OF for name in lower) else None
    return 0 if any(len(names) > 1 for names in folders) else None


def _clips(placed: Sequence[Placed], level: int | None) -> tuple[Clip, ...]:
    found = [(path, *_part(folders, level)) for path, folders in placed]
    inside = [folders for _, _, folders in found if folders]
    speakers_first = _speakers_first(inside)
    alone = len({folders[0] for folders in inside}) == 1  # all was unpacked into it
    clips = []
    for path, part, folders in found:
        if len(folders) > speakers_first:
            speaker = folders[0] if speakers_first and not alone else ""
            if label := normalise_label(folders[int(speakers_first)]):
                clips.append(Clip(path, emotion=label, speaker=speaker, split=part))
    return tuple(clips)


def _part(folders: tuple[str, ...], level: int | None) -> tuple[str, tuple[str, ...]]:
    """Return the part of the split that these folders name at a level, and the other folders."""
    if level is None or len(folders) <= level:
        return "", folders
    return PART_OF.get(folders[level].lower(), ""), folders[:level] + folders[level + 1 :]


def _speakers_first(folders: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether the emotions are one level down: none is the name of an upper folder."""
    upper = {normalise_label(names[0]) for names in folders}
    lower = {normalise_label(names[1]) for names in folders if len(names) > 1}
    if any(map(is_emotion, upper)) or not any(map(is_emotion, lower)):
        return False
    if len(upper) > 1:
        remark(f"the upper folders are taken for speakers: {listed(sorted(upper))}")
    return True


CORPUS = Corpus(
    name="folder",
    about="a folder with one sub-folder per emotion",
    matches=matches,
    load=load,
    by_folder=True,
    generic=True,
)
