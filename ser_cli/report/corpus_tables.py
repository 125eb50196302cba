"""What was found about a corpus, as tables: for programs, and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data import corpora
from ser_cli.model.preprocess import LENGTH_PERCENTILE
from ser_cli.remarks import counted
from ser_cli.sound import acoustics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ser_cli.report.corpus import CorpusSummary

    Doubles = NDArray[np.float64]

_STATISTICS: dict[str, Callable[..., np.floating]] = {
    "mean": np.mean, "std": np.std, "min": np.min, "median": np.median, "max": np.max
}  # fmt: skip
_TITLES = {  # of what is measured, and its digits
    "level": ("level of the speech", 1),
    "snr": ("SNR, estimated", 1),
    "f0": ("F0", 0),
    "silence_before": ("silence before", 2),
    "silence_after": ("silence after", 2),
    "speech": ("speech", 2),
}


def summary(found: CorpusSummary) -> tuple[tuple[str, float | str, str], ...]:
    """Return the contents of eda_summary.csv: measure, value and unit."""
    in_parts = any(clip.segment.fragment for clip in found.clips)
    return (
        ("files", len(_rate_of(found).keys() | _broken(found)), ""),
        ("files_unreadable", len(_broken(found)), ""),
        *((("segments", len(found.clips) + len(found.failed), ""),) if in_parts else ()),
        ("emotions", len(found.emotions), ""),
        ("speakers", _speakers(found), ""),
        *((f"files_at_{rate}_hz", count, "") for rate, count in _rates(found)),
        ("duration_total", round(float(found.seconds.sum()), 2), "s"),
        *_spread("duration", found.seconds, "s"),
        *(row for column in acoustics.COLUMNS
          for row in _spread(column.family, found.measured(column.family), column.unit)),
        ("recipe", found.recipe.name, ""),
        ("recipe_sample_rate", found.recipe.frontend.sample_rate, "Hz"),
        ("recipe_features", found.recipe.frontend.width, "per frame"),
        *_spread("frames", found.frames, "frames"),
        ("frames_95th_percentile", _percentile(found), "frames"),
    )  # fmt: skip


def overall(found: CorpusSummary) -> list[tuple[str, str]]:
    """Return the same in fewer lines, as people write it: measure and value."""
    frontend, broken = found.recipe.frontend, len(_broken(found))
    speakers = _speakers(found)
    files = f"{len(_rate_of(found).keys() | _broken(found)):,}"
    return [
        ("files", files + (f", {broken} unreadable" if broken else "")),
        ("emotions", str(len(found.emotions))),
        ("speakers", f"{speakers:,}" if isinstance(speakers, int) else speakers),
        ("sample rate", ", ".join(_sampled(found))),
        ("duration in all", duration(float(found.seconds.sum()))),
        ("duration", _range(found.seconds, "s", 2)),
        *((title, _range(found.measured(name), unit, digits))
          for (name, (title, digits)), unit in zip(_TITLES.items(), _units(), strict=True)),
        ("recipe", f"{found.recipe.name}: {kilohertz(frontend.sample_rate)}, "
                   f"{frontend.width} features per frame"),
        ("frames", f"{_range(found.frames, '', 0)}; 95th percentile {_percentile(found)}"),
    ]  # fmt: skip


def emotions(found: CorpusSummary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of what people ask first of each emotion."""
    head = ("emotion", "clips", "%", "mean s", "dB of full scale", "SNR in dB", "F0 in Hz")
    seconds = found.by_emotion(found.seconds)
    measured = [found.by_emotion(found.measured(name)) for name in ("level", "snr", "f0")]
    rows = [
        (
            emotion,
            f"{len(own):,}",
            f"{100 * len(own) / len(found.clips):.1f}",
            f"{own.mean():.2f}",
            *(_median(of[emotion], digits) for of, digits in zip(measured, (1, 1, 0), strict=True)),
        )
        for emotion, own in seconds.items()
    ]
    return head, rows


