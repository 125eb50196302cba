"""A front end: everything that turns a waveform into frames of features, in one object."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.errors import ArtifactsError
from ser_cli.sound import audio, fingerprint
from ser_cli.sound.features import HOP_LENGTH, N_FFT, at_least

if TYPE_CHECKING:
    from ser_cli.types import Floats

# By the beginning of a family's name, longest first.
_UNITS = {
    "mfcc_delta2": "dB / frame²",
    "mfcc_delta": "dB / frame",
    "mfcc": "dB",
    "mel": "dB",
    "contrast": "dB",
    "chroma": "0 to 1",
    "zcr": "share of samples",
    "rms": "of full scale",
    "centroid": "Hz",
    "rolloff": "Hz",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the features.

    Attributes:
        family: What it is one of ("mfcc").
        number: Which one, from 0.
        unit: "" where it has none.
        frame: Which frame it belongs to, where frames stand side by side in one row; else None.
    """

    family: str
    number: int
    unit: str = ""
    frame: int | None = None

    @property
    def row(self) -> str:
        """Name without the frame: "mfcc_3"."""
        return f"{self.family}_{self.number}"

    @property
    def name(self) -> str:
        """Whole name: "mfcc_3", or "mfcc_3_107" of frame 107."""
        return self.row if self.frame is None else f"{self.row}_{self.frame}"


def columns(**counts: int) -> tuple[Column, ...]:
    """Return the columns of families of features, in the order given.

    >>> [column.name for column in columns(mfcc=2, zcr=1)]
    ['mfcc_0', 'mfcc_1', 'zcr_0']
    """
    return tuple(
        Column(family, number, _unit(family))
        for family, count in counts.items()
        for number in range(count)
    )


def cells(rows: Sequence[Column], frames: int) -> tuple[Column, ...]:
    """Return the columns of (rows, frames) laid out row after row.

    >>> [cell.name for cell in cells(columns(zcr=1, rms=1), 2)]
    ['zcr_0_0', 'zcr_0_1', 'rms_0_0', 'rms_0_1']
    """
    return tuple(replace(row, frame=frame) for row in rows for frame in range(frames))


def _unit(family: str) -> str:
    return next((unit for name, unit in _UNITS.items() if family.startswith(name)), "")


@dataclass(frozen=True, slots=True)
class Frontend:
    """What makes features of a waveform, and how its frames lie in time.

    Attributes:
        name: Of the folder its features are cached in.
        sample_rate: Hz of the waveforms it takes.
        columns: (F,) what each column of a frame is.
        extract: waveform (n,), and then the path of each of `files` -> features (t, F). A
            module-level function, so that it can travel to worker processes.
        hop: Samples from one frame to the next.
        field: Samples that a frame looks at.
        centred: Whether frame k is centred on sample k * hop, with silence beyond the ends
            (librosa's way: 1 + n // hop frames); else frames lie inside the waveform.
        duration: Seconds every waveform is cut or padded to; None leaves it as it is.
        files: Model files it needs, which every artifacts folder gets a sealed copy of.
        version: Raised when features change their meaning, so that trained models of another
            version are refused.
    """

    name: str
    sample_rate: int
    columns: tuple[Column, ...]
    extract: Callable[..., Floats]
    hop: int = HOP_LENGTH
    field: int = N_FFT
    centred: bool = True
    duration: float | None = None
    files: tuple[Path, ...] = ()
    version: int = 1

    @property
    def width(self) -> int:
        """F, the number of columns."""
        return len(self.columns)

    def features(self, waveform: Floats) -> Floats:
        """Return the (t, F) features of a waveform (n,), cut or padded to the duration."""
        if self.duration is not None:
            n_samples = round(self.duration * self.sample_rate)
            waveform = at_least(waveform, n_samples)[:n_samples]
        return self.extract(waveform, *self.files)

    def context(self, frames: int) -> float:
        """Return the seconds of sound that `frames` frames look at: what a network takes at once.

        A fixed duration is what it takes, however many frames are made of it.
        """
        if self.duration is not None:
            return self.duration
        n_samples = frames * self.hop - 1 if self.centred else (frames - 1) * self.hop + self.field
        return n_samples / self.sample_rate

    def within(self, folder: Path) -> Frontend:
        """Return the same front end with its files in another folder.

        Raises:
            ArtifactsError: A file is not there.
        """
        moved = tuple(folder / path.name for path in self.files)
        for path in moved:
            if not path.is_file():
                raise ArtifactsError(f"{path} is missing", hint="train again: ser train")
        return replace(self, files=moved)

    def fingerprint(self) -> str:
        """Return what changes whenever its features may: of its code, its numbers, its files."""
        numbers = (self.sample_rate, self.hop, self.field, self.centred, self.duration)
        names = tuple(column.name for column in self.columns)
        parts = (
            repr((numbers, names, self.version)),
            fingerprint.of_code(self.extract),
            fingerprint.of_code(audio.load),
            *map(fingerprint.of_file, self.files),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
