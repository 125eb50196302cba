"""Who speaks is kept, what does not speak is flagged, and pieces are heard as the whole is."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import unspoken

from ser_cli import onnx_session
from ser_cli.data import corpora
from ser_cli.errors import DataError
from ser_cli.export import detector as tool
from ser_cli.export import wheels
from ser_cli.sound import audio, conditions, detector
from ser_cli.types import Copy

if TYPE_CHECKING:
    from ser_cli.types import Floats

RATE = detector.SAMPLE_RATE
HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "detector.npz"
CLIPS = {path.stem: path for path in sorted((HERE / "clips").glob("*.flac"))}
CHANGES = ("-40 dB", "8 kHz", "white noise, 10 dB", "Opus, 12 kbit/s", "cut to the speech")


def clip(name: str, rate: int = RATE) -> Floats:
    return audio.load(CLIPS[name], sample_rate=rate).waveform


def under(condition: str, wave: Floats) -> Floats:
    return conditions.under(condition, RATE, wave, Copy(1, np.random.default_rng(0)))


def speaks(wave: Floats) -> bool:
    return detector.has_speech(detector.shares(wave))


def in_pieces(wave: Floats, sizes: list[int], rate: int = RATE) -> Floats:
    """Return shares of a waveform that is handed over in pieces of these sizes, in turn."""
    heard, at, found, turn = detector.Detector(sample_rate=rate), 0, [], 0
    while at < len(wave):
        size = sizes[turn % len(sizes)]
        found.append(heard.hear(wave[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate([*found, heard.finish()])


def test_shares_are_the_golden_ones(request: pytest.FixtureRequest) -> None:
    made = {name: detector.shares(clip(name)) for name in CLIPS}
    if request.config.getoption("--update-golden"):
        np.savez_compressed(GOLDEN, allow_pickle=False, **made)
    with np.load(GOLDEN) as golden:
        assert set(golden) == made.keys() != set()
        for name, shares in made.items():
            np.testing.assert_allclose(shares, golden[name], atol=2e-3, err_msg=name)
            assert len(shares) == -(-len(clip(name)) * 5 // 4 // detector.HOP)


@pytest.mark.parametrize("rate", [RATE, 22_050, 8_000])
@pytest.mark.parametrize("sizes", [[1_000, 0, 7, 33_333], [511], [200_000]])
def test_pieces_are_heard_as_the_whole_is(sizes: list[int], rate: int) -> None:
    quiet = np.float32(0.02) * clip("espeak-calm", rate)
    wave = np.concatenate([clip("espeak-statement", rate), quiet])
    whole = detector.shares(wave, sample_rate=rate)
    np.testing.assert_array_equal(in_pieces(wave, sizes, rate), whole)
    seconds = len(wave) / rate
    assert len(whole) == pytest.approx(seconds / detector.HOP_S, abs=1)
    finder, found = detector.Spans(), []
    for at in range(0, len(whole), 5):
        found += finder.add(whole[at : at + 5])
    assert [*found, *finder.finish(seconds=seconds)] == detector.spans(whole, seconds=seconds)


def test_a_long_recording_is_heard_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Session:
        def run(self, names: None, inputs: dict[str, Floats], options: Any) -> list[Any]:
            sizes.append(len(inputs["input"]))
            return [np.zeros(sizes[-1], np.float32), inputs["h"], inputs["c"]]

    monkeypatch.setattr(onnx_session, "kept", lambda path: Session())
    detector.shares(np.zeros(600 * RATE, np.float32))
    assert max(sizes) <= 257 and sum(sizes) == -(-600 * 20_000 // detector.HOP)


@pytest.mark.parametrize("condition", [conditions.CLEAN, *CHANGES])
def test_speech_is_kept(condition: str) -> None:
    for name in ("espeak-calm", "espeak-statement"):
        assert speaks(under(condition, clip(name))), name


def test_what_does_not_speak_is_flagged() -> None:
    rng = np.random.default_rng(7)
    made = {
        kind: [unspoken.sound(kind, rng, seconds=2) for _ in range(2)] for kind in unspoken.KINDS
    }
    said = {kind: [speaks(wave) for wave in waves] for kind, waves in made.items()}
    assert np.mean([*said.values()]) <= 0.05 and not any(map(all, said.values())), said


def test_voices_of_ravdess_are_kept(ravdess: Path) -> None:
    clips = corpora.load("ravdess")[::200]
    assert {clip.facts["channel"] for clip in clips} == {"speech", "song"}
    for one in clips:
        wave = audio.load(one.path, sample_rate=RATE).waveform
        assert speaks(wave) and speaks(under("-40 dB", wave)), one.path.name


@pytest.mark.parametrize("name", ["03-01-05-02-02-01-14", "03-01-06-02-01-01-14"])
def test_shouts_are_voices(ravdess: Path, name: str) -> None:
    (path,) = ravdess.rglob(f"{name}.*")
    assert speaks(audio.load(path, sample_rate=RATE).waveform)


def test_a_quiet_voice_is_heard_after_a_shout() -> None:
    loud, quiet = clip("espeak-statement"), np.tile(clip("espeak-calm"), 2)
    wave = np.concatenate([loud / np.abs(loud).max(), np.float32(0.01) * quiet])
    after = detector.shares(wave)[int((len(loud) / RATE + 3) / detector.HOP_S) :]
    assert (after >= detector.BEGIN).mean() > 0.5


@pytest.mark.parametrize("scale", [2.0**15, 1e30])
def test_what_is_far_beyond_full_scale_is_heard(scale: float) -> None:
    assert speaks(clip("espeak-calm") * np.float32(scale))


@pytest.mark.parametrize(
    ("frames", "spoken", "expected"),
    [
        (100, 9, False),
        (100, 10, True),
        (20, 10, True),
        (9, 4, False),
        (9, 5, True),
        (2, 1, True),
        (1, 1, True),
        (1, 0, False),
        (0, 0, False),
    ],
)
def test_a_quarter_of_a_second_is_speech(frames: int, spoken: int, expected: bool) -> None:
    shares = np.full(frames, 0.49, np.float32)
    shares[:spoken] = 0.5
    np.random.default_rng(0).shuffle(shares)
    assert detector.has_speech(shares) is expected


@pytest.mark.parametrize("n_samples", [0, 4, 408, 412, 820])
def test_the_shortest_sounds_have_frames(n_samples: int) -> None:
    shares = detector.shares(np.zeros(n_samples, np.float32))
    assert shares.shape == (-(-n_samples * 5 // 4 // 512),) and not detector.has_speech(shares)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.0] * 5 + [0.9] * 10 + [0.0] * 15, [(4, 16)]),
        ([0.0] * 5 + [0.9] * 9 + [0.0] * 15, []),  # too short
        ([0.9] * 10 + [0.0] * 20, [(0, 11)]),  # no margin before the start
        ([0.0] * 5 + [0.9] * 10, [(4, 15)]),  # nor after the end
        (
            [0.9] * 5 + [0.0] * 11 + [0.9] * 4 + [0.0] * 15,
            [(0, 21)],
        ),  # a pause that is short enough
        ([0.9] * 10 + [0.0] * 12 + [0.9] * 10, [(0, 11), (21, 32)]),  # and one that is not
        ([0.9] + [0.4] * 9 + [0.3] * 20, [(0, 11)]),  # it ends at .35
        ([0.4] * 20, []),  # and begins at .5
    ],
)
def test_stretches_of_speech(shares: list[float], expected: list[tuple[int, int]]) -> None:
    found = detector.spans(shares, seconds=len(shares) * detector.HOP_S)
    assert [(round(a / 0.0256), round(b / 0.0256)) for a, b in found] == expected


def test_a_stretch_ends_with_its_recording() -> None:
    assert detector.spans([0.9] * 12, seconds=0.3) == [(0, 0.3)]
    assert detector.spans([0.9] * 12 + [0.0] * 3, seconds=0.4) == [(0, 0.3328)]


def test_the_shipped_detector_is_the_published_one() -> None:
    content = detector.SILERO.read_bytes()
    assert hashlib.sha256(content).hexdigest() == tool.SILERO.sha256
    assert detector.SILERO.with_suffix(".LICENSE").read_text("utf-8").startswith("MIT License")


def test_a_network_is_taken_from_its_wheel_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, path = tmp_path / "some.whl", tmp_path / "net.onnx"
    digest = hashlib.sha256(b"net").hexdigest()
    monkeypatch.setattr(tool, "SILERO", wheels.Published("some==1", "a/net.onnx", digest, "LIC"))
    for files in ({}, {"a/net.onnx": b"net"}, {"a/net.onnx": b"other", "LIC": b"MIT"}):
        with zipfile.ZipFile(wheel, "w") as zipped:
            for name, content in files.items():
                zipped.writestr(name, content)
        with pytest.raises(DataError, match=r"some\.whl does not hold") as raised:
            tool.copy(wheel, path)
        assert raised.value.hint == "pip download --no-deps some==1" and not path.exists()
    with zipfile.ZipFile(wheel, "w") as zipped:
        zipped.writestr("a/net.onnx", b"net")
        zipped.writestr("LIC", b"MIT")
    tool.copy(wheel, path)
    assert path.read_bytes() == b"net" and path.with_suffix(".LICENSE").read_bytes() == b"MIT"


def test_a_window_tells_by_as_little_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    real = detector.Detector.hear

    def hear(self: detector.Detector, waveform: np.ndarray) -> np.ndarray:
        heard.append(len(waveform))
        return real(self, waveform)

    monkeypatch.setattr(detector.Detector, "hear", hear)
    voice = audio.load(CLIPS["espeak-long"], sample_rate=16_000).waveform
    late = np.concatenate([np.zeros(5 * 16_000, np.float32), voice])
    assert detector.speaks(late)
    assert sum(heard) < 2 * 16_000 < len(voice)
    heard.clear()
    hiss = 0.1 * np.random.default_rng(0).standard_normal(32_000, dtype=np.float32)
    assert not detector.speaks(hiss) and sum(heard) > 31_000
    assert not detector.speaks(np.zeros(16_000, np.float32))
