"""What the parts of a split hold of each emotion, and what they lack."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.data import identity
from ser_cli.errors import DataError
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.data.splits import Split
    from ser_cli.types import Clip

PARTS = ("train", "dev", "test")
# What people call them, in tables and folders.
PART_OF = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "devel": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}


@dataclass(frozen=True, slots=True)
class Count:
    """Clips of an emotion and who speaks them; `speakers` is None where that is not known."""

    clips: int
    speakers: int | None

    def __str__(self) -> str:
        """Return what tables show: 12 (3)."""
        if not self.clips:
            return "0"
        return f"{self.clips} ({'?' if self.speakers is None else self.speakers})"


def count(clips: Sequence[Clip], emotions: Sequence[str]) -> dict[str, Count]:
    """Count clips and speakers of each of these emotions."""
    counts = {}
    for emotion in emotions:
        said = [clip.speaker for clip in clips if clip.emotion == emotion]
        counts[emotion] = Count(len(said), len(set(said)) if all(said) else None)
    return counts


def counts(split: Split) -> dict[str, dict[str, Count]]:
    """Return what `count` finds in each part, by its name."""
    labels = emotions(split)
    return {name: count(getattr(split, name), labels) for name in PARTS}


def emotions(split: Split) -> list[str]:
    """Return the emotions of all parts, sorted."""
    return sorted({clip.emotion for clip in split.train + split.dev + split.test})


def of_folds(
    folds: Sequence[Sequence[Clip]], emotions: Sequence[str]
) -> dict[str, dict[str, Count]]:
    """Return what `count` finds in the clips of each fold, by its number from 1."""
    return {f"fold {number}": count(clips, emotions) for number, clips in enumerate(folds, start=1)}


def plain(counts: Mapping[str, Mapping[str, Count]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return counts by part and emotion as plain values, for JSON."""
    return {
        name: {emotion: asdict(found) for emotion, found in part.items()}
        for name, part in counts.items()
    }


def missing(split: Split) -> dict[str, list[str]]:
    """Return the emotions that a part lacks, by its name; a part without clips lacks none."""
    labels = set(emotions(split))
    lacks = {
        name: sorted(labels - {clip.emotion for clip in part})
        for name in PARTS
        if (part := getattr(split, name))
    }
    return {name: absent for name, absent in lacks.items() if absent}


def gaps(split: Split) -> tuple[str, ...]:
    """Describe what each part lacks, one line per part."""
    return tuple(
        f"{name} has no clip of {', '.join(labels)}" for name, labels in missing(split).items()
    )


def rows(split: Split) -> list[list[str]]:
    """Return split.csv: every clip, its part, and how it is known when it has moved.

    Where clips are parts of files, it has the columns start and end too.
    """
    named = [(name, clip) for name in PARTS for clip in getattr(split, name)]
    # Relative to what a corpus's clips share: the table travels, and tells of no one's machine.
    folders: dict[str, list[Path]] = {}
    for _, clip in named:
        folders.setdefault(clip.corpus, []).append(clip.path.absolute().parent)
    roots = {home: _shared(own) for home, own in folders.items()}

    def file(clip: Clip) -> str:
        whole, root = clip.path.absolute(), roots[clip.corpus]
        own = whole.relative_to(root) if root else Path(whole.name)
        return (own if len(roots) == 1 else clip.corpus / own).as_posix()

    in_parts = any(clip.segment.fragment for _, clip in named)
    head = ["file", *(("start", "end") if in_parts else ()), "emotion", "speaker", "split"]
    recordings = identity.of([clip for _, clip in named])
    cells = [
        [file(c), *(_bounds(c) if in_parts else ()), c.emotion, c.speaker, name, recording]
        for (name, c), recording in zip(named, recordings, strict=True)
    ]
    return [[*head, "recording"], *cells]


def _bounds(clip: Clip) -> tuple[str, str]:
    return str(clip.start), "" if clip.end is None else str(clip.end)


def _shared(folders: Sequence[Path]) -> Path | None:
    """Return the folder that all these lie in; None where drives have none in common."""
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        return None


def checked(split: Split, hint: str = "--split random") -> Split:
    """Return a split that has every emotion in every part, or whose corpus names its parts.

    Args:
        split: The parts.
        hint: What to do, other than leaving an emotion out.

    Raises:
        DataError: An emotion is missing in a part: its mean recall would be over the others alone;
            or there is but one to learn.
    """
    lacks = missing(split)
    if not lacks or split.named:
        _check_learnable(split)
        return split
    labels = sorted({label for found in lacks.values() for label in found})
    whole = count(split.train + split.dev + split.test, labels)
    spread = ", ".join(f"{counted(n.clips, 'clip')} of {e}{_by(n)}" for e, n in whole.items())
    raise DataError(
        f"{'; '.join(gaps(split))} (in total: {spread}), so its mean recall would be over the "
        "other emotions alone",
        hint=f"{hint}, or {excluding(labels)}",
    )


def excluding(labels: Sequence[str]) -> str:
    """Return the options that leave these emotions out, as one types them."""
    return " ".join(f"--exclude {shlex.quote(label)}" for label in labels)


def _check_learnable(split: Split) -> None:
    learned = {clip.emotion for clip in split.train}
    if len(learned) == 1:
        raise DataError(
            f"all training clips are {learned.pop()!r}: there is nothing to tell apart",
            hint="add clips of another emotion",
        )


def _by(found: Count) -> str:
    return f" by {counted(found.speakers, 'speaker')}" if found.speakers else ""
