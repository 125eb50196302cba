"""SAVEE: English, four men, seven emotions; 480 clips.

Names: a01 in a folder DC, JE, JK or KL, or DC_a01 = speaker, emotion, number.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ser_cli.data import naming

SPEAKERS = ("DC", "JE", "JK", "KL")
_CODES = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}

parse = naming.by_name(
    r"(DC|JE|JK|KL)_(sa|su|a|d|f|h|n)(\d\d)",
    lambda name: {"emotion": _CODES[name[2]], "speaker": name[1], "sex": "male"},
)


def read(path: Path) -> Mapping[str, str] | None:
    """Read a path: its name, or its name in the folder of a speaker."""
    folder = path.parent.name
    return parse(path.stem) or (parse(f"{folder}_{path.stem}") if folder in SPEAKERS else None)


CORPUS = naming.corpus(
    "savee",
    "SAVEE, English, 4 men, 7 emotions",
    read,
    parse=parse,
    licence="free for research, on registration with its publisher",
    citation=(
        "Haq S, Jackson PJB (2010) Multimodal Emotion Recognition. In: Machine Audition, IGI "
        "Global, 398-423. http://kahlan.eps.surrey.ac.uk/savee/"
    ),
)
