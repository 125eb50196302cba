"""Parts of recordings, cut out before anything else is done with them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ser_cli.errors import AudioError
from ser_cli.sound import audio

if TYPE_CHECKING:
    from ser_cli.types import Floats, Segment

ROUNDING_S = 0.1  # by which a segment may end after its file: tables round, and headers are off


def cut(waveform: Floats, segment: Segment, *, sample_rate: int) -> Floats:
    """Return what a segment holds of its file's waveform.

    Args:
        waveform: (n,) of the whole file.
        segment: The stretch.
        sample_rate: Hz of the waveform.

    Raises:
        AudioError: The recording ends before the segment does.
    """
    total = len(waveform) / sample_rate
    end = total if segment.end is None else segment.end
    if not segment.start < total or end > total + ROUNDING_S:
        until = "on" if segment.end is None else f"to {end:g} s"
        raise AudioError(
            f"its part from {segment.start:g} s {until} is not there: it ends at {total:.2f} s"
        )
    first = round(segment.start * sample_rate)
    return waveform[first : max(first + 1, round(end * sample_rate))]


def as_wav(segment: Segment) -> bytes:
    """Return a segment as a WAV of its own: mono, 16 bits.

    Raises:
        AudioError: Its file cannot be read, or ends before it.
    """
    import soundfile

    rate = audio.measure(segment.path)[0]
    whole = audio.load(segment.path, sample_rate=rate).waveform
    made = io.BytesIO()
    soundfile.write(made, cut(whole, segment, sample_rate=rate), rate, "PCM_16", format="WAV")
    return made.getvalue()
