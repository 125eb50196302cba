"""Which kinds of sound can be heard here: a tone of each is made in memory and decoded again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ser_cli.errors import AudioError
from ser_cli.health import Check
from ser_cli.sound import audio

if TYPE_CHECKING:
    import av

RATE, SECONDS = 16_000, 0.5
TOLERANCE_S = 0.15  # an encoder's own frames before and after the tone
_AGAIN = "pip install --force-reinstall av soundfile soxr"


class _Kind(NamedTuple):
    """A kind of file, and FFmpeg's names of its container and codec."""

    name: str
    container: str
    codec: str
    rate: int = RATE
    bit_rate: int = 0  # per second; 0 is the encoder's own


KINDS = (
    _Kind("WAV", "wav", "pcm_s16le"),
    _Kind("WAV (A-law)", "wav", "pcm_alaw"),
    _Kind("AIFF", "aiff", "pcm_s16be"),
    _Kind("FLAC", "flac", "flac"),
    _Kind("MP3", "mp3", "libmp3lame"),
    _Kind("Ogg Vorbis", "ogg", "vorbis"),
    _Kind("Ogg Opus", "ogg", "libopus"),
    _Kind("WebM (Opus)", "webm", "libopus"),
    _Kind("AAC (m4a)", "mp4", "aac"),
    _Kind("ALAC (m4a)", "mp4", "alac"),
    _Kind("AMR", "amr", "libopencore_amrnb", 8_000),
    _Kind("WMA", "asf", "wmav2", bit_rate=24_000),
    _Kind("AC-3", "ac3", "ac3", 48_000),
)
# Of this one there is no encoder: its mark, and frames of its lowest rate.
_FRAME_S = 0.02
AMR_WB = b"#!AMR-WB\n" + round(SECONDS / _FRAME_S) * (b"\x04" + bytes(17))


def codecs() -> Iterator[Check]:
    """Decode half a second of each kind."""
    heard: list[str] = []
    failed: list[str] = []
    unmade: list[str] = []
    for kind in KINDS:
        try:
            sample = _encoded(kind)
        except (ValueError, OSError, LookupError):  # this build of FFmpeg decodes it at most
            unmade.append(kind.name)
            continue
        (heard if _decodes(sample) else failed).append(kind.name)
    (heard if _decodes(AMR_WB) else failed).append("AMR-WB")
    yield Check("sound formats", f"{len(heard)} kinds decode: {', '.join(heard)}")
    if unmade:
        yield Check("not tried", f"{', '.join(unmade)}: there is no encoder here to make a sample")
    if failed:
        yield Check("unreadable formats", ", ".join(failed), "error", _AGAIN)


def _encoded(kind: _Kind) -> bytes:
    """Return a tone as a file."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as container:
        track: Any = container.add_stream(kind.codec, rate=kind.rate)  # of sound
        context = track.codec_context
        # FFmpeg's own encoder of Vorbis counts as an experiment, and knows nothing but stereo.
        context.options = {"strict": "experimental"}
        track.layout = "stereo" if kind.codec == "vorbis" else "mono"
        if kind.bit_rate:
            track.bit_rate = kind.bit_rate
        fit = av.AudioResampler(
            context.format, track.layout, kind.rate, frame_size=context.frame_size or 1024
        )
        for part in [*fit.resample(_tone(kind.rate)), *fit.resample(None)]:
            container.mux(track.encode(part))
        container.mux(track.encode(None))
    return file.getvalue()


def _tone(rate: int) -> av.AudioFrame:
    import av

    at = np.arange(round(SECONDS * rate)) / rate
    wave = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    return frame


def _decodes(sample: bytes) -> bool:
    try:
        found = audio.load(io.BytesIO(sample), sample_rate=RATE)
    except AudioError:
        return False
    return abs(found.duration - SECONDS) < TOLERANCE_S
