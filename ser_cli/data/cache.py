"""Features computed once: a store addressed by what a file holds and how it is read.

A file's key is the SHA-256 of its bytes, so that renaming or moving a corpus costs nothing. The
folder it lies in carries the fingerprint of the front end and, for augmented copies, that of the
augmentation, so that a change to either is never answered with old features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import workers
from ser_cli.cluster import Cluster
from ser_cli.data import arrays, identity, mirror
from ser_cli.data.feature_tasks import Making, away, file_of, keep, store
from ser_cli.data.features import Features
from ser_cli.data.store import atomic_write, cache_dir, need_folder
from ser_cli.errors import DataError
from ser_cli.sound import fingerprint
from ser_cli.sound.limits import CLIP, Limits

if TYPE_CHECKING:
    from ser_cli.data.feature_tasks import Batch
    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Augment, Clip, Failures, MakeUp, Progress, Segment


FEW = 16  # clips that are done sooner than processes have started
CHUNK = 8  # clips that travel to a process together
BATCH = 1_024  # parts of a file that are cut from one decoding of it, after which progress is told


@dataclass(frozen=True, slots=True)
class Extracted:
    """Features of the clips that could be read, in order, and why the others could not.

    Attributes:
        clips: The readable clips.
        features: Of each clip, (t, F).
        failed: Path and reason of the others.
        computed: How many were not in the cache.
    """

    clips: tuple[Clip, ...]
    features: Features
    failed: Failures
    computed: int


def extract(
    clips: Sequence[Clip],
    frontend: Frontend,
    *,
    augment: Augment | None = None,
    copy: int = 0,
    seed: int = 0,
    jobs: int | Cluster = workers.CORES,
    limits: Limits = CLIP,
    progress: Progress | None = None,
) -> Extracted:
    """Return the features of all clips, from the cache where they are known.

    Args:
        clips: Recordings.
        frontend: Makes the features.
        augment: Makes augmented copies; needed where `copy` is not 0.
        copy: 0 for the recording itself, k for its k-th augmented copy.
        seed: Seed of the augmented copies.
        jobs: Worker processes, or a cluster that reads the clips; the cache is this machine's.
        limits: Clips that are longer fail.
        progress: Told how many of the missing ones are done, and of which file.

    Raises:
        ValueError: A copy is asked for, and nothing to make it.
        SerError: There can be no cache folder where one is wanted.
    """
    if copy and augment is None:
        raise ValueError("a copy needs an augmentation")
    folder = _folder(frontend, augment, copy, seed)
    need_folder(folder)
    contents = identity.contents((clip.path for clip in clips), jobs)
    keys = [identity.key(contents[clip.path], clip.segment) for clip in clips]
    files = {key: file_of(folder, key) for key in keys if key}
    absent = arrays.lacking(files.values(), what="features")
    todo = {
        key: clip.segment
        for key, clip in zip(keys, clips, strict=True)
        if key and files[key] in absent
    }
    making = Making(frontend, augment, copy, seed, limits)
    errors = _compute(making, todo, folder, jobs, progress)
    return _collect(clips, keys, errors, folder, computed=len(todo) - len(errors))


def made_up(
    make: MakeUp, count: int, frontend: Frontend, *, seed: int, jobs: int = workers.CORES
) -> Features:
    """Return the features of so many made-up sounds, by `sound.nothing` or `.synthesised`."""
    folder = _home(frontend) / f"{make.__name__}-seed{seed}-{fingerprint.of_code(make)[:8]}"
    files = [folder / f"{number}.npy" for number in range(count)]
    absent = arrays.lacking(files, what="features of made-up sounds")
    todo = [number for number, file in enumerate(files) if file in absent]
    task = workers.one_by_one(partial(_store_made_up, make, frontend, seed, folder))
    processes = jobs if len(todo) > FEW else 1
    for outcome in workers.run(task, todo, workers=processes, chunk=CHUNK):
        if outcome.error:
            raise DataError(
                f"sounds cannot be made up: {outcome.error}",
                hint="make room on the disk, or close other programs; then run it again",
            )
    return Features(files)


def _compute(
    making: Making,
    todo: dict[str, Segment],
    folder: Path,
    jobs: int | Cluster,
    progress: Progress | None,
) -> dict[str, str]:
    """Compute what is missing; return the reasons of what failed, by key."""
    errors: dict[str, str] = {}
    batches, done = _batches(todo, jobs.width if isinstance(jobs, Cluster) else jobs), 0
    if progress and todo:
        progress(0, len(todo), "")
    for outcome in _made(making, batches, folder, jobs):
        reasons = outcome.result or [outcome.error] * len(outcome.item)
        told = zip(outcome.item, reasons, strict=True)
        errors |= {key: reason for (key, _), reason in told if reason}
        done += len(outcome.item)
        if progress:
            progress(done, len(todo), outcome.item[-1][1].path.name)
    return errors


def _made(
    making: Making, batches: list[Batch], folder: Path, jobs: int | Cluster
) -> Iterator[workers.Outcome[Batch, list[str]]]:
    """Have features made and kept: by who makes them, where that is on this machine."""
    total = sum(map(len, batches))
    chunk = max(1, CHUNK * len(batches) // max(1, total))
    if not isinstance(jobs, Cluster):
        processes, task = jobs if total > FEW else 1, partial(store, making, folder)
        yield from workers.run(workers.one_by_one(task), batches, workers=processes, chunk=chunk)
        return
    files = making.frontend.files
    send = partial(away, making, jobs.send(files) if files else None)
    far = [(mirror.url_of(batch[0][1].path), batch) for batch in batches]
    for one in workers.run(workers.one_by_one(send), far, executor=jobs, chunk=chunk):
        batch = one.item[1]
        kept = None if one.result is None else keep(batch, one.result, folder)
        yield workers.Outcome(batch, kept, one.error)


def _batches(todo: dict[str, Segment], jobs: int) -> list[Batch]:
    """Put the parts of a file together, in their order, so that it is decoded once for many.

    Those of a file that has more than a process's share are left to several.
    """
    of: dict[Path, list[tuple[str, Segment]]] = {}
    for item in sorted(todo.items(), key=lambda item: item[1].start):
        of.setdefault(item[1].path, []).append(item)
    most = min(BATCH, max(FEW, -(-len(todo) // jobs)))
    return [tuple(own[at : at + most]) for own in of.values() for at in range(0, len(own), most)]


def _store_made_up(make: MakeUp, frontend: Frontend, seed: int, folder: Path, number: int) -> None:
    rng = np.random.default_rng([seed, number])
    features = frontend.features(make(number, rng, sample_rate=frontend.sample_rate))
    with atomic_write(folder / f"{number}.npy", sync=False) as temporary:
        np.save(temporary, features, allow_pickle=False)


def _collect(
    clips: Sequence[Clip],
    keys: Sequence[str],
    errors: dict[str, str],
    folder: Path,
    *,
    computed: int,
) -> Extracted:
    good, files, failed = [], [], []
    for clip, key in zip(clips, keys, strict=True):
        if not key or key in errors:
            failed.append((clip.path, errors.get(key, "the file cannot be opened")))
            continue
        good.append(clip)
        files.append(file_of(folder, key))
    return Extracted(tuple(good), Features(files), tuple(failed), computed)


def _folder(frontend: Frontend, augment: Augment | None, copy: int, seed: int) -> Path:
    kind = "plain"
    if augment and copy:
        kind = f"copy{copy}-seed{seed}-{fingerprint.of_code(augment)[:8]}"
    return _home(frontend) / kind


def _home(frontend: Frontend) -> Path:
    return cache_dir() / "features" / f"{frontend.name}-{frontend.fingerprint()}"
