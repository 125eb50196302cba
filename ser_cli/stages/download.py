"""`ser download-ravdess`: bring the corpus here, verify every clip, remember where it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from ser_cli.data.corpora import ravdess
from ser_cli.data.fetch import fetch
from ser_cli.data.store import atomic_write, cache_dir, remember, remembered, write_text
from ser_cli.data.unpack import unpack
from ser_cli.errors import DataError, FetchError
from ser_cli.types import Progress

# Archives and half-done work lie in a hidden folder, which no corpus looks into.
_WORK = ".download"


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """Where the verified corpus lies.

    Attributes:
        folder: Holds the clips; `--data ravdess` finds it from now on.
        ok: Clips verified.
        skipped: Nothing had to be brought: all of it was there.
        licence: What the user must keep to.
        citation: What to name.
    """

    folder: Path
    ok: int
    skipped: bool
    licence: str = ravdess.LICENCE
    citation: str = ravdess.CITATION


def download_ravdess(
    dest: Path | None = None,
    *,
    subset: ravdess.Subset = "all",
    source: str | None = None,
    progress: Progress | None = None,
) -> DownloadResult:
    """Make RAVDESS available, from Zenodo or from a copy; what is there already stays.

    Whatever the source, each clip's samples are compared with the index. Interrupted, it goes
    on where it stopped when it is called again.

    Args:
        dest: Where to put the clips; by default SER_RAVDESS_DIR, else a folder in the cache. A
            source folder that holds clips is used in place unless dest is given.
        subset: Which part of the corpus.
        source: A folder of clips or of the archives, one archive, the address of one, or a
            mirror's address to which the archives' names are added. None is Zenodo.
        progress: Told (done, total or 0, note); the notes "fetching NAME" (bytes), "unpacking
            NAME" (entries) and "verifying" (clips) tell the phase, any other why it waits.

    Raises:
        DataError: Clips are missing or wrong after all, or the source is not there.
        FetchError: The download failed.
        SerError: The disk has too little space.
    """
    folder = _folder(dest, source, subset, progress)
    found = _verify(folder, subset, progress)
    lacking = frozenset(found.missing + found.wrong)
    unfit: set[str] = set()
    if lacking:
        try:
            for supply in _supplies(source, lacking):
                unfit |= _bring(supply, folder, lacking, progress)
        except OSError as error:
            raise DataError(f"{folder} cannot be used: {error}", hint="choose --dest") from error
        shutil.rmtree(folder / _WORK, ignore_errors=True)
        found = _verify(folder, subset, progress)
    if found.missing or found.wrong:
        raise _incomplete(folder, found, unfit, source)
    remember(ravdess.NAME, str(folder))
    return DownloadResult(folder, found.ok, skipped=not lacking)


def _folder(
    dest: Path | None, source: str | None, subset: ravdess.Subset, progress: Progress | None
) -> Path:
    """Decide where the clips are, or are to be."""
    if dest is not None:
        return dest.resolve()
    if source is not None and _is_copy(source):
        return Path(source).resolve()
    if named := os.environ.get("SER_RAVDESS_DIR"):
        return Path(named).resolve()
    own = (cache_dir() / ravdess.NAME).resolve()
    # What was used in place and is not whole any more is the user's: it is not filled up.
    before = Path(remembered(ravdess.NAME) or own)
    found = _verify(before, subset, progress)
    return own if found.missing or found.wrong else before


def _is_copy(source: str) -> bool:
    """Tell whether this is a folder of clips, with no archives that might hold more of them."""
    return not _archives(Path(source)) and bool(ravdess.clip_paths(Path(source)))


def _archives(folder: Path) -> list[Path]:
    """Find the published archives in a folder, also under the names browsers give to copies."""
    stems = [Path(archive.name).stem for archive in ravdess.ARCHIVES.values()]
    return sorted(path for stem in stems for path in folder.glob(f"{stem}*.zip"))


def _supplies(source: str | None, lacking: Collection[str]) -> list[Path | ravdess.Archive]:
    """List the folders and archives that may hold what is lacking.

    Only Zenodo's own archives must have the published MD5; of others the index decides.
    """
    channels = {fields["channel"] for name in lacking if (fields := ravdess.parse(name))}
    wanted = [ravdess.ARCHIVES[channel] for channel in sorted(channels)]
    if source is None:
        return [*wanted]
    if "://" in source:
        if (path := urlsplit(source).path).lower().endswith(".zip"):
            return [ravdess.Archive(Path(path).name, source)]
        base = source.rstrip("/")
        return [ravdess.Archive(archive.name, f"{base}/{archive.name}") for archive in wanted]
    local = Path(source)
    if local.is_file():
        return [local]
    found = [*_archives(local), *([local] if ravdess.clip_paths(local) else [])]
    if not found:
        raise DataError(
            f"{source} is no archive, and no folder with RAVDESS's clips or archives",
            hint=f"expected there: {', '.join(archive.name for archive in wanted)}; without "
            "--from they are fetched from Zenodo",
        )
    return [*found]


def _bring(
    supply: Path | ravdess.Archive,
    folder: Path,
    lacking: Collection[str],
    progress: Progress | None,
) -> frozenset[str]:
    """Put a supply's clips into the folder where they are lacking; return those not as published.

    A fetched archive is deleted once it is unpacked, or found to be none; a user's own stays.
    """
    if isinstance(supply, ravdess.Archive):
        archive = folder / _WORK / supply.name
        if not archive.is_file():
            fetch(supply.url, archive, size=supply.size, md5=supply.md5, progress=progress)
        try:
            unfit = _bring(archive, folder, lacking, progress)
        except FetchError:
            archive.unlink()
            raise
        archive.unlink()
        return unfit
    if supply.is_dir():
        return _place(supply, folder, lacking, progress, move=False)
    unpacked = folder / _WORK / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpack(supply, unpacked, progress=progress)
        return _place(unpacked, folder, lacking, progress, move=True)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _place(
    source: Path,
    folder: Path,
    lacking: Collection[str],
    progress: Progress | None,
    *,
    move: bool,
) -> frozenset[str]:
    """Copy or move the lacking clips that are as published; return the names of those not."""
    offered, here = ravdess.clip_paths(source), ravdess.clip_paths(folder)
    unfit = ravdess.verify(source, progress, trusted=offered.keys() - lacking).wrong
    for name, path in offered.items():
        fields = ravdess.parse(name)
        if fields is None or name not in lacking or name in unfit:
            continue
        old = here.get(name)
        home = old.parent if old else folder / fields["channel"] / f"Actor_{fields['speaker']}"
        with atomic_write(home / path.name) as temporary:
            if move:
                path.replace(temporary)
            else:
                shutil.copyfile(path, temporary)
        if old and old.name != path.name:
            old.unlink()
    return frozenset(unfit)


def _verify(
    folder: Path, subset: ravdess.Subset, progress: Progress | None
) -> ravdess.Verification:
    """Compare the folder with the index, reading only what changed since it was found right."""
    record = cache_dir() / "verified" / f"{sha256(str(folder).encode()).hexdigest()[:16]}.json"
    stamps = _stamps(folder)
    known = _read(record)
    trusted = {name for name, stamp in stamps.items() if known.get(name) == stamp}
    found = ravdess.verify(folder, progress, subset=subset, trusted=trusted)
    right = trusted.union(ravdess.index(subset)).difference(found.missing, found.wrong)
    fresh = {name: stamps[name] for name in sorted(right)}
    if fresh != known:
        write_text(record, json.dumps(fresh))
    return found


def _stamps(folder: Path) -> dict[str, list[str | int]]:
    """Return clip name -> path, bytes and time of change, by which a changed file is noticed."""
    return {
        name: [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for name, path in ravdess.clip_paths(folder).items()
    }


def _read(record: Path) -> dict[str, list[str | int]]:
    try:
        return dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _incomplete(
    folder: Path, found: ravdess.Verification, unfit: Collection[str], source: str | None
) -> DataError:
    """Name what is missing and what is wrong, and the next step."""
    wrong = sorted({*found.wrong, *(name for name in found.missing if name in unfit)})
    missing = [name for name in found.missing if name not in unfit]
    said = [
        _count(names, what) for names, what in ((missing, "missing"), (wrong, "wrong")) if names
    ]
    hint = "run the same command again"
    if source is not None:
        hint = "run `ser download-ravdess` without --from to fetch from Zenodo what is lacking"
        hint += f" (with --dest {folder} into this folder)"
    for channel in ("speech", "song"):
        if not any(ravdess.in_subset(name, channel) for name in missing + wrong) and found.ok:
            hint += f"; its {channel} is complete: --subset {channel} takes that alone"
    return DataError(f"RAVDESS in {folder} is not complete: {' and '.join(said)}", hint=hint)


def _count(names: list[str], what: str) -> str:
    first = ", ".join(names[:3]) + ", ..." * (len(names) > 3)
    return f"{len(names):,} clip{'s' * (len(names) > 1)} {what} ({first})"
