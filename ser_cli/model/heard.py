"""What a trained folder has learned from, and which clips are among it whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data import corpora, duplicates, identity
from ser_cli.data.duplicates import Finder, Known
from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts
from ser_cli.remarks import counted, plural

if TYPE_CHECKING:
    from ser_cli.types import Clip, Floats, Progress, Segment

LEARNED = ("train", "dev")


class Heard:
    """The recordings of a folder's split: by their names or contents, and by their sound."""

    def __init__(self, folder: Path) -> None:
        """Read the split of a trained folder; one without a split has heard nothing."""
        self._rows = artifacts.read_clips(folder)
        self._file = folder / artifacts.SOUNDPRINTS
        self.roles = {row["recording"]: row["split"] for row in self._rows}

    def roles_of(self, clips: Sequence[Clip]) -> list[str | None]:
        """Return the part of the split that holds exactly this clip, if any, of each clip."""
        return [self.roles.get(known) for known in identity.of(clips)]

    def learned(
        self, clips: Sequence[Clip], *, progress: Progress | None = None
    ) -> dict[Segment, str]:
        """Return the clips that were learned from, and what each is: "", or a copy of what.

        A copy is another codec's, another level's, or a part of the recording. `progress` is told
        of the fingerprints by which they are found.
        """
        roles = zip(clips, self.roles_of(clips), strict=True)
        found = {clip.segment: "" for clip, role in roles if role in LEARNED}
        others = [clip for clip in clips if clip.segment not in found]
        if not others or not (self._finder or any(map(corpora.parse, self.roles))):
            return found
        prints = duplicates.prints(others, progress=progress)
        by_sound = duplicates.recognised(prints)
        for segment, print_ in prints.items():
            name = by_sound.get(segment, "")
            if self.roles.get(name) in LEARNED:
                found[segment] = name
            elif original := self._original(print_):
                found[segment] = original
        return found

    def lines(self, clips: Sequence[Clip], *, progress: Progress | None = None) -> tuple[str, ...]:
        """Report how many clips were learned from; nothing where none was."""
        found = self.learned(clips, progress=progress)
        copies = {part: original for part, original in found.items() if original}
        lines, whole = [], counted(len(clips), "clip")
        if same := len(found) - len(copies):
            lines.append(
                f"{same} of {whole} {plural(same, 'was', 'were')} training data of this model"
            )
        if copies:
            segment, original = next(iter(copies.items()))
            are = plural(len(copies), "is a copy or part", "are copies or parts")
            lines.append(
                f"{len(copies)} of {whole} {are} of its training data, as {segment.path.name} of "
                f"{original}"
            )
        return tuple(lines)

    def _original(self, print_: Floats) -> str | None:
        place = self._finder.match(print_) if self._finder else None
        return None if place is None else self._rows[place]["file"]

    @cached_property
    def _finder(self) -> Finder | None:
        if not self._file.is_file():  # folders of before have no fingerprints
            return None
        known = Known.read(self._file)
        if len(known.starts) != len(self._rows) + 1:
            raise ArtifactsError(
                f"{self._file} does not fit {artifacts.SPLIT}", hint="train again: ser train"
            )
        return Finder(known.only([row["split"] in LEARNED for row in self._rows]))
