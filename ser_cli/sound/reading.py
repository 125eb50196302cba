"""A recording while it is read: its mono waveform part by part, and what is odd about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from ser_cli.errors import AudioError
from ser_cli.sound.decode import Stream, UndecodableError
from ser_cli.sound.limits import USUAL, Limits
from ser_cli.sound.mixer import Mixer

if TYPE_CHECKING:
    from ser_cli.sound.source import Opened
    from ser_cli.types import Floats

T = TypeVar("T")

TRUNCATED_S = 0.1  # headers of lossy files are off by a frame or two (about 0.05 s) in good files
RATES = range(1_000, 1_000_001)  # Hz; outside, a header is damaged and resampling would explode


class Reading:
    """Iterated over, it yields the parts (n,) of a waveform, and knows then what was odd."""

    def __init__(
        self,
        source: Opened,
        sample_rate: int,
        *,
        limits: Limits = USUAL,
        channel: int | None = None,
        watch: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare to read.

        Args:
            source: The recording.
            sample_rate: Hz of the waveform.
            limits: Sound beyond its hours is not read (flag "cut").
            channel: The one to hear, from 0; None mixes all.
            watch: Told the seconds read so far, with each part.
        """
        self.name, self.sample_rate = source.name, sample_rate
        self._source, self.limits, self._channel = source, limits, channel
        self._watch = watch
        self._mixer: Mixer | None = None
        self._end: tuple[str, ...] = ()
        self._several = False

    def __iter__(self) -> Iterator[Floats]:
        """Yield the parts of the waveform.

        Raises:
            AudioError: No decoder can read it, or it has no such channel.
        """
        for part in decoded(self._source, self._mixed):
            if self._watch:
                self._watch(self.seconds)
            yield part
        assert self._mixer
        yield self._mixer.end()

    @property
    def seconds(self) -> float:
        """Length of what was read so far."""
        return self._mixer.count / self._mixer.rate if self._mixer else 0.0

    @property
    def channels(self) -> int:
        """How many channels there are in what was read so far; 0 before."""
        return self._mixer.channels if self._mixer else 0

    @property
    def is_cut(self) -> bool:
        """Whether it was found to be longer than what is read of it."""
        return "cut" in self._end

    def flags(self, start: float = 0.0, end: float = math.inf) -> tuple[str, ...]:
        """Return what was odd between two seconds of the recording, which must have been read.

        Returns:
            Of "clipped", "antiphase" (the channels cancel each other, so the loudest one is
            taken), "channels differ" (each has much that the other has not, such as a speaker of
            its own; both are mixed), "non-finite" (replaced by 0), "damaged" (parts were passed
            over), "tracks" (one of several audio tracks is heard, the first that holds sound), and
            of its end
            "truncated" (less sound than the header promises) and "cut" (longer than allowed).
        """
        assert self._mixer
        last = end >= self.seconds - TRUNCATED_S / 2
        own = (*self._mixer.flags(start, end), *(["tracks"] if self._several else []))
        return own + (self._end if last else ())

    def _mixed(self, stream: Stream) -> Iterator[Floats]:
        """Mix a stream, from where another one failed, if one did."""
        mixer = self._mixer_for(stream)
        passed, damaged, most = mixer.count, 0, round(self.limits.hours * 3600 * stream.rate)
        for block in stream.blocks:
            if stream.damaged > damaged:
                damaged = stream.damaged
                mixer.note("damaged")
            new, passed = block[passed:], max(0, passed - len(block))
            left = most - mixer.count
            if len(new[:left]):
                yield mixer.add(new[:left])
            if len(new) > left:
                self._end = ("cut",)
                return
        if not mixer.count:
            raise UndecodableError(stream.broken or "it holds no samples")
        lost = stream.stated_s - stream.damaged_s - self.seconds > TRUNCATED_S
        # Something else may follow the sound, as tags do; where a length is stated, that tells.
        self._end = ("truncated",) if lost or (stream.broken and not stream.stated_s) else ()

    def _mixer_for(self, stream: Stream) -> Mixer:
        if stream.rate not in RATES:
            raise UndecodableError(f"it claims {stream.rate} Hz; 1,000 to 1,000,000 are read")
        if self._channel is not None and self._channel >= stream.channels:
            raise AudioError(
                f"{self.name}: there is no channel {self._channel + 1}, it has {stream.channels}"
            )
        if self._mixer is None:
            self._several = stream.tracks > 1
            self._mixer = Mixer(
                stream.rate, self.sample_rate, stream.channels, self._channel, floats=stream.floats
            )
        elif (stream.rate, stream.channels) != (self._mixer.rate, self._mixer.channels):
            raise UndecodableError("another decoder finds other channels in it")
        return self._mixer


def decoded(source: Opened, use: Callable[[Stream], Iterator[T]]) -> Iterator[T]:
    """Yield what the first decoder that can gives; where one fails, the next is asked.

    Raises:
        AudioError: None can decode it.
    """
    reasons = {}
    for name, decoder in source.decoders.items():
        try:
            with decoder() as stream:
                yield from use(stream)
            return
        except UndecodableError as error:
            reasons[name] = str(error)
    what = source.other
    reason = f"is {what}" if what else f"no sound that can be decoded ({reasons[source.judge]})"
    raise AudioError(
        f"{source.name}: {reason}",
        hint="check that the file plays, or convert it: ffmpeg -i FILE out.wav",
    )
