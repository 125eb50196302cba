"""Bring a corpus here, verify every clip, remember where it is."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data import corpora, locks, verified
from ser_cli.data.fetch import fetch, parsed
from ser_cli.data.store import atomic_write, cache_dir, need_folder, remember, remembered
from ser_cli.data.unpack import unpack
from ser_cli.data.verification import Archive, Source, Verification, verify
from ser_cli.errors import DataError, FetchError, UsageError
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.jobs.clips import DownloadUsualJob
    from ser_cli.types import Progress

# Archives and half-done work lie in a hidden folder, which no corpus looks into.
_WORK = ".download"


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """Where the verified corpus lies.

    Attributes:
        folder: Holds the clips; `--data NAME` finds it from now on.
        ok: Clips verified.
        skipped: Nothing had to be brought: all of it was there.
        licence: What the user must keep to.
        citation: What to name.
    """

    folder: Path
    ok: int
    skipped: bool
    licence: str
    citation: str


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be brought: the corpus, its part (None is all of it), and who is told."""

    name: str
    source: Source
    part: str | None
    given: str | None
    progress: Progress | None


def download(job: DownloadUsualJob, *, progress: Progress | None = None) -> DownloadResult:
    """Make a corpus available, from its publisher or from a copy; what is there already stays.

    Whatever the source, each clip's samples are compared with the index. Interrupted, it resumes
    when it is called again.

    Args:
        job: The corpus; where to put the clips (by default the folder that its variable names,
            else one in the cache); which part; and where to take it from: a folder of clips or
            of the archives, one archive, the address of one, or a mirror's address to which the
            archives' names are added. A folder that holds clips is used in place unless the job
            names a destination.
        progress: Told (done, total or 0, note); the notes "fetching NAME" (bytes), "unpacking
            NAME" (entries) and "verifying" (clips) tell the phase, any other why it waits.

    Raises:
        UsageError: The corpus cannot be fetched, or has no such part.
        DataError: Clips are missing or wrong after all, or the source is not there.
        FetchError: The download failed.
        SerError: The disk has too little space, there can be no such folder, or another command
            writes into it.
    """
    task, corpus = _task(job, progress), corpora.get(job.name)
    folder = _folder(task, job.dest)
    found = _verify(task, folder)
    lacking = frozenset(found.missing + found.wrong)
    unfit: frozenset[str] = frozenset()
    if lacking:
        need_folder(folder)
        with locks.held(folder, hint="or choose another folder: --dest DIR"):
            unfit = _bring_all(task, folder, lacking)
        found = _verify(task, folder)
    elif task.part is None and (folder / _WORK).is_dir():  # killed when its last clip was there
        with locks.held(folder, hint="or choose another folder: --dest DIR"):
            shutil.rmtree(folder / _WORK, ignore_errors=True)
    if found.missing or found.wrong:
        raise _incomplete(task, folder, found, unfit)
    remember(job.name, str(folder))
    return DownloadResult(
        folder, found.ok, not lacking, licence=corpus.licence, citation=corpus.citation
    )


def _task(job: DownloadUsualJob, progress: Progress | None) -> _Task:
    source = corpora.get(job.name).source
    if source is None:
        raise UsageError(
            f"{job.name} cannot be fetched by a program; its publisher has it: "
            f"{corpora.get(job.name).citation}",
            hint=f"with a copy of it: --data FOLDER, or SER_CORPORA_DIR for the folder above "
            f"{job.name}/",
        )
    if job.subset != "all" and job.subset not in source.archives:
        raise UsageError(
            f"{job.name} has no part {job.subset!r}", hint=f"there is {', '.join(source.archives)}"
        )
    part = None if job.subset == "all" else job.subset
    return _Task(job.name, source, part, job.source, progress)


def _folder(task: _Task, dest: Path | None) -> Path:
    """Decide where the clips are, or are to be."""
    if dest is not None:
        return dest.resolve()
    if task.given is not None and _is_copy(task):
        return Path(task.given).resolve()
    if named := task.source.named():
        return named.resolve()
    own = (cache_dir() / task.name).resolve()
    # What was used in place and is not whole any more is the user's: it is not filled up.
    before = Path(remembered(task.name) or own)
    found = _verify(task, before)
    return own if found.missing or found.wrong else before


def _is_copy(task: _Task) -> bool:
    """Tell whether this is a folder of clips, with no archives that might hold more of them."""
    folder = Path(str(task.given))
    return not _archives(task, folder) and bool(task.source.paths(folder))


