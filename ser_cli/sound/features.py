"""From a waveform to frames of features: pure functions over ONE shared spectrum.

The definitions are librosa 0.11's (its defaults, unless an argument changes them), so that
a recipe written down with librosa means the same here; the tests hold them to librosa. What
differs is the work: one transform serves all features, filterbanks are built once, and the
frames come first, (T, ...), which is how the networks take them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.types import Floats

    Doubles = NDArray[np.float64]

N_FFT = 2048
HOP_LENGTH = 512
DELTA_WIDTH = 9
SHORTEST = (DELTA_WIDTH - 1) * HOP_LENGTH  # samples that make the frames `delta` needs
TOP_DB = 80.0
MEL_BLOCK = 16  # filters multiplied at a time
BLOCK = 32  # frames transformed at a time: as many as a processor's cache holds
_BREAK_MEL, _LOG_STEP = 15.0, np.log(6.4) / 27.0  # of Slaney's scale, at 1 kHz and above it
_AMIN = 1e-10
_DECIBELS = np.float32(10.0 / np.log(10.0))


@dataclass(frozen=True)
class Spectrum:
    """Magnitudes of a short-time Fourier transform.

    Attributes:
        magnitude: (T, N_FFT // 2 + 1), float32.
        sample_rate: Hz.
    """

    magnitude: Floats
    sample_rate: int

    @cached_property
    def power(self) -> Floats:
        """Squared magnitude, same shape."""
        return self.magnitude**2


def at_least(waveform: Floats, n_samples: int) -> Floats:
    """Return the waveform (n,), followed by silence where it is shorter than n_samples."""
    missing = n_samples - len(waveform)
    return waveform if missing <= 0 else np.pad(waveform, (0, missing))


def spectrum(waveform: Floats, sample_rate: int) -> Spectrum:
    """Transform a waveform with a Hann window of N_FFT samples every HOP_LENGTH samples.

    Args:
        waveform: (n,), any level.
        sample_rate: Hz.

    Returns:
        T = 1 + n // HOP_LENGTH frames, each centred on its sample; silence beyond the ends.
    """
    padded = np.pad(waveform, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    magnitude = np.empty((len(frames), N_FFT // 2 + 1), np.float32)
    for start in range(0, len(frames), BLOCK):
        part = slice(start, start + BLOCK)
        # The transform itself in float64: the quiet bins that spectral contrast looks at would
        # drown in rounding. Kept in float32, as librosa does, or ties in the tuning fall otherwise.
        transform = np.fft.rfft(frames[part] * _hann()).astype(np.complex64)
        np.abs(transform, out=magnitude[part])
    return Spectrum(magnitude, sample_rate)


def mel_decibels(spec: Spectrum, n_mels: int = 128) -> Floats:
    """Return the log power in Slaney's mel bands, (T, n_mels) dB, at most 80 below the loudest."""
    bands = np.empty((len(spec.power), n_mels), np.float32)
    for columns, bins, weights in _mel_blocks(spec.sample_rate, n_mels):
        np.matmul(spec.power[:, bins], weights, out=bands[:, columns])
    return decibels(bands)


def hz_to_mel(hertz: float) -> float:
    """Return a frequency on Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    if hertz < 1000:
        return hertz * 3 / 200
    return _BREAK_MEL + float(np.log(hertz / 1000.0) / _LOG_STEP)


def mfcc(mel: Floats, n_mfcc: int) -> Floats:
    """Return the first mel-frequency cepstral coefficients, (T, n_mfcc), of `mel_decibels`."""
    return mel @ _dct(mel.shape[1], n_mfcc)


def delta(features: Floats, order: int = 1) -> Floats:
    """Return the local derivative along time, (T, F), by Savitzky and Golay over 9 frames.

    A polynomial of degree `order` is fitted, so its derivative is one number per window; the four
    frames at either end, which have no window of their own, take their neighbour's.

    Raises:
        ValueError: There are fewer than 9 frames.
    """
    if len(features) < DELTA_WIDTH:
        raise ValueError(f"delta needs {DELTA_WIDTH} frames, not {len(features)}")
    windows = np.lib.stride_tricks.sliding_window_view(features, DELTA_WIDTH, axis=0)
    half = DELTA_WIDTH // 2
    return np.pad(windows @ _savgol(order), ((half, half), (0, 0)), mode="edge")


def chroma(spec: Spectrum) -> Floats:
    """Return the energy of the 12 pitch classes, (T, 12) in 0..1, the loudest of a frame 1.

    The tuning of the recording is estimated first and the pitch classes are laid over it.
    """
    raw = spec.power @ _chroma_filters(spec.sample_rate, round(tuning(spec), 2))
    loudest = raw.max(axis=1, keepdims=True)
    loudest[loudest < np.finfo(np.float32).tiny] = 1  # a silent frame stays silent
    normalised: Floats = raw / loudest
    return normalised


def tuning(spec: Spectrum) -> float:
    """Estimate how far the recording is from A440, in -0.5..0.5 semitones, in steps of 0.01.

    Peaks of the power spectrum between 150 and 4000 Hz are refined by a parabola; the most
    common deviation among the louder half of them wins.
    """
    peak_hz, height = _spectral_peaks(spec)
    if not len(peak_hz):
        return 0.0
    peak_hz = peak_hz[height >= _median(height)]
    residual = np.mod(12 * np.log2(peak_hz / (440.0 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    edges = np.linspace(-0.5, 0.5, 101)
    counts, _ = np.histogram(residual, edges)
    return float(edges[np.argmax(counts)])


def spectral_contrast(spec: Spectrum, n_bands: int = 6, fmin: float = 200.0) -> Floats:
    """Return peak minus valley, (T, n_bands + 1) dB, in octaves from fmin and the band below it.

    Peak and valley are the means of the loudest and quietest 2 % of a band's bins.
    """
    ends = [_extremes(spec.magnitude, *band) for band in _bands(spec.sample_rate, n_bands, fmin)]
    valley, peak = (np.stack(side, axis=1) for side in zip(*ends, strict=True))
    return decibels(peak) - decibels(valley)


def decibels(power: Floats) -> Floats:
    """Return 10 log10 of the power, nothing lower than TOP_DB below the maximum of the array."""
    # The natural logarithm is vectorised in NumPy, the decadic one is not.
    log = _DECIBELS * np.log(np.maximum(np.float32(_AMIN), power))
    floor: Floats = np.maximum(log, log.max() - TOP_DB)
    return floor


def _median(values: Floats) -> float:
    """Return the median of (n,); NumPy's own loads its masked arrays, 10 ms of a first clip."""
    ranked, middle = np.sort(values), len(values) // 2
    return float((ranked[middle] + ranked[-1 - middle]) / np.float32(2))


def _spectral_peaks(spec: Spectrum) -> tuple[Floats, Floats]:
    power, bin_hz = spec.power, spec.sample_rate / N_FFT
    first = int(np.ceil(150.0 / bin_hz))
    stop = int(np.ceil(min(4000.0, spec.sample_rate / 2) / bin_hz))
    left, here, right = (power[:, first + s : stop + s] for s in (-1, 0, 1))
    is_peak = (here > left) & (here >= right)
    is_peak &= here > np.float32(0.1) * power.max(axis=1, keepdims=True)
    # Places in the flat array: five times as fast as an index of two dimensions.
    frame, bins = np.divmod(np.flatnonzero(is_peak), stop - first)
    bins += first
    at = frame * power.shape[1] + bins
    left, here, right = (power.take(at + s) for s in (-1, 0, 1))
    curvature, slope = left + right - 2 * here, (right - left) / 2
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.zeros_like(slope)
    np.divide(-slope, curvature, out=shift, where=inside)
    peak_hz: Floats = ((bins + shift) * bin_hz).astype(np.float32)
    height = (here + np.float32(0.5) * slope * shift).astype(np.float32)
    return peak_hz, height


def _extremes(magnitude: Floats, start: int, stop: int, count: int) -> tuple[Floats, Floats]:
    band = magnitude[:, start:stop]
    if count == 1:
        return band.min(axis=1), band.max(axis=1)
    ranked = np.sort(band, axis=1)  # vectorised, and so faster than a partition at two places
    return ranked[:, :count].mean(axis=1), ranked[:, -count:].mean(axis=1)


@lru_cache(maxsize=8)
def _bands(sample_rate: int, n_bands: int, fmin: float) -> tuple[tuple[int, int, int], ...]:
    """First bin, last bin + 1 and number of extreme bins of each band, as librosa draws them."""
    hz = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    edges = [0.0, *(fmin * 2.0**k for k in range(n_bands + 1))]
    bands = []
    for k in range(n_bands + 1):
        inside = np.flatnonzero((hz >= edges[k]) & (hz <= edges[k + 1]))
        start = int(inside[0]) - (k > 0)
        stop = len(hz) if k == n_bands else int(inside[-1]) + 1
        count = max(1, int(np.rint(0.02 * (stop - start))))
        bands.append((start, stop - (k < n_bands), count))
    return tuple(bands)


@lru_cache(maxsize=1)
def _hann() -> Doubles:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


@lru_cache(maxsize=8)
def _mel_blocks(sample_rate: int, n_mels: int) -> tuple[tuple[slice, slice, Floats], ...]:
    """Runs of filters and the bins they look at: a fifteenth of the whole matrix is not zero."""
    filters, blocks = _mel_filters(sample_rate, n_mels), []
    for start in range(0, n_mels, MEL_BLOCK):
        columns = slice(start, min(start + MEL_BLOCK, n_mels))
        used = np.flatnonzero(filters[:, columns].any(axis=1))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        blocks.append((columns, bins, np.ascontiguousarray(filters[bins, columns])))
    return tuple(blocks)


def _mel_filters(sample_rate: int, n_mels: int) -> Floats:
    """Triangles of equal area, their corners evenly spaced on Slaney's scale from 0 Hz."""
    mels = np.linspace(0.0, hz_to_mel(sample_rate / 2), n_mels + 2)
    above = 1000 * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    hz = np.where(mels < _BREAK_MEL, mels * 200 / 3, above)
    ramps = np.subtract.outer(hz, np.fft.rfftfreq(N_FFT, 1 / sample_rate))
    rising = -ramps[:-2] / np.diff(hz)[:-1, None]
    falling = ramps[2:] / np.diff(hz)[1:, None]
    area = 2.0 / (hz[2:] - hz[:-2])
    filters = (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).T
    return np.ascontiguousarray(filters, dtype=np.float32)


@lru_cache(maxsize=128)
def _chroma_filters(sample_rate: int, tuning_semitones: float) -> Floats:
    """Gaussians on the 12 pitch classes from C, weighted towards the fifth octave."""
    hz = np.linspace(0, sample_rate, N_FFT, endpoint=False)[1:]
    semitone = 12 * np.log2(hz / (440.0 * 2.0 ** (tuning_semitones / 12) / 16))
    # The bin of 0 Hz has no pitch: librosa lays it one and a half octaves below the first.
    semitone = np.concatenate(([semitone[0] - 18], semitone))[: N_FFT // 2 + 2]
    width = np.maximum(np.diff(semitone), 1.0)
    semitone = semitone[:-1]
    distance = np.remainder(semitone[:, None] - np.arange(12) + 126, 12) - 6
    weights = np.exp(-0.5 * (2 * distance / width[:, None]) ** 2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    weights *= np.exp(-0.5 * ((semitone / 12 - 5.0) / 2.0) ** 2)[:, None]
    return np.ascontiguousarray(np.roll(weights, -3, axis=1), dtype=np.float32)


@lru_cache(maxsize=8)
def _dct(n_inputs: int, n_outputs: int) -> Floats:
    """Columns of the orthonormal DCT-II."""
    angle = np.pi * (np.arange(n_inputs)[:, None] + 0.5) * np.arange(n_outputs) / n_inputs
    basis = np.cos(angle) * np.sqrt(2.0 / n_inputs)
    basis[:, 0] /= np.sqrt(2.0)
    return np.asarray(basis, dtype=np.float32)


@lru_cache(maxsize=2)
def _savgol(order: int) -> Floats:
    """Weights of 9 frames that give the derivative of that order of the fitted polynomial."""
    at = np.arange(DELTA_WIDTH) - DELTA_WIDTH // 2
    fit = np.linalg.pinv(np.vander(at, order + 1, increasing=True).astype(float))
    return np.asarray(fit[order] * (1.0, 1.0, 2.0)[order], dtype=np.float32)
