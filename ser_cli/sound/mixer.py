"""Blocks of samples -> a mono waveform at the rate wanted, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ser_cli.types import Floats

SHORT_S = 0.5  # less than two syllables: too little to hear an emotion in
SILENT_PEAK = 1e-3  # -60 dB: an idle A-law line has 2.4e-4, RAVDESS at least 6e-3
DITHER = 2.0**-15  # one step of 16 bits: no sound of any channel
CLIPPED_LEVEL = 0.999  # of full scale; above the largest peak that most mastering leaves
CLIPPED_SHARE = 0.001  # a lone full-scale peak is normalisation; one sample in 1,000 is overload
CANCELLED = 1e-4  # -40 dB: mix against loudest channel, below what lossy coding leaves of it
LARGEST = 2.0**32  # float files may hold 32-bit integers unscaled; beyond that it is no sound


class Mixer:
    """Mixes blocks (n, channels) to mono, resamples them, and watches for what is odd."""

    def __init__(self, rate: int, target: int, channels: int, channel: int | None) -> None:
        """Mix from `rate` to `target` Hz; of several channels all, or the one that is named."""
        import soxr

        self.rate, self.target, self.channel = rate, target, channel
        self.count = 0  # samples per channel so far
        self.energies = np.zeros(channels)
        self.mix_energy = 0.0
        self._peak = 0.0
        self._clipped = 0
        self._replaced = False
        self._parts: list[Floats] = []
        same = rate == target
        self._resampler = (
            None if same else soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
        )

    def add(self, block: Floats) -> None:
        """Take the next block (n, channels)."""
        if not _peak(block) <= LARGEST:  # true for NaN, too
            block = np.where(np.abs(block) <= LARGEST, block, np.float32(0))
            self._replaced = True
        mono = self._mono(block)
        self.count += len(block)
        if _peak(block) >= CLIPPED_LEVEL:
            self._clipped += int(np.count_nonzero(np.abs(block) >= CLIPPED_LEVEL))
        self._peak = max(self._peak, _peak(mono))
        if len(self.energies) > 1:
            self.energies += np.square(block).sum(axis=0, dtype=np.float64)
            self.mix_energy += float(np.square(mono).sum(dtype=np.float64))
        self._parts.append(self._resampler.resample_chunk(mono) if self._resampler else mono)

    def _mono(self, block: Floats) -> Floats:
        if self.channel is None and len(self.energies) > 1:
            mixed: Floats = block.mean(axis=1)
            return mixed
        return np.ascontiguousarray(block[:, self.channel or 0])

    @property
    def cancels(self) -> bool:
        """Whether the channels hold sound, but their mix next to none."""
        loudest = float(self.energies.max())
        audible = loudest > self.count * DITHER**2
        return self.channel is None and audible and self.mix_energy < CANCELLED * loudest

    def waveform(self) -> Floats:
        """Return all that was added as (n,) at the target rate."""
        if self._resampler:
            rest: Floats = np.zeros(0, np.float32)
            self._parts.append(self._resampler.resample_chunk(rest, last=True))
        wave = np.concatenate(self._parts)
        # As librosa does: rounded up, so that every started sample is there.
        missing = -(-self.count * self.target // self.rate) - len(wave)
        return np.pad(wave, (0, missing)) if missing > 0 else wave[: len(wave) + missing]

    def flags(self) -> tuple[str, ...]:
        """Return what is odd about the sound."""
        found = {
            "short": self.count / self.rate < SHORT_S,
            "silent": self._peak <= SILENT_PEAK,
            "clipped": self._clipped > CLIPPED_SHARE * self.count * len(self.energies),
            "antiphase": self.channel is not None,
            "non-finite": self._replaced,
        }
        return tuple(name for name, odd in found.items() if odd)


def _peak(samples: Floats) -> float:
    """Return the largest magnitude, NaN where a sample is; two passes, no copy."""
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
