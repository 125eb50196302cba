"""Clips that are parts of files: cut out before anything else, and told from one another."""

from __future__ import annotations

import base64
import io
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fake
import numpy as np
import pytest
import soundfile

from ser_cli.data import cache, duplicates
from ser_cli.data.audit import audit
from ser_cli.data.splits import Split
from ser_cli.errors import AudioError
from ser_cli.report.html import PageContent, WorstError, render
from ser_cli.sound import audio, segments
from ser_cli.sound.limits import Limits
from ser_cli.training import dataset
from ser_cli.types import Clip, Segment

if TYPE_CHECKING:
    from ser_cli.types import Floats

SPANS = ((0.0, 0.5), (0.25, 1.0), (1.5, None))  # seconds of a file of two


def hiss(path: Path, seconds: float, seed: int = 0) -> Floats:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * fake.RATE))
    soundfile.write(path, wave, fake.RATE, "PCM_16")
    read: Floats = soundfile.read(path, dtype="float32")[0]
    return read


def parts_of(path: Path, **facts: Any) -> tuple[Clip, ...]:
    return tuple(Clip(path, start=start, end=end, **facts) for start, end in SPANS)


@pytest.mark.parametrize(
    ("bounds", "fragment"),
    [
        ((0.0, None), ""),
        ((0.0, 1.0), "#t=0,1"),
        ((1.5, None), "#t=1.5"),
        ((0.1 + 0.2, 100.0), "#t=0.3,100"),
        ((0.000001, 36_000.25), "#t=0.000001,36000.25"),
    ],
)
def test_a_segment_is_named_as_addresses_name_it(
    bounds: tuple[float, float | None], fragment: str
) -> None:
    segment = Segment(Path("deep/a.wav"), *bounds)
    assert segment.fragment == fragment
    assert (segment.name, str(segment)) == (f"a{fragment}", f"{Path('deep/a.wav')}{fragment}")


def test_features_are_those_of_the_part_alone(tmp_path: Path) -> None:
    wave = hiss(tmp_path / "a.wav", 2.0)
    whole = Clip(tmp_path / "a.wav")
    made = cache.extract([*parts_of(whole.path), whole], fake.FRONTEND, jobs=1)
    assert made.computed == 4 and not made.failed
    expected = [wave[:8_000], wave[4_000:16_000], wave[24_000:], wave]
    for features, part in zip(made.features, expected, strict=True):
        np.testing.assert_array_equal(features, fake.extract(part))


def test_a_part_is_known_again_wherever_its_file_lies(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 2.0)
    cache.extract(parts_of(tmp_path / "a.wav"), fake.FRONTEND, jobs=1)
    moved = (tmp_path / "a.wav").rename(tmp_path / "b.wav")
    assert cache.extract(parts_of(moved), fake.FRONTEND, jobs=1).computed == 0
    assert cache.extract([Clip(moved, start=0.1)], fake.FRONTEND, jobs=1).computed == 1


def test_a_file_is_decoded_once_for_many_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    read = audio.read

    def counted(path: Path, **options: Any) -> Any:
        decoded.append(path)
        return read(path, **options)

    monkeypatch.setattr(audio, "read", counted)
    monkeypatch.setattr(cache, "BATCH", 4)
    clips = []
    for number, name in enumerate(("a.wav", "b.wav")):
        hiss(tmp_path / name, 2.0, seed=number)
        clips += [Clip(tmp_path / name, start=0.1 * k, end=0.1 * k + 0.1) for k in range(8)]
    mixed = clips[::2] + clips[1::2]
    told: list[tuple[int, int, str]] = []
    made = cache.extract(mixed, fake.FRONTEND, jobs=1, progress=lambda *step: told.append(step))
    assert made.clips == tuple(mixed)
    assert [path.name for path in decoded] == ["a.wav", "a.wav", "b.wav", "b.wav"]
    assert told[-1] == (16, 16, "b.wav")


def test_a_part_that_is_not_there_costs_no_other(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 2.0)
    (tmp_path / "b.wav").write_text("no sound")
    late, long = Clip(tmp_path / "a.wav", start=3.0), Clip(tmp_path / "a.wav", start=1.0, end=9.0)
    rounded = Clip(tmp_path / "a.wav", start=1.0, end=2.05)
    clips = [late, long, rounded, *parts_of(tmp_path / "b.wav")]
    made = cache.extract(clips, fake.FRONTEND, jobs=1)
    assert made.clips == (rounded,) and made.computed == 1
    reasons = [reason for _, reason in made.failed]
    assert reasons[:2] == [
        "its part from 3 s on is not there: it ends at 2.00 s",
        "its part from 1 s to 9 s is not there: it ends at 2.00 s",
    ]
    assert len(reasons) == 5 and len({*reasons[2:]}) == 1 and "no sound" in reasons[2]


