"""RAVDESS, audio only: 24 actors, 1,440 speech and 1,012 song clips, eight emotions.

File names say everything: modality-channel-emotion-intensity-statement-repetition-actor. The
index beside this file holds the SHA-256 of every clip's decoded samples, so that a copy is
verified whatever it came from and whatever lossless format it is kept in. As published, two of
them are the same recording: 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ser_cli.data.corpora import audio_files
from ser_cli.data.store import remembered, write_text
from ser_cli.errors import DataError
from ser_cli.types import Clip, Progress

NAME = "ravdess"
ABOUT = "RAVDESS speech and song, 24 actors, 8 emotions (ser download-ravdess)"
LICENCE = "CC BY-NC-SA 4.0 (non-commercial, name the source, share alike)"
CITATION = (
    "Livingstone SR, Russo FA (2018) The Ryerson Audio-Visual Database of Emotional Speech and "
    "Song (RAVDESS). PLoS ONE 13(5): e0196391. https://doi.org/10.1371/journal.pone.0196391"
)

Subset = Literal["speech", "song", "all"]

# Settings and ideas are never chosen on these actors: they are the last, untouched check.
UNTOUCHED_SPEAKERS = ("21", "22", "23", "24")
# They choose the epoch of a model that is checked on those.
DEV_SPEAKERS = ("17", "18", "19", "20")

_FETCH = "fetch it with `ser download-ravdess`, or set SER_RAVDESS_DIR to your copy"
_INDEX = Path(__file__).with_name("ravdess_index.csv")
_FIELDS = re.compile(
    r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])(?:\.\w+)?"
)
_AUDIO_ONLY = "03"
_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_CHANNELS = {"01": "speech", "02": "song"}
_INTENSITIES = {"01": "normal", "02": "strong"}
# "Kids are talking by the door", "Dogs are sitting by the door".
_STATEMENTS = {"01": "kids", "02": "dogs"}
_SPEECH_MD5 = "bc696df654c87fed845eb13823edef8a"
_SONG_MD5 = "5411230427d67a21e18aa4d466e6d1b9"
# The longest clip lasts under 7 s; a header that claims more is not decoded.
_MOST_SAMPLES = 60 * 48_000


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file of clips: its address, and size in bytes and MD5 where they are known."""

    name: str
    url: str
    size: int | None = None
    md5: str | None = None


