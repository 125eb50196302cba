"""Parts of recordings, cut out before anything else is done with them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ser_cli.errors import AudioError
from ser_cli.sound import audio
from ser_cli.sound.limits import USUAL

if TYPE_CHECKING:
    from ser_cli.sound.reading import Reading
    from ser_cli.types import Floats, Segment

ROUNDING_S = 0.1  # by which a segment may end after its file: tables round, and headers are off
_NEVER = sys.maxsize  # samples


def cut(reading: Reading, wanted: Sequence[Segment]) -> Iterator[Floats | AudioError]:
    """Cut segments out of a recording while it is read; no more than one of them is held.

    Args:
        reading: The recording, of which nothing was read yet.
        wanted: Of it, sorted by their starts.

    Yields:
        The samples (n,) of each; or why they are not there: the recording ends before the segment
        does, or is longer than what is read.

    Raises:
        AudioError: It cannot be decoded.
    """
    bounds = [_samples(segment, reading.sample_rate) for segment in wanted]
    for segment, (first, end), found in zip(
        wanted, bounds, audio.spans(reading, bounds), strict=True
    ):
        if len(found) == end - first:
            yield found
        elif reading.is_cut:
            hours = reading.limits.hours
            yield AudioError(f"is longer than {hours:g} h: see `ser extract --max-hours`")
        elif not len(found) or (segment.end or 0.0) > reading.seconds + ROUNDING_S:
            yield _absent(segment, reading.seconds)
        else:
            yield found


def _samples(segment: Segment, rate: int) -> tuple[int, int]:
    """Return where a segment begins and ends; at no sample that there is, if with its file."""
    first = round(segment.start * rate)
    return first, max(first + 1, _NEVER if segment.end is None else round(segment.end * rate))


def _absent(segment: Segment, total: float) -> AudioError:
    until = "on" if segment.end is None else f"to {segment.end:g} s"
    return AudioError(
        f"its part from {segment.start:g} s {until} is not there: it ends at {total:.2f} s"
    )


def as_wav(segment: Segment) -> bytes:
    """Return a segment as a WAV of its own: mono, 16 bits.

    Raises:
        AudioError: Its file cannot be read, or ends before it.
    """
    import soundfile

    rate = audio.measure(segment.path)[0]
    reading = audio.read(segment.path, sample_rate=rate, limits=USUAL)
    (found,) = cut(reading, [segment])
    if isinstance(found, AudioError):
        raise found
    made = io.BytesIO()
    soundfile.write(made, found, rate, "PCM_16", format="WAV")
    return made.getvalue()
