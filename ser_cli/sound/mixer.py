"""Blocks of samples -> a mono waveform at the rate wanted, and what is odd about it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli.sound.sides import Sides

if TYPE_CHECKING:
    from ser_cli.types import Floats

SHORT_S = 0.5  # less than two syllables: too little to hear an emotion in
SILENT_PEAK = 1e-3  # -60 dB: an idle A-law line has 2.4e-4, RAVDESS at least 6e-3
DITHER = 2.0**-15  # one step of 16 bits: no sound of any channel
CLIPPED_LEVEL = 0.999  # of full scale; above the largest peak that most mastering leaves
CLIPPED_SHARE = 0.001  # a lone full-scale peak is normalisation; one sample in 1,000 is overload
CANCELLED = 1e-4  # -40 dB: mix against loudest channel, below what lossy coding leaves of it
LARGEST = 2.0**32  # float files may hold 32-bit integers unscaled; beyond that it is no sound
CELLS = 10  # in a second: how precisely it is known when something odd was heard
TOGETHER = 2**23  # samples of all channels (32 MiB) by which it is decided whether they cancel


KINDS = ("clipped", "antiphase", "channels differ", "non-finite", "damaged")


class Mixer:
    """Mixes blocks (n, channels) to mono, resamples them, and watches for what is odd.

    Channels that cancel each other are not mixed: the loudest of them is taken instead, decided
    for each minute or so of sound.
    """

    def __init__(
        self,
        rate: int,
        target: int,
        channels: int,
        channel: int | None = None,
        *,
        floats: bool = False,
    ) -> None:
        """Mix from `rate` to `target` Hz; of several channels all, or the one that is named.

        Samples that are kept as floats may lie above full scale, where nothing clips them.
        """
        import soxr

        self.rate, self.target, self.channels = rate, target, channels
        self.count = 0  # samples per channel so far
        self._channel = 0 if channels == 1 else channel
        self._floats, self._above = floats, False
        self._held: list[Floats] = []  # blocks whose channels may cancel
        self._given, self._last = 0, np.zeros(0, np.float32)
        self._odd: dict[str, Counter[int]] = {}  # kind -> cells in which it was heard, how often
        self._sides = Sides()
        self._resampler = (
            None
            if rate == target
            else soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
        )

    def add(self, block: Floats) -> Floats:
        """Take the next block (n, channels); return what is ready of the waveform."""
        if self._channel is not None:  # what is odd in the others is not heard
            block = block[:, self._channel, None]
        if not _peak(block) <= LARGEST:  # true for NaN, too
            beyond = ~(np.abs(block) <= LARGEST)
            self._note("non-finite", beyond)
            block = np.where(beyond, np.float32(0), block)
        if _peak(block) >= CLIPPED_LEVEL:
            self._note("clipped", np.abs(block) >= CLIPPED_LEVEL)
            self._above |= self._floats and _peak(block) > 1
        self.count += len(block)
        if self._channel is not None:
            return self._ready(np.ascontiguousarray(block[:, 0]))
        self._held.append(block)
        held = sum(len(one) for one in self._held) * self.channels
        return self._ready(self._mixed()) if held >= TOGETHER else self._last[:0]

    def end(self) -> Floats:
        """Return the rest of the waveform, once all was added."""
        left = [self._last]
        if self._held:
            left.append(self._resampled(self._mixed()))
        if self._resampler:
            left.append(self._resampler.resample_chunk(self._last[:0], last=True))
        wave = np.concatenate(left)
        # As librosa does: rounded up, so that every started sample is there.
        missing = -(-self.count * self.target // self.rate) - self._given - len(wave)
        return np.pad(wave, (0, missing)) if missing > 0 else wave[: len(wave) + missing]

    def note(self, kind: str) -> None:
        """Keep in mind that something is odd about the sound from here on."""
        self._odd.setdefault(kind, Counter())[self._cell(self.count)] += 1

    def flags(self, start: float = 0.0, end: float = math.inf) -> tuple[str, ...]:
        """Return what was odd between two seconds of the sound, its length and level left out."""
        end = min(end, self.count / self.rate)
        heard = self.channels if self._channel is None else 1
        samples = (end - start) * self.rate * heard
        # Without the errors of seconds like .3 * 10.
        first, last = int(round(start * CELLS, 6)), math.ceil(round(end * CELLS, 6))
        found = []
        for kind, cells in self._odd.items():
            if kind == "clipped" and self._above:
                continue
            times = sum(cells[cell] for cell in range(first, last) if cell in cells)
            if times > (CLIPPED_SHARE * samples if kind == "clipped" else 0):
                found.append(kind)
        if self._sides.differ(first, last):
            found.append("channels differ")
        return tuple(sorted(found, key=KINDS.index))

    def _note(self, kind: str, where: np.ndarray) -> None:
        places = np.flatnonzero(where.any(axis=1))
        times = where.sum(axis=1)[places]
        cells, at = np.unique(self._cell(self.count + places), return_index=True)
        sums = np.add.reduceat(times, at).tolist()
        counted = self._odd.setdefault(kind, Counter())
        counted.update(dict(zip(cells.tolist(), sums, strict=True)))

    def _cell(self, sample: Any) -> Any:
        """Return the number of the cell that a sample, or each of several, lies in."""
        return sample * CELLS // self.rate

    def _mixed(self) -> Floats:
        """Return what is held as mono: the mean of the channels, or the loudest of them."""
        blocks, self._held = self._held, []
        energies = sum(np.square(one).sum(axis=0, dtype=np.float64) for one in blocks)
        mixed = np.concatenate([one.mean(axis=1) for one in blocks])
        loudest, count = float(np.max(energies)), len(mixed)
        if self.channels == 2:
            self._sides.add(blocks, self.count - count, self.rate / CELLS)
        mix = float(np.square(mixed).sum(dtype=np.float64))
        if loudest <= count * DITHER**2 or mix >= CANCELLED * loudest:
            return mixed
        first = self._cell(self.count - count)
        cells = self._odd.setdefault("antiphase", Counter())
        cells.update(range(first, self._cell(self.count - 1) + 1))
        return np.concatenate([one[:, int(np.argmax(energies))] for one in blocks])

    def _ready(self, mono: Floats) -> Floats:
        """Return the part before this one: the last is kept, since its end may be cut."""
        ready, self._last = self._last, self._resampled(mono)
        self._given += len(ready)
        return ready

    def _resampled(self, mono: Floats) -> Floats:
        return self._resampler.resample_chunk(mono) if self._resampler else mono


def is_silent(waveform: Floats) -> bool:
    """Tell whether a waveform (n,) never exceeds -60 dB of full scale."""
    return _peak(waveform) <= SILENT_PEAK


def _peak(samples: Floats) -> float:
    """Return the largest magnitude, NaN where a sample is; two passes, no copy."""
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