def test_augmented_parts_of_a_file_differ(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 2.0)
    clips = [Clip(tmp_path / "a.wav", start=0.0, end=1.0), Clip(tmp_path / "a.wav", end=0.99)]

    def louder(waveform: Floats, copy: Any) -> Floats:
        return waveform * np.float32(copy.rng.uniform())

    first, second = cache.extract(clips, fake.FRONTEND, augment=louder, copy=1, jobs=1).features
    ratio = first[:90, 0] / second[:90, 0]
    assert abs(ratio[0] - 1) > 0.01 and np.allclose(ratio, ratio[0])


def test_a_recording_on_both_sides_is_told(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 2.0)
    first, second, third = parts_of(tmp_path / "a.wav")
    split = Split((first,), (second,), (third,), leaky=False)
    found = audit(split, {c.segment: c.segment.name.encode() for c in (first, second, third)})
    assert (found.files, found.sounds) == (1, 0)
    assert len(duplicates.prints([first, second, third])) == 3


def test_digests_are_of_each_part(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 2.0)
    clips = parts_of(tmp_path / "a.wav", emotion="sad")
    split = Split(clips[:1], clips[1:2], clips[2:], leaky=False)
    sounds = dataset.load(split, fake.recipe(), copies=0, seed=0, jobs=1)
    assert len(set(sounds.digests().values())) == 3
    assert [len(features) for features in sounds.of(clips[::-1])] == [50, 75, 50]


def test_a_page_plays_the_part(tmp_path: Path) -> None:
    from test_html import Page, content

    wave = hiss(tmp_path / "a.wav", 2.0)
    wrong = WorstError(Segment(tmp_path / "a.wav", 0.25, 1.0), "calm", "sad", 0.9)
    made: PageContent = content(worst=(wrong,))
    linked = Page(render(made, folder=tmp_path / "report"))
    assert linked.all("audio")[0]["src"] == "../a.wav#t=0.25,1" and "a.wav#t=0.25,1" in linked.words
    source = str(Page(render(made, with_audio=True)).all("audio")[0]["src"])
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(source.rpartition(",")[2])))
    assert rate == fake.RATE
    np.testing.assert_allclose(heard, wave[4_000:16_000], atol=2**-14)


def test_a_part_is_never_empty(tmp_path: Path) -> None:
    wave = hiss(tmp_path / "a.wav", 1.0)
    instant = Segment(tmp_path / "a.wav", 0.5, 0.500001)
    (part,) = segments.cut(audio.read(instant.path, sample_rate=fake.RATE), [instant])
    assert not isinstance(part, AudioError) and part.tolist() == [wave[8_000]]


def test_a_long_file_is_cut_within_little_memory(tmp_path: Path) -> None:
    minute = np.random.default_rng(0).uniform(-0.1, 0.1, 60 * fake.RATE).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "a.wav", "w", fake.RATE, 1, "PCM_16") as file:
        for _ in range(20):
            file.write(minute)
    wanted = [Segment(tmp_path / "a.wav", start, start + 2.0) for start in range(0, 1_198, 2)]
    reading = audio.read(tmp_path / "a.wav", sample_rate=fake.RATE)
    tracemalloc.start()
    lengths = {len(part) for part in segments.cut(reading, wanted) if isinstance(part, np.ndarray)}
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lengths == {2 * fake.RATE}
    assert most < 20 * 2**20  # bytes; the whole has 77 million


def test_only_what_is_beyond_the_hours_fails(tmp_path: Path) -> None:
    hiss(tmp_path / "a.wav", 4.0)
    clips = [Clip(tmp_path / "a.wav", start=0.0, end=1.0), Clip(tmp_path / "a.wav", start=3.0),
             Clip(tmp_path / "a.wav", start=1.0, end=3.5), Clip(tmp_path / "a.wav")]  # fmt: skip
    made = cache.extract(clips, fake.FRONTEND, jobs=1, limits=Limits(hours=0.0005))
    assert made.clips == (clips[0],)
    assert all(reason.startswith("is longer than 0.0005 h") for _, reason in made.failed)


@pytest.mark.parametrize(
    ("jobs", "sizes"), [(1, [90, 10]), (2, [50, 40, 10]), (9, [16] * 5 + [10] * 2)]
)
def test_a_file_with_more_than_its_share_is_left_to_several(jobs: int, sizes: list[int]) -> None:
    todo = {f"a{k}": Segment(Path("a.wav"), 90.0 - k) for k in range(90)}
    todo |= {f"b{k}": Segment(Path("b.wav"), float(k)) for k in range(10)}
    batches = cache._batches(todo, jobs)
    assert sorted(map(len, batches)) == sorted(sizes)
    starts = [
        segment.start for batch in batches for _, segment in batch if segment.path.stem == "a"
    ]
    assert starts == sorted(starts)
