"""What a corpus holds, before anything is learned from it: counts, lengths, sound, features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.data import cache, corpora
from ser_cli.data.store import need_folder, write_csv
from ser_cli.errors import AudioError, DataError, UsageError
from ser_cli.remarks import counted
from ser_cli.report import clip_figures, corpus_figures, corpus_tables, plotting
from ser_cli.report import rows as report_rows
from ser_cli.report.corpus import (
    CorpusSummary,
    correlations,
    plane,
    sample,
    shared,
    speakers,
    statistics,
    telling,
)
from ser_cli.sound import acoustics, audio, segments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ser_cli.jobs.clips import EdaJob
    from ser_cli.types import Clip, Floats, Progress, Segment

FOLDER = Path("eda")
BAR_PLOT = "emotion_bar_plot.png"
SPEAKERS, SPECTROGRAMS, MAP = "clips_per_speaker.png", "spectrograms.png", "feature_map.png"
PICTURES = (  # the others
    "audio_duration.png",
    "acoustics.png",
    "frame_lengths.png",
    "feature_distributions.png",
    "correlation_heatmap.png",
    SPEAKERS,
    SPECTROGRAMS,
    MAP,
)
HEAVY = ("correlation_heatmap.png", SPECTROGRAMS, MAP)  # as SVG: megabytes; the rest is both
MFCC_MEANS = "mean_features_mfcc.csv"
_SOUND = {  # titles of what is measured
    "level": "level of the speech (RMS)",
    "snr": "SNR, estimated",
    "f0": "F0 (median)",
    "silence_before": "silence before the speech",
    "silence_after": "silence after the speech",
    "speech": "length of the speech",
}
_SOUND_NOTE = (
    "SNR: power of the speech over the median of the frames that are none; F0: YIN, voiced frames"
)
_FEATURES_NOTE = (
    "Of each family, the feature that differs most between emotions; in brackets, the share of its "
    "variance that lies between them"
)


def survey(job: EdaJob, *, progress: Progress | None = None) -> CorpusSummary:
    """Look at every clip of a corpus: its file's header, its sound, and its features.

    Args:
        job: Which corpora, and whose features.
        progress: Told of features.

    Raises:
        DataError: There is no such corpus, or no clip of it can be read.
        UsageError: There is no such recipe.
    """
    system, clips = job.system, job.clips()
    heard = cache.extract(clips, acoustics.FRONTEND, jobs=job.jobs, progress=progress)
    made = cache.extract(heard.clips, system.frontend, jobs=job.jobs, progress=progress)
    failed = heard.failed + made.failed
    if not made.clips:
        path, reason = failed[0]
        raise DataError(
            f"no clip of {corpora.describe(job.corpora)} can be read; the first is {path}: "
            f"{reason}",
            hint="check that the files play",
        )
    rates, seconds = zip(*_measured(made.clips), strict=True)
    columns = system.frontend.columns
    measures = dict(zip((clip.segment for clip in heard.clips), heard.features, strict=True))
    means, deviations = statistics(made.features, columns)
    return CorpusSummary(
        recipe=system,
        clips=made.clips,
        seconds=np.array(seconds, np.float64),
        rates=np.array(rates, np.int64),
        measures=np.array([measures[clip.segment][0] for clip in made.clips], np.float64),
        frames=np.array([len(features) for features in made.features], np.int64),
        rows=tuple({column.row: column for column in reversed(columns)}.values())[::-1],
        means=means,
        deviations=deviations,
        failed=failed,
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
        "eda_summary.csv": [("measure", "value", "unit"), *corpus_tables.summary(found)],
        "label_distribution.csv": corpus_tables.label_rows(found),
        "clips.csv": corpus_tables.clip_rows(found),
        MFCC_MEANS: corpus_tables.mfcc_rows(found),
    }
    for name, rows in tables.items():
        write_csv(folder / name, rows)
    bars = corpus_figures.class_counts({"clips": found.counts})
    told = corpora.told(found.clips)
    plotting.save(bars, chart, title=f"Clips per emotion\n{told}")
    drawn = [folder / name for name in tables] + [chart]
    for name, title, figure in _pictures(found):
        path = folder / name
        plotting.save(figure, path, title=f"{title}\n{told}")
        drawn.append(path)
        if name not in HEAVY:
            plotting.save(figure, path.with_suffix(".svg"))  # the figure has its title by now
            drawn.append(path.with_suffix(".svg"))
    return tuple(drawn)


def _pictures(found: CorpusSummary) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, title and figure of each picture but the bar plot, as far as there can be one."""
    recipe, frames = found.recipe, found.frames.tolist()
    yield (
        "audio_duration.png",
        "How long the clips are",
        corpus_figures.durations(found.by_emotion(found.seconds)),
    )
    yield "acoustics.png", "What the clips sound like", _sound(found)
    yield (
        "frame_lengths.png",
        f"Frames per clip, as {recipe.name} hears them",
        corpus_figures.frame_lengths(frames, recipe.frames),
    )
    yield "feature_distributions.png", f"Features of {recipe.name} by emotion", _features(found)
    families = [row.family for row in found.rows]
    yield (
        "correlation_heatmap.png",
        f"Correlation of the features of {recipe.name}",
        corpus_figures.correlations(correlations(found.means), families),
    )
    yield from _of_clips(found)


