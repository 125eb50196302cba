"""Damage files of sound in every way and predict them: `nox -s fuzz`, or python tests/fuzz.py.

Each file is one of tests/formats.py with bits flipped, bytes overwritten, cut, inserted, repeated
or spliced with those of another, or with fields of its header set to extremes; the same ones for
the same seed. They go through `audio.load` and `ser predict` in child processes whose memory and
time are limited. No file may end a process, hang it, lack its row, or get a row that is not finite.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from formats import FORMATS
from sounds import speech

Rng = np.random.Generator
Counts = Counter[tuple[str, str]]  # format and what became of a file
BATCH = 500  # files of a child
MEMORY = 4 * 2**30  # bytes that a child may have
SECONDS = 600  # that a child may take
HEAD = 256  # bytes in which fields of a header are looked for
FAULTS = ("crashes", "hangs", "missing rows", "not finite")
COLUMNS = ("files", "accepted", "refused", *FAULTS)
MODEL = ("--recipe", "cnn-bilstm")  # the smaller of those that ship
EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")

LIMITED = f"""
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
except ImportError:  # not on Windows
    pass
"""
PREDICT = LIMITED + "from ser_cli.__main__ import main; main()"
LOAD = f"""{LIMITED}
import json
import numpy as np
from ser_cli.errors import AudioError
from ser_cli.sound import audio
for path in sys.argv[1:]:
    try:
        heard = audio.load(path, sample_rate=16_000)
        finite = bool(len(heard.waveform)) and bool(np.isfinite(heard.waveform).all())
        row = {{"status": "ok", "finite": finite}}
    except AudioError:
        row = {{"status": "error"}}
    print(json.dumps({{"file": path, **row}}), flush=True)
"""


def seeds(folder: Path) -> dict[str, bytes]:
    """Return the content of a file of every format, about a second long."""
    sound = partial(speech, seconds=1.2)
    return {name: one.write(folder, name, sound).read_bytes() for name, one in FORMATS.items()}


def mutated(content: bytes, other: bytes, rng: Rng) -> bytes:
    """Return a file with one to three kinds of damage, `other` being spliced into it."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        way = WAYS[int(rng.integers(len(WAYS)))]
        changed = way(changed, other, rng)
    return bytes(changed)


