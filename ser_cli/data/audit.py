"""The leak audit: what test clips have in common with those a network learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.data import corpora, duplicates
from ser_cli.data.duplicates import Finder, Known
from ser_cli.remarks import counted, plural

if TYPE_CHECKING:
    from ser_cli.data.duplicates import Prints
    from ser_cli.data.splits import Split
    from ser_cli.types import Clip, Progress, Segment

    Clips = tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What test clips have in common with the clips a model was trained or chosen on.

    Attributes:
        speakers: Who speaks on both sides.
        files: That are on both sides, or parts of them.
        sounds: That are, under whatever name.
        copies: Test clips that are another codec's or level's, or a part of a known recording.
        known: What the sound of clips with other names told: "360 clips are of ravdess".
    """

    speakers: int = 0
    files: int = 0
    sounds: int = 0
    copies: int = 0
    known: str = ""

    def lines(self) -> tuple[str, ...]:
        """Describe it, one line per kind; nothing where nothing is shared."""
        told = f" ({self.known})" if self.known else ""
        kinds = {
            plural(self.speakers, "speaker") + told: self.speakers,
            plural(self.files, "file"): self.files,
            plural(self.sounds, "identical sound"): self.sounds,
            plural(self.copies, "copy or part", "copies or parts") + " of one recording": (
                self.copies
            ),
        }
        return tuple(f"{n} {kind} on both sides of the split" for kind, n in kinds.items() if n)


def audit(
    split: Split,
    digests: Mapping[Segment, bytes],
    *,
    jobs: int = workers.CORES,
    progress: Progress | None = None,
) -> Audit:
    """Count test speakers, files and sounds that are also in train or dev, however disguised.

    Args:
        split: The parts.
        digests: Of each clip's features; equal ones are taken for identical sound.
        jobs: Processes that make fingerprints.
        progress: Told of them.
    """
    known, test = split.train + split.dev, split.test
    if not test:
        return Audit()
    prints = duplicates.prints(known + test, jobs=jobs, progress=progress)
    elsewhere = {c.segment for c in known + test if c.corpus not in corpora.names()}
    names = duplicates.recognised({part: prints[part] for part in elsewhere & prints.keys()})
    heard = {digests[clip.segment] for clip in known}
    others = tuple(clip for clip in test if digests[clip.segment] not in heard)
    return Audit(
        speakers=len(_speakers(known, names) & _speakers(test, names)),
        files=len({clip.path for clip in known} & {clip.path for clip in test}),
        sounds=len(heard & {digests[clip.segment] for clip in test}),
        copies=_copies(known, others, prints),
        known=_told(names),
    )


def _speakers(clips: Clips, names: Mapping[Segment, str]) -> set[str]:
    """Return who speaks: whom the sound tells, else whom the corpus names."""
    told = {part: corpora.speaker_of(name) for part, name in names.items()}
    return {told.get(clip.segment, clip.speaker) for clip in clips} - {""}


def _copies(known: Clips, test: Clips, prints: Prints) -> int:
    finder = Finder(Known.of(prints[clip.segment] for clip in known if clip.segment in prints))
    asked = [prints[clip.segment] for clip in test if clip.segment in prints]
    return sum(finder.match(print_) is not None for print_ in asked)


def _told(names: Mapping[Segment, str]) -> str:
    homes = Counter(corpora.speaker_of(name).partition("/")[0] for name in names.values())
    return ", ".join(f"{counted(n, 'clip is', 'clips are')} of {home}" for home, n in homes.items())
