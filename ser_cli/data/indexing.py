"""The index of a corpus: `python -m ser_cli.data.indexing NAME FOLDER [--sounds]`.

Writes beside the corpus's file the SHA-256 of each clip's samples, by which a copy is verified;
with --sounds also its acoustic fingerprint, by which a clip is known whatever it is called.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ser_cli.data import corpora, duplicates
from ser_cli.data.store import write_csv
from ser_cli.errors import DataError
from ser_cli.remarks import counted
from ser_cli.types import Clip


def index(name: str, folder: Path, *, sounds: bool) -> None:
    """Index a complete copy of a corpus.

    Args:
        name: Of a corpus that has a source.
        folder: Where its clips lie, as published.
        sounds: Whether to write the fingerprints.

    Raises:
        DataError: A clip cannot be read.
    """
    source = corpora.get(name).source
    assert source, f"{name} has no source"
    paths = dict(sorted(source.paths(folder).items()))
    digests = {clip: source.digest(path) for clip, path in paths.items()}
    if unreadable := [clip for clip, digest in digests.items() if not digest]:
        raise DataError(
            f"{counted(len(unreadable), 'clip')} cannot be read, as {unreadable[0]}",
            hint="fetch them again",
        )
    if sounds:
        clips = [Clip(path) for path in paths.values()]
        prints = duplicates.prints(clips)
        duplicates.Known.of(prints[clip.segment] for clip in clips).write(source.soundprints)
    write_csv(source.index, [["name", "sha256"], *digests.items()])


if __name__ == "__main__":
    index(sys.argv[1], Path(sys.argv[2]), sounds="--sounds" in sys.argv)
