"""What a corpus holds, before anything is learned from it: counts, lengths, features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import cache, corpora
from ser_cli.data.store import need_folder, write_csv
from ser_cli.errors import DataError, UsageError
from ser_cli.model.preprocess import LENGTH_PERCENTILE
from ser_cli.report import corpus_figures, plotting
from ser_cli.report import rows as report_rows
from ser_cli.sound import audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.data.features import Features
    from ser_cli.jobs.clips import EdaJob
    from ser_cli.recipes import Recipe
    from ser_cli.sound.frontend import Column
    from ser_cli.types import Clip, Failures, Progress

    Doubles = NDArray[np.float64]

FOLDER = Path("eda")
BAR_PLOT = "emotion_bar_plot.png"
PICTURES = (  # the others
    "audio_duration.png",
    "frame_lengths.png",
    "feature_distributions.png",
    "correlation_heatmap.png",
)
MFCC_MEANS = "mean_features_mfcc.csv"


@dataclass(frozen=True, slots=True, eq=False)
class CorpusSummary:
    """What was found about the clips that can be read.

    Attributes:
        recipe: Whose features.
        clips: N clips.
        seconds: (N,) as the files' headers state it.
        rates: (N,) sample rate of each file in Hz.
        frames: (N,) frames of features.
        rows: R rows of features, the first column of each.
        means: (N, R) mean of each over the frames of a clip.
        failed: Path and reason of the clips that could not be read.
    """

    recipe: Recipe
    clips: tuple[Clip, ...]
    seconds: Doubles
    rates: NDArray[np.int64]
    frames: NDArray[np.int64]
    rows: tuple[Column, ...]
    means: Doubles
    failed: Failures

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that occur, sorted."""
        return tuple(sorted({clip.emotion for clip in self.clips}))

    def by_emotion(self, values: Doubles) -> dict[str, Doubles]:
        """Split what is known of each clip, (N, ...), by its emotion."""
        labels = np.array([clip.emotion for clip in self.clips])
        return {emotion: values[labels == emotion] for emotion in self.emotions}


def survey(job: EdaJob, *, progress: Progress | None = None) -> CorpusSummary:
    """Look at every clip of a corpus: its file's header, and its features.

    Args:
        job: Which corpora, and whose features.
        progress: Told of features.

    Raises:
        DataError: There is no such corpus, or no clip of it can be read.
        UsageError: There is no such recipe.
    """
    system, clips = job.system, job.clips()
    made = cache.extract(clips, system.frontend, jobs=job.jobs, progress=progress)
    if not made.clips:
        path, reason = made.failed[0]
        raise DataError(
            f"no clip of {corpora.describe(job.corpora)} can be read; the first is {path}: "
            f"{reason}",
            hint="check that the files play",
        )
    rates, seconds = zip(*_measured(made.clips), strict=True)
    columns = system.frontend.columns
    return CorpusSummary(
        recipe=system,
        clips=made.clips,
        seconds=np.array(seconds, np.float64),
        rates=np.array(rates, np.int64),
        frames=np.array([len(features) for features in made.features], np.int64),
        rows=tuple({column.row: column for column in reversed(columns)}.values())[::-1],
        means=_means(made.features, columns),
        failed=made.failed,
    )


def _measured(clips: Sequence[Clip]) -> Iterator[tuple[int, float]]:
    """Yield the rate of each clip in Hz and its length in seconds, as its file's header has it."""
    files = {path: audio.measure(path) for path in {clip.path for clip in clips}}
    for clip in clips:
        rate, whole = files[clip.path]
        yield rate, (whole if clip.end is None else min(clip.end, whole)) - clip.start


def write(
    found: CorpusSummary, folder: Path = FOLDER, *, bar_plot: Path | None = None
) -> tuple[Path, ...]:
    """Write all tables and pictures, and return their paths.

    Args:
        found: What is drawn.
        folder: Where to.
        bar_plot: The bar plot's own path; None puts it into the folder.

    Raises:
        UsageError: The bar plot's suffix is none of a picture.
    """
    chart = check(folder, bar_plot)
    tables: dict[str, Iterable[Iterable[object]]] = {
        "eda_summary.csv": [("measure", "value", "unit"), *summary(found)],
        "label_distribution.csv": _label_rows(found),
        MFCC_MEANS: _mean_rows(found),
    }
    for name, rows in tables.items():
        write_csv(folder / name, rows)
    figures = (
        corpus_figures.durations(found.by_emotion(found.seconds)),
        corpus_figures.frame_lengths(found.frames.tolist(), found.recipe.frames),
        corpus_figures.distributions(
            _families(found), {row.family: row.unit for row in found.rows}
        ),
        corpus_figures.correlations(correlations(found.means), [row.family for row in found.rows]),
    )
    pictures = {chart: corpus_figures.class_counts({"clips": counts(found)})}
    pictures |= {folder / name: figure for name, figure in zip(PICTURES, figures, strict=True)}
    for path, figure in pictures.items():
        plotting.save(figure, path)
    return (*(folder / name for name in tables), *pictures)


def check(folder: Path, bar_plot: Path | None) -> Path:
    """Return where the bar plot goes, before any work is done.

    Raises:
        UsageError: Its suffix is none of a picture, or its name is another picture's.
        SerError: There can be no such folder.
    """
    path = bar_plot or folder / BAR_PLOT
    need_folder(folder)
    need_folder(path.parent)
    if path.suffix.lower() not in plotting.SUFFIXES:
        raise UsageError(
            f"{path} is not a picture file name", hint="end it in " + ", ".join(plotting.SUFFIXES)
        )
    if path.resolve() in {(folder / name).resolve() for name in PICTURES}:
        raise UsageError(f"{path} is already another picture", hint="rename the bar plot")
    return path