# Zenodo record 1188976; sizes and MD5 as Zenodo states them.
ARCHIVES: Mapping[str, Archive] = {
    channel: Archive(name, f"https://zenodo.org/records/1188976/files/{name}?download=1", size, md5)
    for channel, name, size, md5 in (
        ("speech", "Audio_Speech_Actors_01-24.zip", 208_468_073, _SPEECH_MD5),
        ("song", "Audio_Song_Actors_01-24.zip", 225_505_317, _SONG_MD5),
    )
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What a folder holds of the corpus: names of clips missing and wrong, count of right ones."""

    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    ok: int


def parse(name: str) -> dict[str, str] | None:
    """Read a file name's fields as `Clip` has them.

    >>> parse("03-01-06-01-02-01-12.wav")["emotion"]
    'fearful'

    Args:
        name: A file name, with or without its extension.

    Returns:
        emotion, speaker, corpus, channel, intensity, statement, repetition and sex; None where
        the name is not RAVDESS's or the file is one of its videos.
    """
    match = _FIELDS.fullmatch(name)
    if match is None or match[1] != _AUDIO_ONLY:
        return None
    _, channel, emotion, intensity, statement, repetition, actor = match.groups()
    return {
        "emotion": _EMOTIONS[int(emotion) - 1],
        "speaker": actor,
        "corpus": NAME,
        "channel": _CHANNELS[channel],
        "intensity": _INTENSITIES[intensity],
        "statement": _STATEMENTS[statement],
        "repetition": repetition[1],
        "sex": "male" if int(actor) % 2 else "female",
    }


def matches(data: str) -> bool:
    """Tell whether this is a folder whose sound files carry RAVDESS's names.

    Actor_XX folders are evidence enough, so that one stray file does not turn them into labels.
    """
    root = Path(data)
    if not root.is_dir():
        return False
    named = [bool(_FIELDS.fullmatch(path.name)) for path in audio_files(root)]
    actors = any(re.fullmatch(r"Actor_\d\d", folder.name) for folder in root.rglob("Actor_*"))
    return any(named) and (all(named) or actors)


def load(data: str) -> tuple[Clip, ...]:
    """Return the clips of the corpus, each once, ordered by file name.

    Args:
        data: A folder, in any nesting; or "ravdess", which stands for the folder in
            SER_RAVDESS_DIR, else for the one `ser download-ravdess` used last.

    Raises:
        DataError: The corpus was not fetched, the folder is gone, or it holds none of its clips.
    """
    folder = _home() if data == NAME else Path(data)
    if not folder.is_dir():
        raise DataError(f"RAVDESS is not in {folder}: no such folder", hint=_FETCH)
    paths = clip_paths(folder).values()
    clips = tuple(Clip(path, **fields) for path in paths if (fields := parse(path.name)))
    if not clips:
        raise DataError(f"{folder} holds no sound files with RAVDESS's names", hint=_FETCH)
    return clips


def missing_from(clips: Sequence[Clip]) -> int:
    """Return how many of the corpus's 2,452 clips are not among these."""
    return len(index().keys() - {clip.path.stem for clip in clips})


def _home() -> Path:
    home = os.environ.get("SER_RAVDESS_DIR") or remembered(NAME)
    if not home:
        raise DataError("RAVDESS is not on this machine yet", hint=_FETCH)
    return Path(home)


def clip_paths(folder: Path) -> dict[str, Path]:
    """Return clip name (without extension) -> file, ordered by file name.

    Each clip counts once: published copies hold some files twice, in a second folder.
    """
    found: dict[str, Path] = {}
    for path in audio_files(folder):
        if parse(path.name):
            found.setdefault(path.stem, path)
    return found


def index(subset: Subset = "all") -> dict[str, str]:
    """Return clip name (without extension) -> SHA-256 of its decoded samples."""
    with _INDEX.open(encoding="utf-8", newline="") as lines:
        rows = {row["name"]: row["sha256"] for row in csv.DictReader(lines)}
    return {name: digest for name, digest in rows.items() if in_subset(name, subset)}


def in_subset(name: str, subset: Subset) -> bool:
    """Tell whether a file name belongs to the speech, to the song, or to either."""
    fields = parse(name)
    return fields is not None and subset in ("all", fields["channel"])


def verify(
    folder: Path,
    progress: Progress | None = None,
    *,
    subset: Subset = "all",
    trusted: Collection[str] = (),
) -> Verification:
    """Compare the clips in a folder with the index, sample by sample.

    Args:
        folder: Where the clips lie, in any nesting and any lossless format.
        progress: Told (clips done, clips in all, "verifying").
        subset: Which part of the corpus should be there.
        trusted: Names of clips found right before and not touched since: they are not read.
    """
    expected = index(subset)
    here = clip_paths(folder)
    names = [name for name in expected if name in here and name not in trusted]
    wrong = []
    digests = _digests([here[name] for name in names])
    for done, (name, found) in enumerate(zip(names, digests, strict=True), start=1):
        if found != expected[name]:
            wrong.append(name)
        if progress:
            progress(done, len(names), "verifying")
    missing = tuple(name for name in expected if name not in here)
    return Verification(missing, tuple(wrong), len(expected) - len(missing) - len(wrong))


def digest(path: Path) -> str:
    """Return the SHA-256 of a clip's samples: int16, little-endian, channels interleaved.

    A file that cannot be decoded, or claims to be longer than any clip, has the digest "".
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as sound:
            if sound.frames * sound.channels > _MOST_SAMPLES:
                return ""
            return sha256(sound.read(dtype="int16").astype("<i2").tobytes()).hexdigest()
    except (OSError, RuntimeError):
        return ""


def write_index(folder: Path, path: Path) -> None:
    """Write the index of a folder that is known to be right (how the committed one was made)."""
    here = clip_paths(folder)
    rows = zip(here, _digests(list(here.values())), strict=True)
    write_text(path, "".join(["name,sha256\n", *(f"{name},{found}\n" for name, found in rows)]))


def _digests(paths: Sequence[Path]) -> Iterator[str]:
    """Digest files in threads: decoding and hashing both leave the interpreter free."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor()
    try:
        yield from pool.map(digest, paths)
    finally:
        pool.shutdown(cancel_futures=True)
