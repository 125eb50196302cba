"""A split of clips -> their features -> the padded, scaled tensors a network trains on."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data import cache, select
from ser_cli.data.splits import Split
from ser_cli.errors import DataError
from ser_cli.model import preprocess
from ser_cli.types import Batch, Clip, Dataset, Progress

if TYPE_CHECKING:
    from ser_cli.types import Floats, Preprocessor, Recipe


@dataclass(frozen=True, slots=True)
class Sounds:
    """The readable clips of a split and their features.

    Attributes:
        split: Its three parts, without the clips that could not be read.
        features: (t, F) of every clip, by path.
        copies: Augmented copies of the training clips.
        failed: Path and reason of the clips left out.
        repeats: Training clips that are learned from once more, copies and all.
    """

    split: Split
    features: dict[Path, Floats]
    copies: tuple[tuple[Clip, Floats], ...]
    failed: tuple[tuple[Path, str], ...]
    repeats: tuple[Clip, ...] = ()

    def class_counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count the training clips of each emotion as recorded, and with repeats and copies."""
        before = Counter(clip.emotion for clip in self.split.train)
        after = before + Counter(clip.emotion for clip in self.repeats)
        after += Counter(clip.emotion for clip, _ in self.copies)
        return dict(before), dict(after)

    def fingerprint(self) -> str:
        """Return a digest of what is learned from: sounds, labels, parts and repeats."""
        digest = hashlib.sha256()
        parts = (self.split.train, self.split.dev, self.split.test)
        for part in (*parts, self.repeats) if self.repeats else parts:
            for clip in part:
                digest.update(clip.emotion.encode() + self.features[clip.path].tobytes())
            digest.update(b"|")
        return digest.hexdigest()[:16]


def load(
    split: Split,
    recipe: Recipe,
    *,
    copies: int,
    seed: int,
    oversample: tuple[str, ...] = (),
    jobs: int = -1,
    progress: Progress | None = None,
) -> Sounds:
    """Extract the features of all clips of a split and of the copies of its training clips.

    Emotions to oversample have their training clips repeated, as `select.repeats` says.

    Raises:
        DataError: No training clip can be read.
    """

    def extracted(clips: tuple[Clip, ...], copy: int) -> cache.Extracted:
        return cache.extract(clips, recipe, copy=copy, seed=seed, jobs=jobs, progress=progress)

    plain = extracted(split.train + split.dev + split.test, 0)
    features = {c.path: f for c, f in zip(plain.clips, plain.features, strict=True)}
    train, dev, test = (
        tuple(clip for clip in part if clip.path in features)
        for part in (split.train, split.dev, split.test)
    )
    if not train:
        raise DataError("no training clip can be read", hint="look with: ser extract")
    repeats = select.repeats(train, oversample, seed=seed)
    copied: list[tuple[Clip, Floats]] = []
    for number in range(1, copies + 1):
        made = extracted(train + repeats, number)
        copied += zip(made.clips, made.features, strict=True)
    readable = replace(split, train=train, dev=dev, test=test)
    return Sounds(readable, features, tuple(copied), plain.failed, repeats)


def frames(sounds: Sounds, recipe: Recipe) -> int:
    """Return T of a network's input: the recipe's, or learned from the training part."""
    return recipe.frames or preprocess.length([features for _, features in _train(sounds)])


def assemble(sounds: Sounds, recipe: Recipe, *, frames: int | None = None) -> Dataset:
    """Pad and scale a split; everything that is learned is learned from its training part.

    Args:
        sounds: The split and its features.
        recipe: Says how they are scaled.
        frames: T, where it is not to be learned from this split alone.

    Raises:
        DataError: A dev or test clip has an emotion that no training clip has.
    """
    split = sounds.split
    train = _train(sounds)
    fitted = preprocess.fit(
        [features for _, features in train],
        scale=recipe.scale,
        frames=frames or recipe.frames,
        classes=sorted({clip.emotion for clip in split.train}),
    )
    dev, test = ([(c, sounds.features[c.path]) for c in part] for part in (split.dev, split.test))
    return Dataset(
        _batch(train, fitted), _batch(dev, fitted), _batch(test, fitted), preprocessor=fitted
    )


def _train(sounds: Sounds) -> list[tuple[Clip, Floats]]:
    heard = sounds.split.train + sounds.repeats
    return [(clip, sounds.features[clip.path]) for clip in heard] + list(sounds.copies)


def _batch(clips: list[tuple[Clip, Floats]], preprocessor: Preprocessor) -> Batch:
    return Batch(
        x=preprocess.transform([features for _, features in clips], preprocessor),
        y=preprocess.encode([clip.emotion for clip, _ in clips], preprocessor.classes),
        clips=tuple(clip for clip, _ in clips),
    )
