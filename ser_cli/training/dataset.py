"""A split of clips -> their features -> the padded, scaled batches a network learns from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ser_cli import workers
from ser_cli.data import cache, select
from ser_cli.data.features import HELD_BYTES, Features
from ser_cli.data.splits import Split
from ser_cli.errors import DataError
from ser_cli.model import preprocess
from ser_cli.recipes import Recipe
from ser_cli.report import metrics
from ser_cli.training import evidence
from ser_cli.training.evidence import MADE_UP
from ser_cli.types import Clip, Failures, Preprocessor, Progress, Segment

if TYPE_CHECKING:
    from ser_cli.types import Floats


NOTHING = -1  # in place of a class


class Part:
    """Clips to learn from or to be judged by: `clips`, `features` (t, F) and `y` (N,) int64.

    `degraded` (N,) tells which sound otherwise than recordings do.

    The first `recorded` clips are recordings, the others repeats and augmented copies of them, and
    at last sounds that have been made up, whose `y` is NOTHING.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        features: Features,
        preprocessor: Preprocessor,
        recorded: int | None = None,
        degraded: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take clips and the features of each."""
        self.clips, self.features = tuple(clips), features
        self.recorded = len(self.clips) if recorded is None else recorded
        self.degraded = np.zeros(len(self.clips), bool) if degraded is None else degraded
        self.y: NDArray[np.int64] = np.full(len(self.clips), NOTHING)
        spoken = [place for place, clip in enumerate(self.clips) if clip.corpus not in MADE_UP]
        self.y[spoken] = preprocess.encode(
            [self.clips[place].emotion for place in spoken], preprocessor.classes
        )
        self.known = evidence.known(self.clips, preprocessor.classes)
        self.unmoved = evidence.unmoved(self.known, self.clips, preprocessor.classes)
        self._preprocessor = preprocessor
        self._inputs: Floats | None = None

    def inputs(self, places: NDArray[np.int64]) -> Floats:
        """Return the input (n, T, F) of chosen clips.

        All inputs of a small corpus are made once and kept; those of a large one are made anew
        from the features in the cache, batch by batch.
        """
        if self._inputs is None and self._is_small():
            self._inputs = preprocess.transform(self.features, self._preprocessor)
        if self._inputs is not None:
            return self._inputs[places]
        return preprocess.transform(self.features.select(places.tolist()), self._preprocessor)

    def _is_small(self) -> bool:
        if not self.features.held:
            return False
        size = 4 * self._preprocessor.max_len * self.features[0].shape[1]
        return bool(len(self.clips) * size <= HELD_BYTES)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The parts a network is trained and chosen on; all that is learned of them, of `train`."""

    train: Part
    dev: Part
    preprocessor: Preprocessor

    @property
    def shape(self) -> tuple[int, int, int]:
        """T and F of a network's input, and C of its output."""
        width = self.train.features[0].shape[1]
        return self.preprocessor.max_len, width, len(self.preprocessor.classes)

    @property
    def uar_over(self) -> str:
        """Name what dev UAR is over; "" where that is all classes, or there is no dev."""
        occurring = set(self.dev.y.tolist())
        return metrics.scope(len(occurring), len(self.preprocessor.classes)) if occurring else ""


@dataclass(frozen=True, slots=True)
class SplitFeatures:
    """The readable clips of a split and their features.

    Attributes:
        split: Its three parts, without the clips that could not be read.
        clips: All of them.
        features: Of each of `clips`.
        copies: The first augmented copies, the second and so on, of the training clips, and of
            dev where it is learned from in the end: which clips, and their features.
        failed: Path and reason of the clips left out.
        repeats: Training clips that are learned from once more, copies and all.
        made_up: Sounds that have been made up: what stands for each, and its features.
    """

    split: Split
    clips: tuple[Clip, ...]
    features: Features
    copies: tuple[tuple[tuple[Clip, ...], Features], ...]
    failed: Failures
    repeats: tuple[Clip, ...] = ()
    made_up: tuple[tuple[Clip, ...], Features] = field(default_factory=lambda: ((), Features(())))

    def of(self, clips: Sequence[Clip]) -> Features:
        """Return the features of some of the clips."""
        at = {clip.segment: place for place, clip in enumerate(self.clips)}
        return self.features.select([at[clip.segment] for clip in clips])

    def learned_from(self) -> tuple[tuple[Clip, ...], Features]:
        """Return all that a network learns from: training clips, repeats and copies."""
        clips, features, _ = self.by_copy()
        return clips, features

    def by_copy(self) -> tuple[tuple[Clip, ...], Features, NDArray[np.int64]]:
        """Return the same, and the number of the copy that each is; 0 for the clips themselves."""
        clips = once = self.split.train + self.repeats
        chosen, features = {clip.segment for clip in once}, self.of(once)
        numbers = [0] * len(once)
        for number, (copied, theirs) in enumerate(self.copies, 1):
            own = [place for place, clip in enumerate(copied) if clip.segment in chosen]
            clips += tuple(copied[place] for place in own)
            features += theirs.select(own)
            numbers += [number] * len(own)
        return clips, features, np.array(numbers)

    def with_dev(self) -> SplitFeatures:
        """Return the same with the dev part in training."""
        whole = replace(self.split, train=self.split.train + self.split.dev, dev=())
        return replace(self, split=whole)

    def class_counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count the training clips of each emotion as recorded, and with repeats and copies."""
        before = Counter(clip.emotion for clip in self.split.train)
        return dict(before), dict(Counter(clip.emotion for clip in self.learned_from()[0]))

    def digests(self) -> dict[Segment, bytes]:
        """Return a digest of each clip's features, which are equal for equal sounds only."""
        return {
            clip.segment: hashlib.sha256(features.tobytes()).digest()
            for clip, features in zip(self.clips, self.features, strict=True)
        }


