"""Which clips of a corpus were found right on this machine: only what changed is read again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from ser_cli.data.store import cache_dir, write_text
from ser_cli.data.verification import Source, Verification, verify
from ser_cli.types import Progress

Stamps = dict[str, list[str | int]]


def again(
    source: Source, folder: Path, progress: Progress | None = None, *, part: str | None = None
) -> Verification:
    """Compare a folder with the index, reading only what changed since it was found right.

    The arguments are those of `verification.verify`.
    """
    stamps, known = _stamps(source, folder), _read(_record(folder))
    trusted = _unchanged(stamps, known)
    found = verify(source, folder, progress, part=part, trusted=trusted)
    right = trusted.union(source.digests(part)).difference(found.missing, found.wrong)
    fresh = {name: stamps[name] for name in sorted(right)}
    if fresh != known:
        write_text(_record(folder), json.dumps(fresh))
    return found


def before(source: Source, folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the clips in a folder, and of those found right and unchanged since."""
    stamps = _stamps(source, folder)
    return frozenset(stamps), frozenset(_unchanged(stamps, _read(_record(folder))))


def _record(folder: Path) -> Path:
    return cache_dir() / "verified" / f"{sha256(str(folder).encode()).hexdigest()[:16]}.json"


def _unchanged(stamps: Stamps, known: Stamps) -> set[str]:
    return {name for name, stamp in stamps.items() if known.get(name) == stamp}


def _stamps(source: Source, folder: Path) -> Stamps:
    """Return clip name -> path, bytes and time of change, by which a changed file is noticed."""
    found = {name: (path, path.stat()) for name, path in source.paths(folder).items()}
    return {
        name: [str(path), stat.st_size, stat.st_mtime_ns] for name, (path, stat) in found.items()
    }


def _read(record: Path) -> Stamps:
    try:
        return dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
