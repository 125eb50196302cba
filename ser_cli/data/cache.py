"""Features computed once: a store addressed by what a file holds and how it is read.

A file's key is the SHA-256 of its bytes, so that renaming or moving a corpus costs nothing;
the folder it lies in names the recipe, its version and, for augmented copies, the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data.corpora import ravdess
from ser_cli.data.store import atomic_write, cache_dir
from ser_cli.errors import AudioError
from ser_cli.sound import audio
from ser_cli.sound.features import at_least

if TYPE_CHECKING:
    from ser_cli.types import Clip, Floats, Progress, Recipe


@dataclass(frozen=True, slots=True)
class Extracted:
    """Features of the clips that could be read, in order, and why the others could not.

    Attributes:
        clips: The readable clips.
        features: One (t, F) matrix a clip.
        failed: Path and reason of the others.
        computed: How many were not in the cache.
    """

    clips: tuple[Clip, ...]
    features: tuple[Floats, ...]
    failed: tuple[tuple[Path, str], ...]
    computed: int


def extract(
    clips: Sequence[Clip],
    recipe: Recipe,
    *,
    copy: int = 0,
    seed: int = 0,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Extracted:
    """Return the features of all clips, from the cache where they are known.

    Args:
        clips: Recordings.
        recipe: Whose features.
        copy: 0 for the recording itself, k for its k-th augmented copy.
        seed: Seed of the augmented copies.
        jobs: Worker processes; -1 is one a core.
        progress: Told how many of the missing ones are done, and of which file.
    """
    folder = _folder(recipe, copy=copy, seed=seed)
    with ThreadPoolExecutor() as threads:
        keys = list(threads.map(_key, (clip.path for clip in clips)))
    todo = {
        key: clip.path
        for key, clip in zip(keys, clips, strict=True)
        if key and not _file(folder, key).is_file()
    }
    errors = _compute(todo, folder, recipe, copy=copy, seed=seed, jobs=jobs, progress=progress)
    return _collect(clips, keys, errors, folder, computed=len(todo) - len(errors))


def identity(path: Path) -> str:
    """Return what tells a recording from all others, wherever it lies and whatever it is called.

    It is RAVDESS's name where the file has one, in any format; else the SHA-256 of the file.
    """
    return path.stem if ravdess.parse(path.stem) else _key(path)


def waveform_features(waveform: Floats, recipe: Recipe) -> Floats:
    """Return the (t, F) features of a waveform (n,), cut or padded to the recipe's length."""
    if recipe.duration is not None:
        n_samples = round(recipe.duration * recipe.sample_rate)
        waveform = at_least(waveform, n_samples)[:n_samples]
    return recipe.extract(waveform)


def _collect(
    clips: Sequence[Clip],
    keys: Sequence[str],
    errors: dict[str, str],
    folder: Path,
    *,
    computed: int,
) -> Extracted:
    good, features, failed = [], [], []
    for clip, key in zip(clips, keys, strict=True):
        if not key or key in errors:
            failed.append((clip.path, errors.get(key, "the file cannot be opened")))
            continue
        good.append(clip)
        features.append(np.load(_file(folder, key), allow_pickle=False))
    return Extracted(tuple(good), tuple(features), tuple(failed), computed)


def _compute(
    todo: dict[str, Path],
    folder: Path,
    recipe: Recipe,
    *,
    copy: int,
    seed: int,
    jobs: int,
    progress: Progress | None,
) -> dict[str, str]:
    from joblib import Parallel, delayed

    if not todo:
        return {}
    tasks: Iterable[object] = (
        delayed(_compute_one)(key, path, _file(folder, key), recipe, copy, seed)
        for key, path in todo.items()
    )
    errors: dict[str, str] = {}
    # A handful of files is done sooner than workers have started.
    workers = Parallel(n_jobs=jobs if len(todo) > 16 else 1, return_as="generator_unordered")
    for done, (key, error) in enumerate(workers(tasks), start=1):
        if error:
            errors[key] = error
        if progress:
            progress(done, len(todo), todo[key].name)
    return errors


def _compute_one(
    key: str, path: Path, target: Path, recipe: Recipe, copy: int, seed: int
) -> tuple[str, str]:
    try:
        waveform = audio.load(path, sample_rate=recipe.sample_rate).waveform
        if copy:
            rng = np.random.default_rng([seed, copy, int(key[:15], 16)])
            waveform = recipe.augment(waveform, rng, copy)
        features = waveform_features(waveform, recipe)
    except AudioError as error:
        # The caller names the file, and equal files share this reason.
        return key, str(error).removeprefix(f"{path}: ")
    with atomic_write(target) as temporary:
        np.save(temporary, features, allow_pickle=False)
    return key, ""


def _folder(recipe: Recipe, *, copy: int, seed: int) -> Path:
    kind = f"copy{copy}-seed{seed}" if copy else "plain"
    return cache_dir() / "features" / f"{recipe.name}-v{recipe.version}" / kind


def _file(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.npy"


def _key(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
