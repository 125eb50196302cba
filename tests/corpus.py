"""Made-up corpora: a few tones, by table, by folder or by actor; and the tables that come back."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from command import EMOTIONS, SPEAKERS, tone

from ser_cli.data.corpora import ravdess

Rows = list[dict[str, str]]


def touch(path: Path) -> Path:
    """Make an empty file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def rows_of(text: str) -> Rows:
    return list(csv.DictReader(io.StringIO(text)))


def read_rows(path: Path) -> Rows:
    return rows_of(path.read_text(encoding="utf-8"))


def recordings() -> Iterator[tuple[str, str, float, int]]:
    """Yield speaker, emotion, pitch and number of 48 clips."""
    for number, (who, (emotion, hertz)) in enumerate(
        pair for pair in [(s, e) for s in SPEAKERS for e in EMOTIONS.items()] for _ in range(2)
    ):
        yield who, emotion, hertz * (1 + 0.01 * SPEAKERS.index(who)), number


def by_table(folder: Path) -> Path:
    """Make a corpus with a table that knows its speakers."""
    lines = ["file,emotion,speaker"]
    for who, emotion, hertz, number in recordings():
        name = f"wav/{who}-{number}.wav"
        tone(folder / name, hertz, seed=number)
        lines.append(f"{name},{emotion},{who}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "clips.csv"


def by_folder(folder: Path) -> Path:
    """Make a corpus of one folder an emotion, whose files are just numbered in each."""
    count: Counter[str] = Counter()
    for _, emotion, hertz, number in recordings():
        count[emotion] += 1
        tone(folder / emotion / f"{count[emotion]:02d}.wav", hertz, seed=100 + number)
    return folder


def by_actor(folder: Path, channels: tuple[str, ...] = ("01", "02")) -> Path:
    """Make a RAVDESS of 24 actors, two emotions and one clip of each channel."""
    for actor in range(1, 25):
        for channel in channels:
            for code, hertz in (("02", 600), ("05", 250)):
                name = f"03-{channel}-{code}-01-01-01-{actor:02d}.wav"
                seed = actor + 100 * int(channel) + 1000 * int(code)
                tone(folder / f"Actor_{actor:02d}" / name, hertz + actor, seed=seed, seconds=0.3)
    return folder


def write_index(folder: Path, path: Path) -> Path:
    """Write the index of a folder of RAVDESS's clips that is known to be right."""
    digests = {
        name: ravdess.SOURCE.digest(clip) for name, clip in ravdess.SOURCE.paths(folder).items()
    }
    rows = "".join(f"{name},{digest}\n" for name, digest in digests.items())
    path.write_text(f"name,sha256\n{rows}", encoding="utf-8", newline="\n")
    return path
