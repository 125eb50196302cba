"""What tells a recording from all others: what it holds, wherever it lies and whatever its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.cluster import Cluster
from ser_cli.data import corpora, mirror

if TYPE_CHECKING:
    from ser_cli.types import Clip, Segment

SENT = 128  # files that a worker of a cluster looks at together


def content(path: Path) -> str:
    """Return the SHA-256 of a file; "" if unreadable."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def contents(paths: Iterable[Path], jobs: int | Cluster = workers.CORES) -> dict[Path, str]:
    """Return the `content` of each file; a cluster reads all but what this machine has copied."""
    once = dict.fromkeys(paths)
    if not isinstance(jobs, Cluster):
        return _here(once, jobs)
    far = [path for path in once if not mirror.url_of(path)]
    found = workers.run(workers.one_by_one(content), far, executor=jobs, chunk=SENT)
    known = {outcome.item: outcome.result or "" for outcome in found}
    return known | _here((path for path in once if path not in known), workers.CORES)


def of(clips: Sequence[Clip]) -> list[str]:
    """Return what tells each clip from all others.

    It is the name by which a corpus knows its clips, in any format; else the SHA-256 of the file.
    Part of a file has its fragment too.
    """
    found = contents(clip.path for clip in clips if not corpora.parse(clip.path.stem))
    return [found.get(clip.path, clip.path.stem) + clip.segment.fragment for clip in clips]


def key(found: str, segment: Segment) -> str:
    """Return the name of a clip's features, by what its file holds; "" for one that is unreadable.

    That of a part of a file states where it begins and ends as well.
    """
    if not found or not segment.fragment:
        return found
    return hashlib.sha256((found + segment.fragment).encode()).hexdigest()


def _here(paths: Iterable[Path], jobs: int) -> dict[Path, str]:
    with ThreadPoolExecutor() as threads:
        each = workers.one_by_one(content)
        found = workers.run(each, paths, executor=threads, workers=jobs)
        return {outcome.item: outcome.result or "" for outcome in found}