def label_rows(found: CorpusSummary) -> Iterator[tuple[object, ...]]:
    """Yield the contents of label_distribution.csv."""
    yield "emotion", "clips", "share", "mean_duration_s"
    for emotion, seconds in found.by_emotion(found.seconds).items():
        share = len(seconds) / len(found.clips)
        yield emotion, len(seconds), f"{share:.4f}", f"{seconds.mean():.3f}"


def clip_rows(found: CorpusSummary) -> Iterator[tuple[object, ...]]:
    """Yield the contents of clips.csv: what each clip is, and what was measured of it."""
    units = {"dB of full scale": "dbfs", "dB": "db", "Hz": "hz", "s": "s"}
    measures = (f"{column.family}_{units[column.unit]}" for column in acoustics.COLUMNS)
    yield "file", "start", "end", "emotion", "speaker", "sample_rate_hz", "duration_s", *measures
    for clip, rate, seconds, values in zip(
        found.clips, found.rates.tolist(), found.seconds, found.measures, strict=True
    ):
        numbers = ("" if np.isnan(value) else round(float(value), 3) for value in values)
        end = "" if clip.end is None else clip.end
        what = (clip.path, clip.start, end, clip.emotion, clip.speaker)
        yield *what, rate, round(float(seconds), 3), *numbers


def mfcc_rows(found: CorpusSummary) -> list[tuple[object, ...]]:
    """Return the mean MFCC of each emotion, each clip counting once."""
    chosen = mfcc(found)
    head = ("emotion", *(found.rows[k].row for k in chosen))
    groups = found.by_emotion(found.means[:, chosen]).items()
    return [head, *((name, *map(_rounded, part.mean(axis=0))) for name, part in groups)]


def mfcc(found: CorpusSummary) -> list[int]:
    """Return the places of MFCC and what is derived from them."""
    return [k for k, row in enumerate(found.rows) if row.row.startswith("mfcc_")]


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    >>> duration(10033.96), duration(125.2), duration(7.04)
    ('2 h 47 min', '2 min 5 s', '7.0 s')
    """
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def kilohertz(hertz: int) -> str:
    """Return a sample rate as people say it.

    >>> kilohertz(48_000), kilohertz(22_050)
    ('48 kHz', '22.05 kHz')
    """
    return f"{hertz / 1000:g} kHz"


def _rate_of(found: CorpusSummary) -> dict[object, int]:
    return dict(zip([clip.path for clip in found.clips], found.rates.tolist(), strict=True))


def _rates(found: CorpusSummary) -> list[tuple[int, int]]:
    return sorted(Counter(_rate_of(found).values()).items())


def _sampled(found: CorpusSummary) -> Iterator[str]:
    rates = _rates(found)
    for rate, count in rates:
        yield kilohertz(rate) + (f" ({counted(count, 'file')})" if len(rates) > 1 else "")


def _broken(found: CorpusSummary) -> set[object]:
    return {path for path, _ in found.failed}


def _speakers(found: CorpusSummary) -> int | str:
    known = corpora.has_speakers(found.clips)
    return len({clip.speaker for clip in found.clips}) if known else "unknown"


def _units() -> Iterator[str]:
    return (column.unit for column in acoustics.COLUMNS)


def _percentile(found: CorpusSummary) -> int:
    return int(np.percentile(found.frames, LENGTH_PERCENTILE))


def _spread(
    name: str, values: Doubles | NDArray[np.int64], unit: str
) -> Iterator[tuple[str, float | str, str]]:
    known = values[~np.isnan(values)]
    for statistic, compute in _STATISTICS.items():
        value = round(float(compute(known)), 4) if len(known) else ""
        yield f"{name}_{statistic}", value, unit


def _range(values: Doubles | NDArray[np.int64], unit: str, digits: int) -> str:
    """Return the median and the ends of what is known, with its unit."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "unknown"
    middle, low, high = (f"{of(known):,.{digits}f}" for of in (np.median, np.min, np.max))
    after = f" {unit}" if unit else ""
    same = low == high
    return f"{middle}{after}" if same else f"median {middle}, {low} to {high}{after}"


def _median(values: Doubles, digits: int) -> str:
    known = values[~np.isnan(values)]
    return f"{np.median(known):.{digits}f}" if len(known) else "-"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