def fingerprint(sounds: SplitFeatures, digests: dict[Segment, bytes]) -> str:
    """Return a digest of what is learned from: sounds, labels, parts and repeats."""
    digest = hashlib.sha256()
    split = sounds.split
    for part in (split.train, split.dev, split.test, sounds.repeats):
        for clip in part:
            digest.update(clip.emotion.encode() + digests[clip.segment])
        digest.update(b"|")
    return digest.hexdigest()[:16]


def load(
    split: Split,
    recipe: Recipe,
    *,
    copies: int,
    seed: int,
    oversample: tuple[str, ...] = (),
    with_dev: bool = False,
    jobs: int = workers.CORES,
    progress: Progress | None = None,
) -> SplitFeatures:
    """Extract the features of all clips of a split and of the copies of its training clips.

    Emotions to oversample have their training clips repeated, as `select.repeats` decides; with
    dev, its clips are copied too.

    Raises:
        DataError: No training clip can be read.
    """
    extract = partial(cache.extract, frontend=recipe.frontend, jobs=jobs, progress=progress)
    plain = extract(split.train + split.dev + split.test)
    readable = {clip.segment for clip in plain.clips}
    train, dev, test = (
        tuple(clip for clip in part if clip.segment in readable)
        for part in (split.train, split.dev, split.test)
    )
    if not train:
        raise DataError("no training clip can be read", hint="see why: ser extract")
    repeats = select.repeats(train, oversample, seed=seed)
    copied = train + repeats + (dev if with_dev else ())
    made = tuple(
        extract(copied, augment=recipe.augment, copy=number, seed=seed)
        for number in range(1, copies + 1)
    )
    whole = replace(split, train=train, dev=dev, test=test)
    both = tuple((one.clips, one.features) for one in made)
    return SplitFeatures(whole, plain.clips, plain.features, both, plain.failed, repeats)


def frames(sounds: SplitFeatures, recipe: Recipe) -> int:
    """Return T of a network's input: the recipe's, or learned from the training part."""
    return recipe.frames or preprocess.length(sounds.learned_from()[1])


def assemble(
    sounds: SplitFeatures,
    recipe: Recipe,
    *,
    frames: int | None = None,
    shares: Mapping[str, float] | None = None,
) -> Dataset:
    """Learn length and scaling from the training part, and set up what is trained on.

    Args:
        sounds: The split and its features.
        recipe: Says how they are scaled.
        frames: T, where it is not to be learned from this split alone.
        shares: Weight of each corpus in the scaling; None: every clip weighs the same.

    Raises:
        DataError: A dev or test clip has an emotion that no training clip has.
    """
    clips, features, numbers = sounds.by_copy()
    made_up, theirs = sounds.made_up
    is_degraded = recipe.degrades or (lambda _: False)
    degraded = [number > 0 and is_degraded(number) for number in numbers.tolist()]
    degraded += [True] * len(made_up)
    fitted = preprocess.fit(
        features,
        scale=recipe.scale,
        frames=frames or recipe.frames,
        classes=sorted({clip.emotion for clip in clips}),
        weights=evidence.weights(clips, shares, by_class=False).tolist() if shares else None,
    )
    dev, test = sounds.split.dev, sounds.split.test
    preprocess.encode([clip.emotion for clip in test], fitted.classes)
    return Dataset(
        Part(
            clips + made_up,
            features + theirs,
            fitted,
            recorded=len(sounds.split.train),
            degraded=np.array(degraded),
        ),
        Part(dev, sounds.of(dev), fitted),
        preprocessor=fitted,
    )
