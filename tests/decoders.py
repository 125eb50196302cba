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


def row(name: str, found: list[Compared]) -> str:
    """Return a row of Markdown about the files of a format: what is worst among them."""
    cells = [name]
    for who in ("ser", "libsndfile", "ffmpeg", "program"):
        off = [abs(one.seconds[who] - one.wanted_s) for one in found if who in one.seconds]
        cells.append(f"{max(off):.2f}" if off else "-")
    cells.append(f"{min(min(one.alike.values()) for one in found):.3f}")
    cells.append(", ".join(sorted({flag for one in found for flag in one.flags})))
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Compare all and print a table of Markdown; 1 where two disagree without a flag."""
    with tempfile.TemporaryDirectory() as room:
        of = {name: [compare(name, sound, Path(room)) for sound in SOUNDS] for name in FORMATS}
    print("| format | seconds off: ser | libsndfile | ffmpeg | its program | least alike | flags |")
    print("|" + " --- |" * 7)
    for name, found in of.items():
        print(row(name, found))
    every = [one for found in of.values() for one in found]
    wrong = [one.name for one in every if not one.agree]
    print(
        f"\n{len(every) - len(wrong)} of {len(every)} files of {len(FORMATS)} formats agree", *wrong
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
