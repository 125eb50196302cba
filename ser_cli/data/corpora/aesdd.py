"""AESDD: Greek, six actors, five emotions (no neutral); 604 readable clips.

Names: "a01 (1)" = emotion's first letter, sentence, speaker, and "b" after that for a second take.
As published, `s05 (3).wav` is empty. The names say too little to be known for this corpus's
anywhere; with the folder of their emotion around them they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ser_cli.data import naming

_LETTERS = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}

_parse = naming.by_name(
    r"([adfhs])(\d\d) \(0?([1-6])\)([a-z]?)",
    lambda name: {"emotion": _LETTERS[name[1]], "speaker": name[3], "statement": name[2]},
)


def read(path: Path) -> Mapping[str, str] | None:
    """Read a path: its name, if the folder is that emotion's."""
    facts = _parse(path.stem)
    return facts if facts and path.parent.name.lower() == _LETTERS[path.stem[0]] else None


CORPUS = naming.corpus(
    "aesdd",
    "AESDD, Greek, 6 actors, 5 emotions",
    read,
    licence="not stated by its publisher; a copy elsewhere is tagged CC BY 4.0",
    citation=(
        "Vryzas N, Kotsakis R, Liatsou A, Dimoulas CA, Kalliris G (2018) Speech Emotion "
        "Recognition for Performance Interaction. J. Audio Eng. Soc. 66(6): 457-467."
    ),
)