def _flip(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    for _ in range(int(2 ** rng.uniform(0, 7))):
        if content:
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    return content


def _overwrite(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    at, size = _piece(content, rng)
    fill = (bytes(size), b"\xff" * size, rng.bytes(size))[rng.integers(3)]
    content[at : at + size] = fill
    return content


def _cut(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    at, size = _piece(content, rng)
    return (content[:at], content[at:], content[:at] + content[at + size :])[rng.integers(3)]


def _insert(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    at, size = _piece(content, rng)
    piece = (rng.bytes(size), bytes(content[at : at + size]))[rng.integers(2)]
    return content[:at] + piece + content[at:]


def _splice(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    at, there = rng.integers(len(content) + 1), rng.integers(len(other) + 1)
    return content[:at] + other[there:]


def _header(content: bytearray, other: bytes, rng: Rng) -> bytearray:
    """Set fields of 1 to 8 bytes near the start to what they are least expected to hold."""
    for _ in range(rng.integers(1, 5)):
        size = 2 ** int(rng.integers(4))
        at = int(rng.integers(max(1, min(HEAD, len(content)))))
        extreme = (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
        order: Any = ("little", "big")[rng.integers(2)]
        content[at : at + size] = extreme[rng.integers(5)].to_bytes(size, order)
    return content


def _piece(content: bytearray, rng: Rng) -> tuple[int, int]:
    """Return where a piece begins, and its bytes: few or many."""
    at = int(rng.integers(len(content) + 1))
    return at, min(len(content) - at, int(2 ** rng.uniform(0, 13)))


WAYS: Sequence[Callable[[bytearray, bytes, Rng], bytearray]] = (
    _flip, _overwrite, _cut, _insert, _splice, _header,
)  # fmt: skip


def write(folder: Path, originals: dict[str, bytes], number: int, seed: int) -> Path:
    """Write the file of this number; formats take turns."""
    rng = np.random.default_rng([seed, number])
    names = list(originals)
    name = names[number % len(names)]
    other = originals[names[rng.integers(len(names))]]
    path = folder / f"{number:06d}-{name}.{FORMATS[name].suffix}"
    path.write_bytes(mutated(originals[name], other, rng))
    return path


def child(code: str, arguments: Sequence[str], files: Sequence[Path]) -> tuple[str, list[Any]]:
    """Run some files in a child; return "crashes" or "hangs" or "", and the rows it printed."""
    here = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"},
        text=True,
        encoding="utf-8",
    )
    try:
        out, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        return "hangs", []
    rows = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    return ("" if process.returncode in (0, 3) else "crashes"), rows


def tried(code: str, arguments: Sequence[str], files: Sequence[Path], keep: Path | None) -> Counts:
    """Return counts by format; a batch that ends its child is halved until the file is found."""
    found: Counts = Counter()
    ended, rows = child(code, arguments, files)
    if ended and len(files) > 1:
        half = len(files) // 2
        parts = [tried(code, arguments, part, keep) for part in (files[:half], files[half:])]
        return parts[0] + parts[1]
    of = {row["file"]: row for row in rows}
    for path in files:
        kind = path.stem.partition("-")[2]
        row = of.get(str(path))
        verdict = ended or ("missing rows" if row is None else judged(row))
        found[kind, "files"] += 1
        found[kind, verdict] += 1
        if verdict in FAULTS and keep:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, keep / path.name)
    return found


def judged(row: dict[str, Any]) -> str:
    """Return what became of a file."""
    if row["status"] == "error":
        return "refused"
    if "finite" in row:
        return "accepted" if row["finite"] else "not finite"
    shares = [row[name] if row[name] is not None else math.nan for name in EMOTIONS]
    whole = abs(sum(shares) - 1) < 1e-3  # false for NaN, too
    right = whole and 0 <= row["confidence"] <= 1 and 0 <= row["start"] <= row["end"]
    return "accepted" if right else "not finite"


def run(numbers: Iterable[int], *, seed: int, keep: Path | None = None) -> Counts:
    """Make and try the files of these numbers."""
    found: Counts = Counter()
    with tempfile.TemporaryDirectory() as room:
        originals = seeds(Path(room))
        for number, files in enumerate(batches(Path(room), originals, numbers, seed)):
            found += tried(PREDICT, [*["predict", "--json", "--no-report"], *MODEL], files, keep)
            heard = tried(LOAD, [], files, keep)  # each file is counted once, and all faults
            found += Counter({key: n for key, n in heard.items() if key[1] in FAULTS})
            if sys.stderr.isatty():
                print(f"\r{(number + 1) * BATCH} files", end="", file=sys.stderr)
            for path in files:
                path.unlink()
    return found


def batches(
    folder: Path, originals: dict[str, bytes], numbers: Iterable[int], seed: int
) -> Iterable[list[Path]]:
    files = []
    for number in numbers:
        files.append(write(folder, originals, number, seed))
        if len(files) == BATCH:
            yield files
            files = []
    if files:
        yield files


def table(found: Counts) -> str:
    """Return the counts as a table of Markdown, a row for each format."""
    kinds = sorted({kind for kind, _ in found})
    lines = ["| format | " + " | ".join(COLUMNS) + " |", "|" + " --- |" * (len(COLUMNS) + 1)]
    for kind in [*kinds, "all"]:
        of = kinds if kind == "all" else [kind]
        cells = [f"{sum(found[k, column] for k in of):,}" for column in COLUMNS]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def faults(found: Counts) -> int:
    """Return how many files were treated as none should be."""
    return sum(count for (_, what), count in found.items() if what in FAULTS)


def main() -> int:
    """Try so many files and print the table; 1 where anything went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="folder for the files that did harm")
    asked = parser.parse_args()
    numbers = range(asked.first, asked.first + asked.files)
    found = run(numbers, seed=asked.seed, keep=asked.keep)
    print(table(found))
    return int(faults(found) > 0)


if __name__ == "__main__":
    sys.exit(main())