def _archives(task: _Task, folder: Path) -> list[Path]:
    """Find the published archives in a folder, also under the names browsers give to copies."""
    stems = [Path(archive.name).stem for archive in task.source.archives.values()]
    return sorted(path for stem in stems for path in folder.glob(f"{stem}*.zip"))


def _supplies(task: _Task, lacking: Collection[str]) -> list[Path | Archive]:
    """List the folders and archives that may hold what is lacking.

    Only the publisher's own archives must have the published MD5; of others the index decides.
    """
    parts = sorted({part for name in lacking if (part := task.source.part(name))})
    wanted = [task.source.archives[part] for part in parts]
    if task.given is None:
        return [*wanted]
    if "://" in task.given:
        if (path := parsed(task.given).path).lower().endswith(".zip"):
            return [Archive(Path(path).name, task.given)]
        base = task.given.rstrip("/")
        return [Archive(archive.name, f"{base}/{archive.name}") for archive in wanted]
    local = Path(task.given)
    if local.is_file():
        return [local]
    found = [*_archives(task, local), *([local] if task.source.paths(local) else [])]
    if not found:
        raise DataError(
            f"{local} is neither an archive nor a folder of clips or archives of {task.name}",
            hint=f"expected there: {', '.join(archive.name for archive in wanted)}; without "
            "--from they are fetched from their publisher",
        )
    return [*found]


def _bring_all(task: _Task, folder: Path, lacking: Collection[str]) -> frozenset[str]:
    """Put what is lacking into the folder; return the names of clips not as published."""
    unfit = [_bring(task, supply, folder, lacking) for supply in _supplies(task, lacking)]
    shutil.rmtree(folder / _WORK, ignore_errors=True)
    return frozenset().union(*unfit)


def _bring(
    task: _Task, supply: Path | Archive, folder: Path, lacking: Collection[str]
) -> frozenset[str]:
    """Put a supply's clips into the folder where they are lacking; return those not as published.

    A fetched archive is deleted once it is unpacked, or found to be none; a user's own stays.
    """
    if isinstance(supply, Archive):
        archive = folder / _WORK / supply.name
        if not archive.is_file():
            fetch(supply.url, archive, size=supply.size, md5=supply.md5, progress=task.progress)
        try:
            unfit = _bring(task, archive, folder, lacking)
        except FetchError:
            archive.unlink()
            raise
        archive.unlink()
        return unfit
    if supply.is_dir():
        return _place(task, supply, folder, lacking, move=False)
    unpacked = folder / _WORK / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        unpack(supply, unpacked, progress=task.progress)
        return _place(task, unpacked, folder, lacking, move=True)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _place(
    task: _Task, given: Path, folder: Path, lacking: Collection[str], *, move: bool
) -> frozenset[str]:
    """Copy or move the lacking clips that are as published; return the names of those not."""
    offered, here = task.source.paths(given), task.source.paths(folder)
    trusted = offered.keys() - lacking
    unfit = verify(task.source, given, task.progress, trusted=trusted).wrong
    for name, path in offered.items():
        if name not in lacking or name in unfit:
            continue
        old = here.get(name)
        home = old.parent if old else folder / task.source.home(name)
        with atomic_write(home / path.name) as temporary:
            if move:
                path.replace(temporary)
            else:
                shutil.copyfile(path, temporary)
        if old and old.name != path.name:
            old.unlink()
    return frozenset(unfit)


def _verify(task: _Task, folder: Path) -> Verification:
    return verified.again(task.source, folder, task.progress, part=task.part)


def _incomplete(
    task: _Task, folder: Path, found: Verification, unfit: Collection[str]
) -> DataError:
    """Name what is missing and what is wrong, and the next step."""
    wrong = sorted({*found.wrong, *(name for name in found.missing if name in unfit)})
    missing = [name for name in found.missing if name not in unfit]
    counts = [
        _count(names, what) for names, what in ((missing, "missing"), (wrong, "wrong")) if names
    ]
    hint = "run the same command again"
    if task.given is not None:
        hint = f"run `ser download {task.name}` without --from to fetch what is missing"
        hint += f" (with --dest {folder} into this folder)"
    for part in task.source.archives:
        if found.ok and not any(task.source.part(name) == part for name in missing + wrong):
            hint += f"; its {part} is complete: --subset {part} takes only that"
    return DataError(f"{task.name} in {folder} is not complete: {' and '.join(counts)}", hint=hint)


def _count(names: list[str], what: str) -> str:
    first = ", ".join(names[:3]) + ", ..." * (len(names) > 3)
    return f"{counted(len(names), 'clip')} {what} ({first})"
