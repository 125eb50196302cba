"""RAVDESS, audio only: 24 actors, 1,440 speech and 1,012 song clips, eight emotions.

File names state everything: modality-channel-emotion-intensity-statement-repetition-actor. The
index next to this file holds the SHA-256 of every clip's decoded samples, so that a copy is
verified whatever it came from and whatever lossless format it is kept in. As published, two of
them are the same recording: 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.protocols import Protocol, random_folds, random_once, speaker_folds, speakers_once
from ser_cli.data.store import remembered
from ser_cli.data.verification import Archive, Source
from ser_cli.errors import DataError
from ser_cli.sound.files import audio_files
from ser_cli.types import Clip

NAME = "ravdess"
VARIABLE = "SER_RAVDESS_DIR"

_FETCH = "fetch it with `ser download-ravdess`, or set SER_RAVDESS_DIR to your copy"
_FIELDS = re.compile(
    r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])"
    r"(?:_[a-z]+)?(?:\.\w+)?"  # some copies append the emotion
)
_AUDIO_ONLY = "03"
_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_CHANNELS = {"01": "speech", "02": "song"}
_INTENSITIES = {"01": "normal", "02": "strong"}
# "Kids are talking by the door", "Dogs are sitting by the door".
_STATEMENTS = {"01": "kids", "02": "dogs"}


def parse(name: str) -> Mapping[str, str] | None:
    """Read a file name's fields.

    >>> parse("03-01-06-01-02-01-12.wav")["emotion"]
    'fearful'

    Args:
        name: A file name, with or without its extension.

    Returns:
        emotion, speaker, channel, intensity, statement, repetition and sex; None where the name
        is not RAVDESS's or the file is one of its videos.
    """
    match = _FIELDS.fullmatch(name)
    if match is None or match[1] != _AUDIO_ONLY:
        return None
    _, channel, emotion, intensity, statement, repetition, actor = match.groups()
    return {
        "emotion": _EMOTIONS[int(emotion) - 1],
        "speaker": actor,
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
            SER_RAVDESS_DIR, else for the one `ser download-ravdess` used last, else for that here.

    Raises:
        DataError: The corpus was not fetched, the folder is gone, or it holds none of its clips.
    """
    folder = _home() if data == NAME else Path(data)
    if not folder.is_dir():
        raise DataError(f"RAVDESS is not in {folder}: no such folder", hint=_FETCH)
    clips = tuple(_clip(path) for path in SOURCE.paths(folder).values())
    if not clips:
        raise DataError(f"{folder} holds no sound files with RAVDESS's names", hint=_FETCH)
    return clips


def _clip(path: Path) -> Clip:
    facts = dict(parse(path.name) or {})
    return Clip(path, emotion=facts.pop("emotion"), speaker=facts.pop("speaker"), facts=facts)


def _home() -> Path:
    home = os.environ.get(VARIABLE) or remembered(NAME) or NAME
    if home == NAME and not Path(NAME).is_dir():
        raise DataError("RAVDESS is not on this machine yet", hint=_FETCH)
    return Path(home)


def _part(name: str) -> str | None:
    facts = parse(name)
    return facts["channel"] if facts else None


def _place(name: str) -> str:
    facts = parse(name) or {}
    return f"{facts['channel']}/Actor_{facts['speaker']}"


# Sizes and MD5 of the archives as Zenodo states them.
_ZENODO = "https://zenodo.org/records/1188976/files"
SOURCE = Source(
    archives={
        part: Archive(
            name, f"https://zenodo.org/records/1188976/files/{name}?download=1", size, md5
        )
        for part, name, size, md5 in (
            (
                "speech",
                "Audio_Speech_Actors_01-24.zip",
                208_468_073,
                "bc696df654c87fed845eb13823edef8a",
            ),
            (
                "song",
                "Audio_Song_Actors_01-24.zip",
                225_505_317,
                "5411230427d67a21e18aa4d466e6d1b9",
            ),
        )
    },
    index=Path(__file__).with_name("ravdess_index.csv"),
    part=_part,
    home=_place,
    most_samples=60 * 48_000,  # the longest clip lasts under 7 s
    variable=VARIABLE,
)

# Settings and ideas are never chosen on these actors: they are the last, untouched check.
HELD_OUT = ("21", "22", "23", "24")

_EMOBOX = (
    (1, 11, 20, 21),
    (4, 10, 12, 14),
    (8, 9, 19, 23),
    (3, 5, 7, 24),
    (2, 15, 16, 18),
    (6, 13, 17, 22),
)
_LUNA = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)


def _actors(folds: tuple[tuple[int, ...], ...]) -> list[list[str]]:
    return [[f"{NAME}/{actor:02d}" for actor in fold] for fold in folds]


ALL_PARTS = ("speech+song", "speech", "song")
PROTOCOLS = (
    Protocol(
        "actors21-24",
        "train on actors 1-16, dev 17-20, test 21-24",
        ALL_PARTS,
        folds=speakers_once(
            dev=_actors(((17, 18, 19, 20),))[0], test=[f"{NAME}/{actor}" for actor in HELD_OUT]
        ),
    ),
    # Songs of the training actors may be learned from, never those of a dev or test actor.
    Protocol(
        "emobox6",
        "6 folds by actor (EmoBox, Ma et al., Interspeech 2024)",
        ("speech",),
        folds=speaker_folds(_actors(_EMOBOX), "speech"),
    ),
    Protocol(
        "luna5",
        "5 folds by actor (Luna-Jimenez et al., Sensors 2021)",
        ("speech",),
        folds=speaker_folds(_actors(_LUNA), "speech"),
    ),
    Protocol(
        "random70",
        "stratified 70/15/15 whoever speaks, seed 42 (as in the reference notebooks)",
        ALL_PARTS,
        leaky=True,
        folds=random_once(42),
    ),
    Protocol(
        "random70-speech",
        "the same on the speech clips alone",
        ("speech",),
        leaky=True,
        folds=random_once(42, "speech"),
    ),
    Protocol(
        "random10",
        "10 random folds of the speech clips",
        ("speech",),
        leaky=True,
        folds=random_folds(10, "speech"),
    ),
)

CORPUS = Corpus(
    name=NAME,
    about="RAVDESS speech and song, 24 actors, 8 emotions (ser download-ravdess)",
    matches=matches,
    load=load,
    parse=parse,
    licence="CC BY-NC-SA 4.0 (non-commercial, name the source, share alike)",
    citation=(
        "Livingstone SR, Russo FA (2018) The Ryerson Audio-Visual Database of Emotional Speech "
        "and Song (RAVDESS). PLoS ONE 13(5): e0196391. "
        "https://doi.org/10.1371/journal.pone.0196391"
    ),
    is_fair=lambda clip: clip.facts["channel"] == "speech",
    held_out=HELD_OUT,
    protocols=PROTOCOLS,
    usual_protocol="actors21-24",
    source=SOURCE,
)
