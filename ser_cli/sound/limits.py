"""How much of a recording is heard, and what its decoder may take: strangers send bombs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one recording.

    Attributes:
        hours: Of sound that are read; what is beyond is not heard (flag "cut").
        stall_s: Seconds a decoder may take for its next block (some seconds of sound).
        memory_mb: Memory a decoder in a process of its own may ask for, where the system can
            bound it (Linux).
        on_disk: Whether a large file without a name is copied to the disk for such a decoder,
            or held in its memory.
    """

    hours: float = 24.0
    stall_s: float = 60.0
    memory_mb: int = 1_024
    on_disk: bool = True


USUAL = Limits()
CLIP = Limits(hours=1.0)  # of what is held in memory as a whole: 230 MB at 16 kHz
