"""A copy of a corpus compared with its index, sample by sample, whatever it came from."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ser_cli import workers
from ser_cli.sound.files import audio_files
from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file of clips: its address, and size in bytes and MD5 where they are known."""

    name: str
    url: str
    size: int | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a corpus can be fetched from, and how a copy of it is verified.

    Attributes:
        archives: Part of the corpus ("speech") -> the archive it is published in.
        index: Table (CSV) of clip name and SHA-256 of its decoded samples.
        part: Clip name (a file name without extension) -> its part; None of other names.
        home: Clip name -> the folder it is put into, below the corpus's own.
        most_samples: A file whose header claims more is not decoded.
        variable: Environment variable that may name a copy.
        within: Folder of it in the one that the variable names; "" where it names the copy itself.
    """

    archives: Mapping[str, Archive]
    index: Path
    part: Callable[[str], str | None]
    home: Callable[[str], str]
    most_samples: int
    variable: str
    within: str = ""

    @property
    def soundprints(self) -> Path:
        """Fingerprints of the clips in the order of the index; a corpus may have none."""
        return self.index.with_suffix(".npz")

    def named(self) -> Path | None:
        """Return the folder that the environment names, if it does."""
        value = os.environ.get(self.variable)
        return Path(value) / self.within if value else None

    def digests(self, part: str | None = None) -> dict[str, str]:
        """Return clip name -> SHA-256 of its samples; of one part, or of all."""
        with self.index.open(encoding="utf-8", newline="") as lines:
            rows = {row["name"]: row["sha256"] for row in csv.DictReader(lines)}
        return {name: digest for name, digest in rows.items() if part in (None, self.part(name))}

    def paths(self, folder: Path) -> dict[str, Path]:
        """Return clip name -> file, ordered by file name, in any nesting.

        Each clip counts once: published copies hold some files twice, in a second folder.
        """
        found: dict[str, Path] = {}
        for path in audio_files(folder):
            if self.part(path.stem):
                found.setdefault(path.stem, path)
        return found

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a clip's samples: int16, little-endian, channels interleaved.

        A file that cannot be decoded, or claims to be longer than any clip, has the digest "".
        """
        import soundfile

        try:
            with soundfile.SoundFile(path) as sound:
                if sound.frames * sound.channels > self.most_samples:
                    return ""
                return sha256(sound.read(dtype="int16").astype("<i2").tobytes()).hexdigest()
        except (OSError, RuntimeError):
            return ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a folder holds of a corpus: names of clips missing and wrong, count of right ones."""

    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    ok: int


def verify(
    source: Source,
    folder: Path,
    progress: Progress | None = None,
    *,
    part: str | None = None,
    trusted: Collection[str] = (),
) -> Verification:
    """Compare the clips in a folder with the index.

    Args:
        source: Of the corpus.
        folder: Where the clips lie, in any nesting and any lossless format.
        progress: Told (clips done, clips in all, "verifying").
        part: Which part of the corpus should be there; None is all of it.
        trusted: Names of clips found right before and not touched since: they are not read.
    """
    from concurrent.futures import ThreadPoolExecutor

    expected, here = source.digests(part), source.paths(folder)
    names = [name for name in expected if name in here and name not in trusted]
    wrong = []
    # In threads: decoding and hashing both leave the interpreter free.
    with ThreadPoolExecutor() as threads:
        digest = workers.one_by_one(source.digest)
        files = [here[name] for name in names]
        outcomes = workers.run(digest, files, workers=workers.CORES, executor=threads)
        for done, (name, outcome) in enumerate(zip(names, outcomes, strict=True), start=1):
            if outcome.result != expected[name]:
                wrong.append(name)
            if progress:
                progress(done, len(names), "verifying")
    missing = tuple(name for name in expected if name not in here)
    return Verification(missing, tuple(wrong), len(expected) - len(missing) - len(wrong))
