"""What was found about the clips of a corpus, and what can be worked out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data import corpora
from ser_cli.sound import acoustics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.data.features import Features
    from ser_cli.recipes import Recipe
    from ser_cli.sound.frontend import Column
    from ser_cli.types import Clip, Failures

    Doubles = NDArray[np.float64]

_ROUNDING = 1e-12  # of a mean square, below which a variance is none
_CANDIDATES = 200  # clips that the others of a sample are chosen to be like


@dataclass(frozen=True, slots=True, eq=False)
class CorpusSummary:
    """What was found about the clips that can be read.

    Attributes:
        recipe: Whose features.
        clips: N clips.
        seconds: (N,) as the files' headers state it.
        rates: (N,) sample rate of each file in Hz.
        measures: (N, 6) the columns of `sound.acoustics`; NaN where one cannot be told.
        frames: (N,) frames of features.
        rows: R rows of features, the first column of each.
        means: (N, R) mean of each over the frames of a clip.
        deviations: (N, R) standard deviation of each over them.
        failed: Path and reason of the clips that could not be read.
    """

    recipe: Recipe
    clips: tuple[Clip, ...]
    seconds: Doubles
    rates: NDArray[np.int64]
    measures: Doubles
    frames: NDArray[np.int64]
    rows: tuple[Column, ...]
    means: Doubles
    deviations: Doubles
    failed: Failures

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that occur, sorted."""
        return tuple(sorted({clip.emotion for clip in self.clips}))

    @property
    def counts(self) -> dict[str, int]:
        """The number of clips of each emotion, sorted by name."""
        return dict(sorted(Counter(clip.emotion for clip in self.clips).items()))

    def by_emotion(self, values: Doubles) -> dict[str, Doubles]:
        """Split what is known of each clip, (N, ...), by its emotion."""
        labels = np.array([clip.emotion for clip in self.clips])
        return {emotion: values[labels == emotion] for emotion in self.emotions}

    def measured(self, name: str) -> Doubles:
        """Return one of `acoustics.NAMES`, (N,)."""
        values: Doubles = self.measures[:, acoustics.NAMES.index(name)]
        return values


def statistics(features: Features, columns: Sequence[Column]) -> tuple[Doubles, Doubles]:
    """Return mean and standard deviation of each row over the frames of each clip: (N, R) each."""
    names = [column.row for column in columns]
    means = _grouped(np.stack([clip.mean(axis=0, dtype=np.float64) for clip in features]), names)
    powers = [np.square(clip, dtype=np.float64).mean(axis=0) for clip in features]
    squares = _grouped(np.stack(powers), names)
    variances = squares - means**2
    variances[variances <= _ROUNDING * squares] = 0
    return means, np.sqrt(variances)


def correlations(means: Doubles) -> Doubles:
    """Return Pearson's correlation of columns (N, R) -> (R, R), NaN where one is constant."""
    centred = means - means.mean(axis=0)
    # A column of equal values differs from its mean by rounding alone.
    rounding = np.abs(means).max(axis=0) * np.finfo(np.float32).eps
    centred[:, np.abs(centred).max(axis=0) <= rounding] = np.nan
    normed = centred / np.sqrt((centred**2).sum(axis=0))
    matrix: Doubles = np.clip(normed.T @ normed, -1, 1)
    return matrix


def explained(values: Doubles, labels: Sequence[str]) -> Doubles:
    """Return which share of the variance of each column (N, K) lies between the labels: (K,)."""
    names, at = np.unique(np.array(labels), return_inverse=True)
    sizes = np.bincount(at)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, at, values)
    means, mean = sums / sizes[:, None], values.mean(axis=0)
    total = np.square(values - mean).sum(axis=0)
    between = (sizes[:, None] * np.square(means - mean)).sum(axis=0)
    shares: Doubles = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    return shares


def telling(found: CorpusSummary) -> Iterator[tuple[Column, str, float, Doubles]]:
    """Yield of each family the statistic that tells the emotions apart best.

    That is: its row of features, "mean" or "standard deviation" over the frames, the share of its
    variance that lies between emotions, and its values (N,).
    """
    labels = [clip.emotion for clip in found.clips]
    kinds = {"mean": found.means, "standard deviation": found.deviations}
    shares = {kind: explained(values, labels) for kind, values in kinds.items()}
    for family in dict.fromkeys(row.family for row in found.rows):
        own = [k for k, row in enumerate(found.rows) if row.family == family]
        kind, k = max(product(kinds, own), key=lambda at: shares[at[0]][at[1]])
        yield found.rows[k], kind, float(shares[kind][k]), kinds[kind][:, k]


def plane(found: CorpusSummary) -> tuple[Doubles, tuple[float, float]] | None:
    """Return the two principal components of the clips' statistics, and the variance they explain.

    Returns:
        (N, 2) of means and standard deviations, each standardised, and two shares (0..1); None
        where clips or features are too few or too equal.
    """
    from sklearn.decomposition import PCA

    both = np.hstack([found.means, found.deviations])
    spread = both.std(axis=0)
    varied = spread > np.abs(both).max(axis=0) * np.finfo(np.float32).eps
    if len(both) < 3 or varied.sum() < 2:
        return None
    scaled = (both[:, varied] - both[:, varied].mean(axis=0)) / spread[varied]
    model = PCA(n_components=2, svd_solver="full").fit(scaled)
    first, second = model.explained_variance_ratio_.tolist()
    return np.asarray(model.transform(scaled), np.float64), (first, second)


def sample(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Choose a clip per emotion, all of one speaker, and otherwise as alike as there are.

    It is the speaker with the most emotions, the first by name of several.
    """
    of: dict[str, list[Clip]] = {}
    for clip in clips:
        of.setdefault(clip.speaker, []).append(clip)
    own = max((of[name] for name in sorted(of)), key=lambda said: len({c.emotion for c in said}))
    emotions = sorted({clip.emotion for clip in own})

    def like(model: Clip) -> list[Clip]:
        return [
            max((clip for clip in own if clip.emotion == emotion), key=lambda c: _alike(model, c))
            for emotion in emotions
        ]

    groups = [like(clip) for clip in own[:_CANDIDATES]]
    models = zip(own, groups, strict=False)
    return tuple(max(models, key=lambda pair: sum(_alike(pair[0], clip) for clip in pair[1]))[1])


def shared(clips: Sequence[Clip]) -> Mapping[str, str]:
    """Return what the corpus knows of all of these clips alike."""
    first, *rest = [clip.facts for clip in clips]
    return {name: said for name, said in first.items()
            if said and all(facts.get(name) == said for facts in rest)}  # fmt: skip


def speakers(clips: Sequence[Clip]) -> dict[str, str]:
    """Return the clips' speakers, sorted, and how they are drawn: without a corpus they share."""
    known = sorted({clip.speaker for clip in clips})
    one = len({clip.corpus for clip in clips}) == 1 and corpora.has_speakers(clips)
    return {name: name.partition("/")[2] if one and "/" in name else name for name in known}


def _alike(one: Clip, other: Clip) -> int:
    return sum(other.facts.get(name) == said for name, said in one.facts.items())


def _grouped(values: Doubles, names: Sequence[str]) -> Doubles:
    """Average the columns (N, K) of equal name, names in the order they first occur."""
    order = list(dict.fromkeys(names))
    at = np.array([order.index(name) for name in names])
    sums = np.zeros((len(values), len(order)))
    np.add.at(sums.T, at, values.T)
    return sums / np.bincount(at)
