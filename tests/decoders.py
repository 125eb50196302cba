"""Two decoders and ours on files of every kind: python tests/decoders.py prints a table.

Each of the formats of tests/formats.py holds three sounds. libsndfile, FFmpeg (through PyAV, and
the program where it is installed) and `audio.load` must find the same length and the same samples,
as far as the codec keeps them, or a flag must say why not.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from formats import FORMATS
from sounds import sine, speech

from ser_cli.sound import audio, decode
from ser_cli.sound.decode import Stream, UndecodableError

RATE = 16_000  # Hz at which results are compared
LENGTH_S = 0.08  # run-up and rest of a lossy frame
ALIKE = 0.98  # correlation of what two decoders make of one file
Sound = Callable[[int], np.ndarray]

SOUNDS: dict[str, Sound] = {
    "speech": lambda rate: speech(rate, 1.5),
    "tone": lambda rate: sine(440, rate, 1.0) * np.hanning(rate).astype(np.float32),
    "pause": lambda rate: np.concatenate(
        [speech(rate, 0.8), np.zeros(rate // 2, np.float32), speech(rate, 0.8)]
    ),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """What decoders make of one file: seconds, and correlation with ours; flags of ours."""

    name: str
    seconds: dict[str, float]
    alike: dict[str, float]
    flags: tuple[str, ...]
    wanted_s: float

    @property
    def agree(self) -> bool:
        """Whether all of it was heard by all, and nothing was flagged."""
        lengths = all(abs(s - self.wanted_s) <= LENGTH_S for s in self.seconds.values())
        return lengths and min(self.alike.values()) >= ALIKE and not self.flags


def compare(name: str, sound: str, folder: Path) -> Compared:
    """Write a format with a sound in it, and decode it in every way."""
    made, one = SOUNDS[sound], FORMATS[name]
    path = one.write(folder, f"{name}-{sound}", made)
    ours = audio.load(path, sample_rate=RATE)
    others = dict(_others(path))
    waves = {"ser": ours.waveform, **others}
    return Compared(
        f"{name}-{sound}",
        {who: len(wave) / RATE for who, wave in waves.items()},
        {who: alike(ours.waveform, wave) for who, wave in others.items()},
        ours.flags,
        len(made(one.rate)) / one.rate,
    )


def _others(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    for who, decoder in (("libsndfile", decode.by_soundfile), ("ffmpeg", decode.by_ffmpeg)):
        try:
            yield who, _whole(decoder(path))
        except UndecodableError:  # one of the two may not know it
            continue
    if program := shutil.which("ffmpeg"):
        words = ["-v", "quiet", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
        out = subprocess.run([program, *words], capture_output=True, check=True).stdout
        yield "program", np.frombuffer(out, np.float32)


def _whole(opened: AbstractContextManager[Stream]) -> np.ndarray:
    with opened as stream:
        mono = np.concatenate([block.mean(axis=1) for block in stream.blocks])
        return np.asarray(soxr.resample(mono, stream.rate, RATE))


def alike(one: np.ndarray, other: np.ndarray, most: int = round(LENGTH_S * RATE)) -> float:
    """Return the highest correlation of two waveforms, one of them moved by up to a frame."""
    n = min(len(one), len(other))
    a, b = np.pad(one[:n], most), other[:n]
    size = 1 << (len(a) + n).bit_length()
    cross = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    energy = float(np.sqrt(np.square(one[:n]).sum() * np.square(b).sum()))
    return float(cross[: 2 * most + 1].max() / energy) if energy else 0.0


def main() -> int:
    """Compare all and print a table of Markdown; 1 where two disagree without a flag."""
    with tempfile.TemporaryDirectory() as room:
        found = [compare(name, sound, Path(room)) for name in FORMATS for sound in SOUNDS]
    print("| file | seconds: made | ser | libsndfile | ffmpeg | least alike | flags |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in found:
        cells = [f"{one.seconds[w]:.2f}" if w in one.seconds else "-" for w in
                 ("ser", "libsndfile", "ffmpeg")]  # fmt: skip
        cells += [f"{min(one.alike.values()):.3f}", ", ".join(one.flags)]
        print(f"| {one.name} | {one.wanted_s:.2f} | " + " | ".join(cells) + " |")
    wrong = [one.name for one in found if not one.agree]
    print(f"\n{len(found) - len(wrong)} of {len(found)} files of {len(FORMATS)} formats agree")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