def counts(found: CorpusSummary) -> dict[str, int]:
    """Return the number of clips of each emotion, sorted by name."""
    return dict(sorted(Counter(clip.emotion for clip in found.clips).items()))


def summary(found: CorpusSummary) -> tuple[tuple[str, float | str, str], ...]:
    """Return the contents of eda_summary.csv: measure, value and unit."""
    speakers = {clip.speaker for clip in found.clips}
    of_files = dict(zip([clip.path for clip in found.clips], found.rates.tolist(), strict=True))
    rates = sorted(Counter(of_files.values()).items())
    broken = {path for path, _ in found.failed}
    in_parts = any(clip.segment.fragment for clip in found.clips)
    known = len(speakers) if corpora.has_speakers(found.clips) else "unknown"
    return (
        ("files", len(of_files.keys() | broken), ""),
        ("files_unreadable", len(broken), ""),
        *((("segments", len(found.clips) + len(found.failed), ""),) if in_parts else ()),
        ("emotions", len(found.emotions), ""),
        ("speakers", known, ""),
        *((f"files_at_{rate}_hz", count, "") for rate, count in rates),
        ("duration_total", round(float(found.seconds.sum()), 2), "s"),
        *_spread("duration", found.seconds, "s"),
        ("recipe", found.recipe.name, ""),
        ("recipe_sample_rate", found.recipe.frontend.sample_rate, "Hz"),
        ("recipe_features", found.recipe.frontend.width, "per frame"),
        *_spread("frames", found.frames, "frames"),
        ("frames_95th_percentile", int(np.percentile(found.frames, LENGTH_PERCENTILE)), "frames"),
    )


def notes(found: CorpusSummary) -> tuple[str, ...]:
    """Report what is missing that one would look for."""
    lines = []
    if len(found.emotions) < 2:
        lines.append(f"all clips are {found.emotions[0]!r}: there is nothing to compare them with")
    if not _mfcc(found):
        lines.append(f"{found.recipe.name} has no MFCC: {MFCC_MEANS} holds no columns of them")
    if np.isnan(correlations(found.means)).any():
        lines.append("a feature that is the same in all clips has no correlation")
    return tuple(lines)


def as_record(found: CorpusSummary, written: Sequence[Path]) -> dict[str, Any]:
    """Return the findings as plain values, for JSON."""
    return {
        **{measure: value for measure, value, _ in summary(found)},
        "clips": counts(found),
        "failed": report_rows.failures(found.failed),
        "notes": list(notes(found)),
        "written": [str(path) for path in written],
    }


def correlations(means: Doubles) -> Doubles:
    """Return Pearson's correlation of columns (N, R) -> (R, R), NaN where one is constant."""
    centred = means - means.mean(axis=0)
    # A column of equal values differs from its mean by rounding alone.
    rounding = np.abs(means).max(axis=0) * np.finfo(np.float32).eps
    centred[:, np.abs(centred).max(axis=0) <= rounding] = np.nan
    normed = centred / np.sqrt((centred**2).sum(axis=0))
    matrix: Doubles = np.clip(normed.T @ normed, -1, 1)
    return matrix


def _means(features: Features, columns: Sequence[Column]) -> Doubles:
    """Return the mean of each row over the frames of each clip: (N, R)."""
    frames = np.stack([clip.mean(axis=0, dtype=np.float64) for clip in features])
    return _grouped(frames, [column.row for column in columns])


def _grouped(values: Doubles, names: Sequence[str]) -> Doubles:
    """Average the columns (N, K) of equal name, names in the order they first occur."""
    order = list(dict.fromkeys(names))
    at = np.array([order.index(name) for name in names])
    sums = np.zeros((len(values), len(order)))
    np.add.at(sums.T, at, values.T)
    return sums / np.bincount(at)


def _families(found: CorpusSummary) -> dict[str, dict[str, Doubles]]:
    """Return family -> emotion -> one value per clip."""
    names = [row.family for row in found.rows]
    values = _grouped(found.means, names)
    return {family: found.by_emotion(values[:, k]) for k, family in enumerate(dict.fromkeys(names))}


def _spread(
    name: str, values: Doubles | NDArray[np.int64], unit: str
) -> Iterator[tuple[str, float, str]]:
    for statistic, compute in (
        ("mean", np.mean), ("std", np.std), ("min", np.min), ("median", np.median), ("max", np.max)
    ):  # fmt: skip
        yield f"{name}_{statistic}", round(float(compute(values)), 4), unit


def _label_rows(found: CorpusSummary) -> Iterator[tuple[object, ...]]:
    yield "emotion", "clips", "share", "mean_duration_s"
    for emotion, seconds in found.by_emotion(found.seconds).items():
        share = len(seconds) / len(found.clips)
        yield emotion, len(seconds), f"{share:.4f}", f"{seconds.mean():.3f}"


def _mean_rows(found: CorpusSummary) -> list[tuple[object, ...]]:
    """Return the mean MFCC of each emotion, each clip counting once."""
    chosen = _mfcc(found)
    head = ("emotion", *(found.rows[k].row for k in chosen))
    groups = found.by_emotion(found.means[:, chosen]).items()
    return [head, *((name, *map(_rounded, part.mean(axis=0))) for name, part in groups)]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _mfcc(found: CorpusSummary) -> list[int]:
    """Return the places of MFCC and what is derived from them."""
    return [k for k, row in enumerate(found.rows) if row.row.startswith("mfcc_")]
