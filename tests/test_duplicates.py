"""Recordings that are the same sound: under other names, codecs, levels, or a part of one."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import succeed
from sounds import CODECS, encode

from ser_cli.data import corpora, duplicates, parts
from ser_cli.data.audit import Audit, audit
from ser_cli.data.duplicates import Finder, Known
from ser_cli.data.splits import Split
from ser_cli.data.store import write_csv
from ser_cli.errors import ArtifactsError
from ser_cli.model import artifacts
from ser_cli.model.heard import Heard
from ser_cli.sound import audio
from ser_cli.sound.soundprint import BACK, HOP, SAMPLE_RATE, soundprint
from ser_cli.types import Clip

CLIPS = sorted((Path(__file__).parent / "clips").glob("*.flac"))
WAVES = [audio.load(path, sample_rate=SAMPLE_RATE).waveform for path in CLIPS]


def finder() -> Finder:
    return Finder(Known.of(map(soundprint, WAVES)))


def test_a_fingerprint_has_a_row_of_two_numbers_of_16_bits_per_16_ms() -> None:
    found = soundprint(WAVES[0])
    assert found.dtype == np.float32 and found.shape[1] == 3
    assert len(found) == pytest.approx(len(WAVES[0]) / HOP, abs=12)
    assert found[:, :2].min() >= 0 and found[:, :2].max() < 2**16
    assert set(np.unique(found[:, 2])) <= {0.0, 1.0}


def test_silence_around_a_recording_is_not_loud_enough() -> None:
    silence = np.zeros(SAMPLE_RATE, np.float32)
    heard = soundprint(np.concatenate([silence, WAVES[0], silence]))[:, 2]
    assert heard[:50].sum() == 0 and heard[-50:].sum() == 0 and heard.sum() > 50
    assert soundprint(np.zeros(10, np.float32)).shape[1] == 3


@pytest.mark.parametrize("number", range(len(CLIPS)))
def test_a_clip_is_found_at_another_level_in_noise_and_in_part(number: int) -> None:
    find, wave = finder().match, WAVES[number]
    noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
    silence = np.zeros(7_777, np.float32)
    half = len(wave) // 2
    for changed in (
        wave,
        0.01 * wave,
        -wave,
        np.clip(3 * wave, -0.5, 0.5),
        np.concatenate([silence, wave, silence]),
        wave[1_111:],
        wave[: -len(wave) // 5],
        wave[half - SAMPLE_RATE * 3 // 4 : half + SAMPLE_RATE * 3 // 4],
        wave + 0.01 * np.abs(wave).max() * noise,
    ):
        assert find(soundprint(changed)) == number


@pytest.mark.parametrize("suffix", CODECS)
def test_a_clip_is_found_in_every_codec(suffix: str, tmp_path: Path) -> None:
    rate = 48_000 if suffix in ("webm", "ogg") else 44_100
    for number, path in enumerate(CLIPS):
        wave = audio.load(path, sample_rate=rate).waveform
        file = encode(tmp_path / f"{number}.{suffix}", CODECS[suffix], rate, wave)
        again = audio.load(file, sample_rate=SAMPLE_RATE).waveform
        assert finder().match(soundprint(again)) == number


def test_other_sounds_are_not_found() -> None:
    rng, find = np.random.default_rng(0), finder().match
    others = [
        rng.standard_normal(3 * SAMPLE_RATE),
        np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE),
        np.zeros(SAMPLE_RATE),
        WAVES[0][::-1],
        WAVES[0][: SAMPLE_RATE // 4],  # too short to tell
    ]
    assert [find(soundprint(wave.astype(np.float32))) for wave in others] == [None] * 5
    without = Finder(Known.of(map(soundprint, WAVES[1:])))
    assert without.match(soundprint(WAVES[0])) is None
    assert Finder(Known.of([])).match(soundprint(WAVES[0])) is None


def test_fingerprints_are_read_as_they_were_written(tmp_path: Path) -> None:
    known = Known.of(map(soundprint, WAVES))
    known.write(tmp_path / "prints.npz")
    again = Known.read(tmp_path / "prints.npz")
    for name in ("bits", "at", "starts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(known, name))
    assert len(again.starts) == 1 + len(WAVES)
    (tmp_path / "prints.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(ArtifactsError, match="does not hold fingerprints"):
        Known.read(tmp_path / "prints.npz")


@pytest.mark.parametrize(
    "wave",
    [
        np.full(3 * SAMPLE_RATE, -1 / 32768),
        np.sin(2 * np.pi * 1000 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE),
        np.where(np.arange(3 * SAMPLE_RATE) % 32 < 16, 0.5, -0.5),
    ],
    ids=["an offset", "a tone", "a square wave"],
)
def test_what_is_steady_tells_nothing(wave: np.ndarray) -> None:
    assert soundprint(wave.astype(np.float32))[BACK:-BACK, 2].sum() == 0


def test_a_long_recording_is_known_to_its_end() -> None:
    rng = np.random.default_rng(0)
    long = np.column_stack([rng.integers(0, 2**16, (70_000, 2)), np.ones(70_000)])
    find = Finder(Known.of([long.astype(np.float32)])).match
    assert find(long[-800:].astype(np.float32)) == 0


def test_the_first_of_two_that_are_equal_is_named_and_only_the_chosen_are_asked() -> None:
    print_ = soundprint(WAVES[0])
    known = Known.of([soundprint(WAVES[1]), print_, print_])
    assert Finder(known).match(print_) == 1
    assert Finder(known.only([True, False, True])).match(print_) == 2
    assert Finder(known.only([True, False, False])).match(print_) is None


@pytest.mark.parametrize(
    "arrays",
    [
        {"bits": np.zeros(3, np.uint32), "at": np.zeros(3, np.uint32)},
        {"starts": np.array([0, 9])},
        {"starts": np.array([0, 3, 2, 3])},
        {"starts": np.array([], np.int64)},
        {"starts": np.array([0.0, 3.0])},
        {"bits": np.zeros((3, 1), np.uint32)},
        {"bits": np.array(["a", "b", "c"])},
        {"at": np.zeros(2, np.uint32)},
    ],
)
def test_fingerprints_of_strangers_are_checked(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    right = {
        "bits": np.zeros(3, np.uint32),
        "at": np.zeros(3, np.uint32),
        "starts": np.array([0, 1, 3]),
    }
    named = arrays if len(arrays) == 2 else right | arrays
    np.savez(tmp_path / "prints.npz", **named)  # type: ignore[arg-type]
    with pytest.raises(ArtifactsError, match="does not hold fingerprints"):
        Known.read(tmp_path / "prints.npz")
    np.save(tmp_path / "lone.npy", np.zeros(3))
    with pytest.raises(ArtifactsError, match="does not hold fingerprints"):
        Known.read(tmp_path / "lone.npy")


def test_the_audit_counts_what_is_shared(tmp_path: Path) -> None:
    mine, twin, song, other = (
        Clip(tmp_path / name, speaker=who)
        for name, who in (("a", "1"), ("b", "2"), ("c", "1"), ("d", "3"))
    )
    digests = {
        mine.segment: b"one", twin.segment: b"one", song.segment: b"two", other.segment: b"three"
    }  # fmt: skip

    def found(train: list[Clip], dev: list[Clip], test: list[Clip]) -> Audit:
        return audit(Split(tuple(train), tuple(dev), tuple(test), leaky=False), digests)

    clean = found([mine], [twin], [other])
    assert clean == Audit() and clean.lines() == ()
    assert found([mine], [], [song]) == Audit(speakers=1)
    assert found([other], [mine], [twin]) == Audit(sounds=1)
    both = found([mine], [], [mine, other])
    assert both == Audit(speakers=1, files=1, sounds=1)
    assert both.lines() == (
        "1 speaker on both sides of the split",
        "1 file on both sides of the split",
        "1 identical sound on both sides of the split",
    )
    unknown = Clip(tmp_path / "d", speaker="")
    assert found([Clip(tmp_path / "a", speaker="")], [], [unknown]).speakers == 0


def test_the_audit_finds_copies(tmp_path: Path) -> None:
    clips = []
    for number, wave in enumerate([*WAVES, WAVES[0][900:] * 0.2]):
        soundfile.write(tmp_path / f"{number}.wav", wave, SAMPLE_RATE)
        clips.append(Clip(tmp_path / f"{number}.wav", emotion="sad"))
    digests = {clip.segment: clip.path.name.encode() for clip in clips}
    *known, copy = clips
    found = audit(Split(tuple(known), (), (copy,), leaky=False), digests)
    assert found == Audit(copies=1)
    assert found.lines() == ("1 copy or part of one recording on both sides of the split",)
    assert audit(Split(tuple(known[1:]), (), (copy,), leaky=False), digests) == Audit()
    assert audit(Split(tuple(known[:-1]), (), (known[-1],), leaky=False), digests) == Audit()


def test_a_folder_knows_what_it_has_heard(tmp_path: Path) -> None:
    clips = []
    for number, wave in enumerate(WAVES):
        soundfile.write(tmp_path / f"{number}.wav", wave, SAMPLE_RATE)
        soundfile.write(tmp_path / f"copy{number}.ogg", 0.3 * wave, SAMPLE_RATE)
        clips.append(Clip(tmp_path / f"{number}.wav", emotion="sad"))
    copies = [Clip(tmp_path / f"copy{number}.ogg") for number in range(len(clips))]
    split = Split(tuple(clips[:2]), (clips[2],), tuple(clips[3:]), leaky=False)
    write_csv(tmp_path / artifacts.SPLIT, parts.rows(split))
    assert Heard(tmp_path).learned(copies) == {}  # a folder of before
    Known.of(map(soundprint, WAVES)).write(tmp_path / artifacts.SOUNDPRINTS)
    heard = Heard(tmp_path)
    assert heard.roles_of([clips[0], clips[3], copies[0]]) == ["train", "test", None]
    learned = heard.learned([*clips, *copies])
    assert learned == {
        **{clips[n].segment: "" for n in range(3)},
        **{copies[n].segment: f"{n}.wav" for n in range(3)},
    }
    assert heard.lines([*clips, *copies]) == (
        f"3 of {2 * len(clips)} clips were training data of this model",
        f"3 of {2 * len(clips)} clips are copies or parts of its training data, as copy0.ogg of "
        "0.wav",
    )
    assert Heard(tmp_path / "nowhere").lines(clips) == ()
    Known.of(map(soundprint, WAVES[:2])).write(tmp_path / artifacts.SOUNDPRINTS)
    with pytest.raises(ArtifactsError, match="does not fit split"):
        Heard(tmp_path).learned(copies)


def test_a_copy_of_a_test_clip_that_was_learned_from_too_is_found(tmp_path: Path) -> None:
    for name, scale in (("a", 1.0), ("b", 0.9), ("copy", 0.3)):
        soundfile.write(tmp_path / f"{name}.wav", scale * WAVES[0], SAMPLE_RATE)
    learned, tested, copy = (Clip(tmp_path / f"{name}.wav") for name in ("a", "b", "copy"))
    split = Split((learned,), (), (tested,), leaky=False)
    write_csv(tmp_path / artifacts.SPLIT, parts.rows(split))
    Known.of([soundprint(WAVES[0])] * 2).write(tmp_path / artifacts.SOUNDPRINTS)
    assert Heard(tmp_path).learned([copy]) == {copy.segment: "a.wav"}


def test_no_two_clips_of_one_voice_are_taken_for_one(ravdess: Path) -> None:
    """One actor, two sentences, spoken and sung, each twice: nothing in the corpus is closer."""
    clips = [clip for clip in corpora.load(str(ravdess)) if clip.speaker == "ravdess/07"][::3]
    prints = [duplicates.prints(clips)[clip.segment] for clip in clips]
    for (number, one), (_, other) in combinations(enumerate(prints), 2):
        assert Finder(Known.of([other])).match(one) is None, clips[number].path
    # The two files that hold one recording, as published.
    same = [f"03-01-03-01-02-0{take}-07" for take in (1, 2)]
    pair = [clip for clip in corpora.load(str(ravdess)) if clip.path.stem in same]
    first, second = duplicates.prints(pair).values()
    assert Finder(Known.of([first])).match(second) == 0


def test_ravdess_is_known_by_its_sound(
    ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clips = corpora.load(str(ravdess))[::151]
    for number, clip in enumerate(clips):
        wave = audio.load(clip.path, sample_rate=44_100).waveform
        folder = tmp_path / "mine" / clip.emotion
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.mp3", wave[4_410:] * 0.5, 44_100)
    mine = corpora.load(str(tmp_path / "mine"))
    names = duplicates.recognised(duplicates.prints(mine))
    stems = {clip.segment: clips[int(clip.path.stem)].path.stem for clip in mine}
    assert names == stems
    digests = {clip.segment: clip.path.name.encode() for clip in mine}
    found = audit(Split(mine[:9], (), mine[9:], leaky=False), digests)
    assert found.speakers > 0 and f"{len(mine)} clips are of ravdess" in found.lines()[0]
    done = succeed("evaluate", "--recipe", "cnn-bilstm", "--data", tmp_path / "mine")
    told = f"{len(mine)} of {len(mine)} clips are copies or parts of its training data, as "
    assert told in done.err and "LEAKY" in done.out


def test_the_index_is_that_of_the_corpus(ravdess: Path) -> None:
    source = corpora.get("ravdess").source
    assert source
    known, names = Known.read(source.soundprints), list(source.digests())
    assert len(known.starts) == 1 + len(names)
    paths = source.paths(ravdess)
    for number in range(0, len(names), 200):
        (print_,) = duplicates.prints([Clip(paths[names[number]])]).values()
        fresh, kept = Known.of([print_]), slice(*known.starts[number : number + 2])
        np.testing.assert_array_equal(fresh.at, known.at[kept])
        assert np.bitwise_count(fresh.bits ^ known.bits[kept]).mean() < 0.5  # of 32 bits
