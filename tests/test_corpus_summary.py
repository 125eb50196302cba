"""What is worked out of the features of a corpus, on numbers whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest

from ser_cli.report import corpus_tables
from ser_cli.report.corpus import (
    CorpusSummary,
    explained,
    plane,
    sample,
    shared,
    speakers,
    statistics,
    telling,
)
from ser_cli.sound.frontend import columns
from ser_cli.types import Clip

if TYPE_CHECKING:
    from numpy.typing import NDArray


def clip(name: str, emotion: str, speaker: str = "x/a", **facts: str) -> Clip:
    return Clip(Path(name), emotion, speaker, corpus=speaker.partition("/")[0], facts=facts)


def found(clips: list[Clip], means: NDArray[np.float64], **changes: Any) -> CorpusSummary:
    n, rows = means.shape
    made = CorpusSummary(
        recipe=fake.recipe(),
        clips=tuple(clips),
        seconds=np.ones(n),
        rates=np.full(n, 16_000),
        measures=np.full((n, 6), np.nan),
        frames=np.full(n, 9),
        rows=columns(mfcc=rows),
        means=means,
        deviations=np.zeros_like(means),
        failed=(),
    )
    return replace(made, **changes)


def test_the_variance_between_groups_is_a_share_of_all() -> None:
    values = np.array([[1.0, 1.0, 7.0], [1.0, 3.0, 7.0], [5.0, 1.0, 7.0], [5.0, 3.0, 7.0]])
    np.testing.assert_allclose(explained(values, ["sad", "sad", "calm", "calm"]), [1, 0, 0])
    draws = np.random.default_rng(0).standard_normal((30, 1))
    labels = ["a"] * 10 + ["b"] * 20
    one, two = draws[:10].mean(), draws[10:].mean()
    between = 10 * (one - draws.mean()) ** 2 + 20 * (two - draws.mean()) ** 2
    expected = between / (30 * draws.var())
    assert explained(draws, labels)[0] == pytest.approx(expected)


def test_means_and_deviations_are_those_of_numpy() -> None:
    draws = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32) - 300
    draws[:, 2] = 0.1
    means, deviations = statistics([draws, draws[:5]], columns(mfcc=2, zcr=1))  # type: ignore[arg-type]
    np.testing.assert_allclose(means[1], draws[:5].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviations[0][:2], draws.std(axis=0)[:2], rtol=1e-4)
    assert (deviations[:, 2] == 0).all()


def test_the_telling_statistic_of_a_family_is_found() -> None:
    clips = [clip(f"{k}.wav", "sad" if k < 2 else "calm") for k in range(4)]
    means, deviations = np.ones((4, 2)), np.ones((4, 2))
    means[:, 0], deviations[:, 1] = [1, 2, 1, 2], [1, 1, 3, 3.1]
    ((row, kind, share, values),) = telling(found(clips, means, deviations=deviations))
    assert (row.row, kind) == ("mfcc_1", "standard deviation") and share > 0.99
    assert values.tolist() == [1, 1, 3, 3.1]


def test_a_plane_lies_where_the_features_vary() -> None:
    draws = np.random.default_rng(0).standard_normal((50, 2))
    means = np.column_stack([draws[:, 0], 9 * draws[:, 0], draws[:, 1], np.full(50, 0.1)])
    lies = plane(found([clip(f"{k}.wav", "sad") for k in range(50)], means))
    assert lies is not None
    places, shares = lies
    assert sum(shares) == pytest.approx(1) and shares[0] == pytest.approx(2 / 3, abs=0.05)
    assert abs(np.corrcoef(places[:, 0], draws[:, 0])[0, 1]) > 0.98  # its scale does not count
    assert plane(found([clip("a.wav", "sad")] * 5, np.ones((5, 3)))) is None


def test_a_sample_is_of_one_speaker_and_as_alike_as_can_be() -> None:
    others = [clip("z.wav", "sad", "x/z", text="kids")]
    own = [
        clip("1.wav", "sad", text="dogs", channel="song"),
        clip("2.wav", "sad", text="kids", channel="song"),
        clip("3.wav", "calm", text="dogs", channel="speech"),
        clip("4.wav", "calm", text="kids", channel="song"),
    ]
    chosen = sample([*others, *own])
    assert [one.path.name for one in chosen] == ["4.wav", "2.wav"]
    assert shared(chosen) == {"text": "kids", "channel": "song"}
    assert shared([own[0], own[2]]) == {"text": "dogs"}
    assert [one.emotion for one in sample([Clip(Path("a"), "sad"), Clip(Path("b"), "calm")])] == [
        "calm",
        "sad",
    ]


def test_speakers_bear_their_corpus_where_there_are_several() -> None:
    one, two = clip("a", "sad", "x/1"), clip("b", "sad", "y/1")
    assert speakers([one]) == {"x/1": "1"}
    assert speakers([one, two]) == {"x/1": "x/1", "y/1": "y/1"}


def test_numbers_are_told_as_people_write_them() -> None:
    made = found([clip(f"{k}.wav", "sad") for k in range(3)], np.ones((3, 2)))
    told = dict(
        corpus_tables.overall(
            replace(
                made,
                seconds=np.array([6_000.0, 3_000.0, 1_034.0]),
                rates=np.array([48_000, 48_000, 22_050]),
                frames=np.array([92, 126, 200]),
            )
        )
    )
    assert told["duration in all"] == "2 h 47 min" and told["F0"] == "unknown"
    assert told["sample rate"] == "22.05 kHz (1 file), 48 kHz (2 files)"
    assert told["frames"].startswith("median 126, 92 to 200; ")
    assert told["duration"] == "median 3,000.00, 1,034.00 to 6,000.00 s"
