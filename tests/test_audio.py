"""Decoding against librosa, every container, and every way a file can be odd."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from sounds import CODECS, encode

from ser_cli.errors import AudioError
from ser_cli.sound import audio, decode, reading, source
from ser_cli.sound.limits import Limits
from ser_cli.sound.mixer import Mixer
from ser_cli.sound.reading import Reading
from ser_cli.sound.sniff import ENDINGS
from ser_cli.types import Audio

av = pytest.importorskip("av")


def sine(seconds: float = 2.0, rate: int = 44_100, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(
        "f4"
    )


def pitch(waveform: np.ndarray, rate: int) -> float:
    middle = waveform[len(waveform) // 4 : -len(waveform) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax() * rate / len(middle))


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_equals_librosa(tmp_path: Path, suffix: str, channels: int, rate: int) -> None:
    rng = np.random.default_rng(rate)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, rng.uniform(-0.5, 0.5, (rate * 2 + 17, channels)), rate)
    expected, _ = librosa.load(path, sr=16_000, res_type="soxr_hq")
    loaded = audio.load(path, sample_rate=16_000)
    assert loaded.waveform.shape == expected.shape
    assert np.abs(loaded.waveform - expected).max() < 1e-6
    assert loaded.waveform.dtype == np.float32
    assert loaded.flags == ()


def test_blocks_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (50_000, 2)), 44_100)
    whole = audio.load(path, sample_rate=22_050).waveform
    monkeypatch.setattr(decode, "BLOCK", 1_000)
    assert np.array_equal(audio.load(path, sample_rate=22_050).waveform, whole)


def test_real_clip_equals_librosa(ravdess: Path) -> None:
    path = min(ravdess.rglob("*.flac"))
    expected, _ = librosa.load(path, sr=16_000, res_type="soxr_hq")
    assert np.abs(audio.load(path, sample_rate=16_000).waveform - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 44_100),
        ("alac.m4a", "alac", 44_100),
        ("a.mp4", "aac", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.aac", "aac", 44_100),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.ogg", "libopus", 48_000),
        ("a.mka", "libopus", 48_000),
    ],
)
def test_containers(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    loaded = audio.load(encode(tmp_path / name, codec, rate, sine(rate=rate)), sample_rate=16_000)
    assert loaded.duration == pytest.approx(2.0, abs=0.06)
    assert pitch(loaded.waveform, 16_000) == pytest.approx(440, abs=2)
    middle = loaded.waveform[8_000:-8_000]  # codecs ring where a sine starts or ends
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert loaded.flags == ()
    assert Path(name).suffix in ENDINGS


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "aac", 44_100, sine()).rename(tmp_path / "a.wav")
    assert pitch(audio.load(path, sample_rate=16_000).waveform, 16_000) == pytest.approx(440, abs=2)


def test_open_files(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(), 44_100)
    m4a = encode(tmp_path / "a.m4a", "aac", 44_100, sine())
    for path in (tmp_path / "a.wav", m4a):
        stream = io.BytesIO(path.read_bytes())
        stream.read(100)  # wherever it stands
        from_stream = audio.load(stream, sample_rate=16_000).waveform
        assert np.array_equal(from_stream, audio.load(path, sample_rate=16_000).waveform)


def test_colon_in_a_name_is_no_protocol(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "aac", 44_100, sine())
    try:
        odd = path.rename(tmp_path / "http:b.m4a")
    except OSError:
        pytest.skip("this file system takes no colon")
    assert audio.load(odd, sample_rate=16_000).duration > 1.9


def refused(path: Path | io.BytesIO) -> str:
    with pytest.raises(AudioError) as caught:
        audio.load(path, sample_rate=16_000)
    return str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.wav") == f"{tmp_path / 'no.wav'}: no such file"
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "empty.wav").touch()
    assert "is empty (0 bytes)" in refused(tmp_path / "empty.wav")


def test_what_is_no_sound(tmp_path: Path) -> None:
    for name in ("text.wav", "text.mp3", "text.m4a", "text.raw", "text"):
        (tmp_path / name).write_text("this is no sound\n" * 50)
        assert f"{name}: is a text and no sound" in refused(tmp_path / name)
    (tmp_path / "begun.wav").write_bytes(b"RIFF")
    assert "begun.wav: no sound that can be decoded" in refused(tmp_path / "begun.wav")
    (tmp_path / "noise.flac").write_bytes(np.random.default_rng(0).bytes(5_000))
    assert "no sound" in refused(tmp_path / "noise.flac")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    assert "holds no samples" in refused(tmp_path / "none.wav")
    assert "is empty (0 bytes)" in refused(io.BytesIO(b""))


def test_a_picture_has_no_audio_track(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "has no audio track" in refused(tmp_path / "a.mp4")


def test_playlists_open_nothing(tmp_path: Path) -> None:
    target = encode(tmp_path / "a.aac", "aac", 44_100, sine())
    for name, text in (
        ("a.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"),
        ("b.mp4", f"ffconcat version 1.0\nfile '{target.name}'\n"),
    ):
        (tmp_path / name).write_text(text)
        assert "no sound" in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s16le"), ("a.aiff", "pcm_s16be"), ("a.flac", "flac"), ("a.mp3", "libmp3lame")],
)
def test_cut_files_are_flagged(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, codec, 44_100, sine(4))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    loaded = audio.load(path, sample_rate=16_000)
    assert loaded.flags == ("truncated",)
    assert 1.0 < loaded.duration < 3.0


def test_webm_cut_is_flagged(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000 * 4).astype("f4")
    path = encode(tmp_path / "a.webm", "libopus", 48_000, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "truncated" in audio.load(path, sample_rate=16_000).flags


@pytest.mark.parametrize("keep", range(0, 60, 4))
@pytest.mark.parametrize("suffix", CODECS)
def test_headers_cut_anywhere_end_well(tmp_path: Path, suffix: str, keep: int) -> None:
    path = encode(tmp_path / f"a.{suffix}", CODECS[suffix], 48_000, sine(0.2, 48_000))
    path.write_bytes(path.read_bytes()[:keep])
    assert refused(path)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("suffix", CODECS)
def test_damage_ends_in_sound_or_a_plain_error(tmp_path: Path, suffix: str, seed: int) -> None:
    path = encode(tmp_path / f"a.{suffix}", CODECS[suffix], 48_000, sine(0.5, 48_000))
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, min(len(content), 400), 8):
        content[place] = rng.integers(256)
    path.write_bytes(content)
    try:
        loaded = audio.load(path, sample_rate=16_000)
    except AudioError as error:
        assert path.name in str(error)
    else:
        assert np.isfinite(loaded.waveform).all()


def wav(data: bytes, *, size: int, rate: int = 16_000, channels: int = 1, kind: int = 1) -> bytes:
    width = 4 if kind == 3 else 2
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * width, width * channels, 8 * width)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(2**32 - 1, len(body) + size)) + body + data


def test_a_stream_of_unknown_size_is_whole(tmp_path: Path) -> None:
    data = (sine(1, 16_000) * 32_767).astype("<i2").tobytes()
    for size in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        (tmp_path / "a.wav").write_bytes(wav(data, size=size))
        loaded = audio.load(tmp_path / "a.wav", sample_rate=16_000)
        assert (loaded.duration, loaded.flags) == (1.0, ())


def test_a_flac_of_unknown_length_is_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", sine(1, 16_000), 16_000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    loaded = audio.load(tmp_path / "a.flac", sample_rate=16_000)
    assert (loaded.duration, loaded.flags) == (1.0, ())


def test_absurd_headers(tmp_path: Path) -> None:
    data = (sine(1, 16_000) * 32_767).astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    for rate in (0, 1, 2**31 - 1):
        path.write_bytes(wav(data, size=len(data), rate=rate))
        assert "a.wav" in refused(path)
    path.write_bytes(wav(data, size=len(data), channels=1_000))
    assert len(audio.load(path, sample_rate=16_000).waveform) == 16
    path.write_bytes(wav(data, size=2**31 - 2**20))
    assert "truncated" in audio.load(path, sample_rate=16_000).flags


def test_nan_and_infinity_become_silence(tmp_path: Path) -> None:
    waveform = sine(1, 16_000)
    waveform[[10, 20, 30, 40]] = [np.nan, np.inf, -np.inf, 3e38]
    (tmp_path / "a.wav").write_bytes(wav(waveform.tobytes(), size=4 * len(waveform), kind=3))
    loaded = audio.load(tmp_path / "a.wav", sample_rate=16_000)
    assert loaded.flags == ("non-finite",)
    assert (loaded.waveform[[10, 20, 30, 40]] == 0).all()
    assert loaded.waveform[50] == waveform[50]


def test_antiphase_takes_the_louder_channel(tmp_path: Path) -> None:
    left = sine(1, 16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([0.9999 * left, -left], 1), 16_000, "FLOAT")
    loaded = audio.load(tmp_path / "a.wav", sample_rate=16_000)
    assert loaded.flags == ("antiphase",)
    assert np.array_equal(loaded.waveform, -left)
    # Half as loud is no cancelling.
    soundfile.write(tmp_path / "b.wav", np.stack([left, -0.5 * left], 1), 16_000, "FLOAT")
    assert audio.load(tmp_path / "b.wav", sample_rate=16_000).flags == ()


def test_flags_of_level_and_length(tmp_path: Path) -> None:
    def flags(waveform: np.ndarray) -> tuple[str, ...]:
        soundfile.write(tmp_path / "a.wav", waveform, 16_000)
        return audio.load(tmp_path / "a.wav", sample_rate=22_050).flags

    quiet, loud = sine(1, 16_000), np.clip(4 * sine(1, 16_000), -1, 1)
    assert flags(quiet) == ()
    assert flags(np.zeros(16_000)) == ("silent",)
    assert flags(np.zeros((16_000, 2))) == ("silent",)
    assert flags(loud) == ("clipped",)
    lone = quiet.copy()
    lone[1_000] = 1.0  # normalised to its peak
    assert flags(lone) == ()


def flags_of(path: Path, waveform: np.ndarray) -> tuple[str, ...]:
    """Return the flags of samples (n,) or (n, channels) at 16 kHz, kept as they are."""
    soundfile.write(path, waveform, 16_000, "FLOAT")
    return audio.load(path, sample_rate=16_000).flags


# Each on either side of its threshold: the last sound that is odd, and the first that is not.
def test_short_is_less_than_half_a_second(tmp_path: Path) -> None:
    clip = sine(1, 16_000)
    assert flags_of(tmp_path / "a.wav", clip[:7_999]) == ("short",)
    assert flags_of(tmp_path / "a.wav", clip[:8_000]) == ()


def test_silent_is_below_60_db_of_full_scale(tmp_path: Path) -> None:
    square = np.tile(np.repeat([1.0, -1.0], 20), 400) / 1_000
    assert flags_of(tmp_path / "a.wav", 0.97 * square) == ("silent",)
    assert flags_of(tmp_path / "a.wav", 1.03 * square) == ()
    idle = 8 / 2**15 * np.tile([1.0, -1.0], 8_000)  # what a muted A-law line sends
    assert flags_of(tmp_path / "a.wav", idle) == ("silent",)


def test_clipped_is_more_than_one_sample_in_a_thousand(tmp_path: Path) -> None:
    def clip(count: int, level: float) -> np.ndarray:
        waveform = sine(1, 16_000)
        waveform[:count] = level
        return waveform

    assert flags_of(tmp_path / "a.wav", clip(17, 1.0)) == ("clipped",)
    assert flags_of(tmp_path / "a.wav", clip(16, 1.0)) == ()
    assert flags_of(tmp_path / "a.wav", clip(1_000, 0.9995)) == ("clipped",)
    assert flags_of(tmp_path / "a.wav", clip(1_000, 0.9985)) == ()


def test_antiphase_is_a_mix_40_db_below_its_channel(tmp_path: Path) -> None:
    def mix(decibels: float) -> np.ndarray:
        left = sine(1, 16_000)
        return np.stack([left, (2 * 10 ** (decibels / 20) - 1) * left], axis=1)

    assert flags_of(tmp_path / "a.wav", mix(-40.2)) == ("antiphase",)
    assert flags_of(tmp_path / "a.wav", mix(-39.8)) == ()


def call(leak: float, turns: str) -> np.ndarray:
    """Two people who speak in turns of half a second, each on a channel that leaks."""
    left = np.concatenate([sine(0.5, 16_000) * (turn in "LB") for turn in turns])
    right = np.concatenate([0.6 * sine(0.5, 16_000, 330) * (turn in "RB") for turn in turns])
    return np.stack([left + leak * right, right + leak * left], 1).astype(np.float32)


@pytest.mark.parametrize(
    ("leak", "turns", "differ"),
    [
        (0.0, "LRLR", True),
        (0.2, "LRLR", True),  # 14 dB
        (0.5, "LRLR", False),  # one room, two microphones
        (0.0, "LLLLLL", False),  # a channel that nobody is on
        (0.0, "L BR", True),
        (0.0, "LBBBBR", False),  # together, mostly
        (1.0, "LRB", False),
    ],
)
def test_a_speaker_on_each_channel_is_noticed(
    tmp_path: Path, leak: float, turns: str, differ: bool
) -> None:
    soundfile.write(tmp_path / "a.wav", call(leak, turns), 16_000, "FLOAT")
    assert audio.load(tmp_path / "a.wav", sample_rate=16_000).flags == (
        ("channels differ",) if differ else ()
    )
    alone = Mixer(16_000, 16_000, 2, channel=1)
    alone.add(call(leak, turns))
    assert alone.flags() == ()


@pytest.mark.parametrize("size", [7, 1_024, 100_000])
def test_it_is_noticed_where_both_are_heard(size: int) -> None:
    mixer, sound = Mixer(16_000, 16_000, 2), call(0.1, "LLLLRRRR")
    for at in range(0, len(sound), size):
        mixer.add(sound[at : at + size])
    mixer.end()
    assert mixer.flags() == mixer.flags(1, 3) == ("channels differ",)
    assert mixer.flags(0, 2) == mixer.flags(2, 4) == ()


@pytest.mark.parametrize("rate", [11_025, 16_000])
def test_odd_sound_is_placed_to_a_tenth_of_a_second(rate: int) -> None:
    mixer, tenth = Mixer(rate, rate, 1), np.zeros((rate // 10, 1), np.float32)
    for _ in range(50):
        mixer.add(np.zeros((rate * 40, 1), np.float32))
    for block in (tenth, np.full_like(tenth, np.nan), *[tenth] * 9):
        mixer.add(block)
    at = 2_000.0
    assert mixer.flags(at + 0.1, at + 0.2) == mixer.flags() == ("non-finite",)
    assert mixer.flags(at - 1, at) == mixer.flags(at + 0.3, at + 0.9) == ()


def test_neighbours_of_odd_sound_are_not_odd() -> None:
    mixer, tenth = Mixer(16_000, 16_000, 1), np.zeros((1_600, 1), np.float32)
    for block in (*[tenth] * 5, np.full_like(tenth, np.nan), *[tenth] * 5):
        mixer.add(block)
    assert mixer.flags(0.6, 1.1) == mixer.flags(0.0, 0.5) == ()  # .6 / .1 is less than 6


def test_hours_of_odd_sound_are_told_window_by_window() -> None:
    mixer = Mixer(20, 20, 2)
    mixer.add(np.resize(np.array([0.5, -0.5], np.float32), (36_000 * 20, 2)))
    mixer.end()
    before = time.process_time()
    assert all(mixer.flags(at, at + 4) == ("antiphase",) for at in range(500))
    assert time.process_time() - before < 3


def test_what_is_odd_in_another_channel_is_not_told() -> None:
    both = np.full((16_000, 2), 0.1, np.float32)
    both[:, 1] = 1.0
    both[100, 1] = np.nan
    for channel, flags in ((0, ()), (1, ("clipped", "non-finite"))):
        reading = Reading(source.from_array(both, 16_000), 16_000, channel=channel)
        assert audio.whole(reading).flags == flags


def test_as_many_hours_as_are_allowed_are_not_cut() -> None:
    whole = source.from_array(np.full(7_200, 0.1, np.float32), 2_000)
    for hours, flags in ((0.001, ()), (0.0009, ("cut",))):
        reading = Reading(whole, 2_000, limits=Limits(hours=hours))
        assert audio.whole(reading).flags == flags


def test_truncated_is_more_than_a_tenth_of_a_second_lost(tmp_path: Path) -> None:
    data = (sine(1, 16_000) * 32_767).astype("<i2").tobytes()
    for lost, expected in ((1_601, ("truncated",)), (1_600, ())):
        (tmp_path / "a.wav").write_bytes(wav(data[: -2 * lost], size=len(data)))
        assert audio.load(tmp_path / "a.wav", sample_rate=16_000).flags == expected


@pytest.mark.parametrize("n_samples", [1, 2, 160, 15_999, 16_000, 16_001, 40_000, 123_456])
@pytest.mark.parametrize(("length", "step"), [(1.0, 0.5), (1.0, 1.0), (1.0, 3.0), (4.3, 2.15)])
def test_windows_cover_everything(n_samples: int, length: float, step: float) -> None:
    size, hop = audio.window_samples(length, step, 16_000)
    assert (size, hop) == (round(16_000 * length), round(16_000 * min(length, step)))
    wave = np.arange(n_samples, dtype="f4")
    starts = [*range(0, max(0, n_samples - size), hop), max(0, n_samples - size)]
    for part in (n_samples, 5_000, 77):
        parts = [wave[at : at + part] for at in range(0, n_samples, part)]
        found = list(audio.sliding(parts, size, hop))
        assert [at for at, _ in found] == starts
        for at, samples in found:
            assert np.array_equal(samples, wave[at : at + size])
    assert found[-1][1][-1] == n_samples - 1


def held(waveform: np.ndarray, rate: int) -> Audio:
    """Return a waveform that is in memory as it is heard at 16 kHz."""
    return audio.whole(Reading(source.from_array(waveform, rate), 16_000))


def test_a_waveform_in_memory_is_heard_as_from_a_file(tmp_path: Path) -> None:
    waveform = sine(1)
    soundfile.write(tmp_path / "a.wav", waveform, 44_100, "FLOAT")
    found = held(waveform.astype("f8"), 44_100)
    assert np.array_equal(
        found.waveform, audio.load(tmp_path / "a.wav", sample_rate=16_000).waveform
    )
    for wrong in (waveform[None, None], waveform[:0], waveform.astype("i8"), waveform > 0):
        with pytest.raises(AudioError):
            held(wrong, 44_100)
    with pytest.raises(AudioError, match="it claims 0 Hz; 1,000 to 1,000,000 are read"):
        held(waveform, 0)


FULL = {"u1": (128, 128), "i2": (0, 2**15), ">i2": (0, 2**15), "i4": (0, 2**31)}


@pytest.mark.parametrize("kind", FULL)
def test_integers_are_scaled_by_their_type(kind: str) -> None:
    zero, full = FULL[kind]
    waveform = sine(1) * 0.5
    whole = np.rint(waveform.astype("f8") * full + zero).astype(kind)
    found = held(whole, 16_000)
    np.testing.assert_allclose(found.waveform, waveform, atol=1 / full)


def test_channels_are_mixed_whichever_side_they_are_on() -> None:
    left, right = sine(1), 0.5 * sine(1)
    both = np.stack([left, right])
    for array in (both, both.T, left[None], left[:, None]):
        found = held(array, 16_000)
        mixed = array.mean(axis=int(np.argmin(array.shape)))
        np.testing.assert_allclose(found.waveform, mixed, atol=1e-6)
    cancelling = np.stack([left, -left])
    found = held(cancelling, 16_000)
    assert found.flags == ("antiphase",)
    np.testing.assert_allclose(found.waveform, left)


@pytest.mark.parametrize(
    ("name", "codec", "rate"), [("a.wav", "pcm_s16le", 44_100), ("a.m4a", "aac", 44_100)]
)
def test_a_header_is_measured_without_decoding(
    tmp_path: Path, name: str, codec: str, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / name, codec, rate, sine())
    expected = audio.load(path, sample_rate=rate).duration
    monkeypatch.setattr(reading, "Mixer", None)
    stated, seconds = audio.measure(path)
    assert stated == rate
    assert seconds == pytest.approx(expected, abs=0.1)


def test_what_is_no_sound_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    for name, reason in (("a.wav", "no sound that can be decoded"), ("b.wav", "no such file")):
        with pytest.raises(AudioError, match=reason):
            audio.measure(tmp_path / name)
