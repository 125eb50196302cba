"""Which of several audio tracks of a film or a call is heard: the first that holds sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.sound.mixer import SILENT_PEAK

if TYPE_CHECKING:
    import av

LOOKED_S = 60.0  # of each track; what is silent for longer is not what was recorded


def first_with_sound(container: av.container.InputContainer) -> int:
    """Return the number of the first audio track that is not silent; 0 where all are.

    The container is read on, and has to be opened again.
    """
    import av

    tracks = list(container.streams.audio)
    heard: set[int] = set()
    behind = {track.index for track in tracks}  # those not looked through yet
    numbers = {track.index: number for number, track in enumerate(tracks)}
    try:
        for packet in container.demux(tracks):
            number = numbers[packet.stream_index]
            if _sounds(packet):
                heard.add(number)
            if packet.pts is not None and packet.pts * packet.time_base > LOOKED_S:
                behind.discard(packet.stream_index)
            if 0 in heard or not behind:
                break
    except (av.FFmpegError, OSError, EOFError, IndexError):
        pass  # what is damaged is told when it is heard
    return min(heard, default=0)


def _sounds(packet: Any) -> bool:
    """Tell whether a packet holds anything but silence."""
    import av

    try:
        frames = packet.decode()
    except av.FFmpegError:
        return False
    return any(_peak(frame) > SILENT_PEAK for frame in frames)


def _peak(frame: av.AudioFrame) -> float:
    import av

    packed = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
    parts = [part.to_ndarray() for part in packed.resample(frame)]
    return max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0)