def _of_clips(found: CorpusSummary) -> Iterator[tuple[str, str, Figure]]:
    if corpora.has_speakers(found.clips):
        counts = _spoken(found)
        title = f"Clips per speaker and emotion{_most(found, len(counts))}"
        yield SPEAKERS, title, clip_figures.speakers(counts)
    clips = sample(found.clips)
    if waves := _waveforms(clips):
        figure = clip_figures.spectrograms(waves, sample_rate=acoustics.SAMPLE_RATE)
        yield SPECTROGRAMS, f"A clip of each emotion {_sampled(clips)}".strip(), figure
    if lies := plane(found):
        title = f"Features of {found.recipe.name} on a plane: PCA of means and standard deviations"
        figure = clip_figures.plane(lies[0], [clip.emotion for clip in found.clips], lies[1])
        yield MAP, f"{title}, {sum(lies[1]):.0%} of the variance", figure


def _sound(found: CorpusSummary) -> Figure:
    names = dict(zip(acoustics.COLUMNS, _SOUND.values(), strict=True))
    values = {t: found.by_emotion(found.measured(column.family)) for column, t in names.items()}
    units = {title: column.unit for column, title in names.items()}
    return corpus_figures.distributions(values, units, note=_SOUND_NOTE)


def _features(found: CorpusSummary) -> Figure:
    values, units = {}, {}
    for row, kind, share, each in telling(found):
        title = f"{row.row}, {kind}\n({share:.0%})"
        values[title], units[title] = found.by_emotion(each), row.unit
    return corpus_figures.distributions(values, units, note=_FEATURES_NOTE)


def _spoken(found: CorpusSummary) -> dict[str, dict[str, int]]:
    """Return the clips of each speaker, as it is drawn, and emotion: those with the most clips."""
    shown = speakers(found.clips)
    counts = {name: dict.fromkeys(found.emotions, 0) for name in shown}
    for clip in found.clips:
        counts[clip.speaker][clip.emotion] += 1
    most = sorted(counts, key=lambda name: -sum(counts[name].values()))
    return {shown[name]: counts[name] for name in sorted(most[: clip_figures.MOST_SPEAKERS])}


def _most(found: CorpusSummary, drawn: int) -> str:
    known = len({clip.speaker for clip in found.clips})
    most = f", the {drawn} of {counted(known, 'speaker')} with the most clips"
    return most if drawn < known else ""


def _waveforms(clips: Sequence[Clip]) -> dict[str, Floats]:
    waves = {clip.emotion: _heard(clip.segment) for clip in clips}
    return {emotion: wave for emotion, wave in waves.items() if wave is not None and len(wave)}


def _heard(segment: Segment) -> Floats | None:
    """Return a clip's waveform; None where its file is gone since it was read."""
    try:
        reading = audio.read(segment.path, sample_rate=acoustics.SAMPLE_RATE)
        (wave,) = segments.cut(reading, [segment])
    except AudioError:
        return None
    return None if isinstance(wave, AudioError) else wave


def _sampled(clips: Sequence[Clip]) -> str:
    """Return whose clips these are, and what the corpus knows of all of them."""
    speaker = clips[0].speaker
    said = [f"of speaker {speaker}"] if speaker else []
    facts = ", ".join(f"{name} {value}" for name, value in shared(clips).items())
    return " ".join([*said, f"({facts})"] if facts else said)


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
    others = [folder / name for name in PICTURES]
    if path.resolve() in {o.resolve() for o in (*others, *(o.with_suffix(".svg") for o in others))}:
        raise UsageError(f"{path} is already another picture", hint="rename the bar plot")
    return path


def notes(found: CorpusSummary) -> tuple[str, ...]:
    """Report what is missing that one would look for."""
    lines = []
    if len(found.emotions) < 2:
        lines.append(f"all clips are {found.emotions[0]!r}: there is nothing to compare them with")
    if not corpora.has_speakers(found.clips):
        lines.append(f"the speakers are not known: there is no {SPEAKERS}")
    if not corpus_tables.mfcc(found):
        lines.append(f"{found.recipe.name} has no MFCC: {MFCC_MEANS} holds no columns of them")
    if np.isnan(correlations(found.means)).any():
        lines.append("a feature that is the same in all clips has no correlation")
    if plane(found) is None:
        lines.append(f"too few clips or features differ: there is no {MAP}")
    if steady := int(np.isnan(found.measured("snr")).sum()):
        lines.append(f"{counted(steady, 'clip')} without a pause: no SNR can be estimated")
    return tuple(lines)


def as_record(found: CorpusSummary, written: Sequence[Path]) -> dict[str, Any]:
    """Return the findings as plain values, for JSON."""
    return {
        **{measure: value for measure, value, _ in corpus_tables.summary(found)},
        "clips": found.counts,
        "failed": report_rows.failures(found.failed),
        "notes": list(notes(found)),
        "written": [str(path) for path in written],
    }
