"""A recording, and whom to hear in it -> what is read: all channels mixed, one, or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from ser_cli.errors import AudioError, UsageError
from ser_cli.model.sources import Waveform, standard_input
from ser_cli.sound import source
from ser_cli.sound.files import STDIN, Found
from ser_cli.sound.reading import Reading

if TYPE_CHECKING:
    from ser_cli.model.windows import Plan
    from ser_cli.sound.source import Opened

    Recording = Found | BinaryIO | Waveform

SIDES = ("left", "right")  # names of the first two channels, as a call has them
EACH = "each"
MOST_CHANNELS = 64  # that are heard one by one: a file is read anew for each
_CHANNELS = f"--channel {', '.join(SIDES)}, {EACH}, or a number from 1"


def named(channel: str | None) -> tuple[str, int | None]:
    """Return what rows call a channel that was named, and its number from 0; None is no one's.

    Raises:
        UsageError: It is no channel.
    """
    if channel in (None, EACH):
        return "", None
    if channel in SIDES:
        return channel, SIDES.index(channel)
    if channel.isdecimal() and int(channel):
        return channel, int(channel) - 1
    raise UsageError(f"{channel!r} is no channel", hint=_CHANNELS)


def readings(item: Recording, plan: Plan) -> Iterator[tuple[Reading, str]]:
    """Yield a recording as often as it is heard, and who is heard in it.

    Raises:
        AudioError: It cannot be opened, or has too many channels to hear each.
    """
    if not plan.each:
        speaker = item.speaker if isinstance(item, Found) else ""
        yield _reading(item, plan, plan.channel), speaker or plan.voice
        return
    channel, channels = 0, 1
    while channel < channels:
        reading = _reading(item, plan, channel)
        yield reading, SIDES[channel] if channel < len(SIDES) else str(channel + 1)
        channel, channels = channel + 1, reading.channels
        if channels > MOST_CHANNELS:
            raise AudioError(
                f"{reading.name}: has {channels:,} channels, and of {MOST_CHANNELS} at most each "
                "is heard; name one: --channel 2"
            )


def _reading(item: Recording, plan: Plan, channel: int | None) -> Reading:
    rate = plan.frontend.sample_rate
    opened = _opened(item, plan)
    return Reading(opened, rate, limits=plan.limits, channel=channel, watch=plan.watch)


def _opened(item: Recording, plan: Plan) -> Opened:
    if isinstance(item, Waveform):
        return source.from_array(item.samples, item.sample_rate, item.name)
    if isinstance(item, Found) and item.error:
        raise AudioError(item.error)
    if isinstance(item, Found):
        file = standard_input() if item.file == STDIN else item.file
        return source.opened(file, plan.limits, track=plan.track)
    return source.opened(item, plan.limits, track=plan.track)
