"""What a timeline of a long recording is worth, and what it takes.

    python tests/benchmarks/long_recordings.py FOLDER
    python tests/benchmarks/long_recordings.py FOLDER --hours 10

The first trains `voice` on actors 1 to 14 of RAVDESS (15 and 16 are dev), says the clips of actors
17 to 24 in a random order, with pauses of up to 1.5 s, into one recording of about an hour, and
compares its timeline with what is spoken every .1 s, as UAR; frames in which the timeline says
that nobody speaks are mistakes. Nothing of the timeline was chosen on these voices. The second
plays that recording over and over, and measures the shipped model: seconds for an hour of sound,
and the memory of the process at its peak.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

if __package__ != "benchmarks":  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
import soundfile

from ser_cli.data import corpora
from ser_cli.data.store import write_csv
from ser_cli.sound import audio
from ser_cli.sound.speech import speech_part
from ser_cli.types import Clip

RATE = 16_000
FRAME_S = 0.1
HELD_OUT = range(17, 25)
DEV = (15, 16)
PAUSE_S = 1.5
NOBODY = "nobody"
Truth = list[tuple[float, float, str]]  # when which emotion is spoken


def actor(clip: Clip) -> int:
    """Return the number of a clip's speaker."""
    return int(clip.speaker.rpartition("/")[2])


def train(folder: Path, clips: Sequence[Clip]) -> Path:
    """Train on the other actors, unless that was done; return the artifacts folder."""
    part = {True: "dev", False: "train"}
    rows = [
        (clip.path, clip.emotion, clip.speaker, part[actor(clip) in DEV])
        for clip in clips
        if actor(clip) not in HELD_OUT
    ]
    write_csv(folder / "clips.csv", [("file", "emotion", "speaker", "split"), *rows])
    trained = folder / "trained"
    if not (trained / "manifest.json").is_file():
        words = ["train", "--recipe", "voice", "--data", str(folder / "clips.csv")]
        ser = [sys.executable, "-m", "ser_cli", *words, "--artifacts", str(trained)]
        subprocess.run(ser, check=True)
    return trained


def say(folder: Path, clips: Sequence[Clip]) -> tuple[Path, Truth]:
    """Write the held-out clips one after the other; return the file, and what is spoken when."""
    rng = np.random.default_rng(0)
    spoken = [clip for clip in clips if actor(clip) in HELD_OUT]
    path, truth, at = folder / "hour.flac", [], 0
    with soundfile.SoundFile(path, "w", RATE, 1) as sound:
        for place in rng.permutation(len(spoken)):
            wave = audio.load(spoken[place].path, sample_rate=RATE).waveform
            part = speech_part(wave)
            truth.append(((at + part.start) / RATE, (at + part.stop) / RATE, spoken[place].emotion))
            pause = np.zeros(round(rng.uniform(0, PAUSE_S) * RATE), np.float32)
            sound.write(np.concatenate([wave, pause]))
            at += len(wave) + len(pause)
    return path, truth


def frames(stretches: Iterator[tuple[float, float, str]], count: int) -> list[str]:
    """Return what is said in each frame of FRAME_S."""
    said = [NOBODY] * count
    for start, end, emotion in stretches:
        for frame in range(round(start / FRAME_S), min(count, round(end / FRAME_S))):
            said[frame] = emotion
    return said


def predicted(path: Path, words: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of `ser predict`."""
    ser = [sys.executable, "-m", "ser_cli", "predict", str(path), *words]
    done = subprocess.run(ser, check=True, capture_output=True, text=True)
    return list(csv.DictReader(done.stdout.splitlines()))


def score(path: Path, truth: Truth, words: Sequence[str]) -> dict[str, float]:
    """Compare rows with the truth."""
    begun = time.monotonic()
    rows = predicted(path, words)
    seconds = time.monotonic() - begun
    length = soundfile.info(path).duration
    count = round(length / FRAME_S)
    true = frames(iter(truth), count)
    spans = ((float(row["start"]), float(row["end"]), row["emotion"]) for row in rows)
    said = frames(spans, count)
    speech = [place for place, emotion in enumerate(true) if emotion != NOBODY]
    quiet = [place for place, emotion in enumerate(true) if emotion == NOBODY]
    emotions = sorted({true[place] for place in speech})
    recalls = [
        np.mean([said[place] == emotion for place in speech if true[place] == emotion])
        for emotion in emotions
    ]
    return {
        "hours": round(length / 3600, 3),
        "rows": len(rows),
        "uar": round(100 * float(np.mean(recalls)), 1),
        "speech found": round(100 * float(np.mean([said[p] != NOBODY for p in speech])), 1),
        "pauses found": round(100 * float(np.mean([said[p] == NOBODY for p in quiet])), 1),
        "seconds": round(seconds, 1),
    }


def long(path: Path, folder: Path, hours: float) -> dict[str, float]:
    """Play a recording over and over, and measure its timeline by the shipped model."""
    wave, _ = soundfile.read(path, dtype="int16")
    times = max(1, round(hours * 3600 * RATE / len(wave)))
    with soundfile.SoundFile(folder / "long.flac", "w", RATE, 1) as sound:
        for _ in range(times):
            sound.write(wave)
    del wave
    begun = time.monotonic()
    rows = predicted(folder / "long.flac", ["--timeline"])
    seconds = time.monotonic() - begun
    length = soundfile.info(folder / "long.flac").duration / 3600
    (folder / "long.flac").unlink()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "hours": round(length, 2),
        "rows": len(rows),
        "seconds per hour": round(seconds / length, 1),
        "peak MB": round(peak),
    }


def main() -> None:
    """Print the figures as JSON, one object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=0.0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    clips = corpora.load("ravdess")
    path, truth = say(asked.folder, clips)
    if asked.hours:
        print(json.dumps(long(path, asked.folder, asked.hours)), flush=True)
        return
    trained = ["--artifacts", str(train(asked.folder, clips))]
    for words in (["--timeline"], ["--window", "4", "--step", "1"]):
        print(json.dumps({"how": " ".join(words), **score(path, truth, [*words, *trained])}))


if __name__ == "__main__":
    main()
