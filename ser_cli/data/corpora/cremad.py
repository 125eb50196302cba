"""CREMA-D: English, 91 actors, six emotions, 12 sentences; 7,442 clips.

Names: 1001_IEO_ANG_HI = actor, sentence, emotion, level. One clip's level is written X instead of
XX, and 1076_MTI_SAD_XX is silent.
"""

from __future__ import annotations

from ser_cli.data import naming

_CODES = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}

parse = naming.by_name(
    r"(10[0-8]\d|109[01])_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)",
    lambda name: {
        "emotion": _CODES[name[3]],
        "speaker": name[1],
        "statement": name[2],
        "intensity": _LEVELS.get(name[4], "unspecified"),
    },
)

CORPUS = naming.corpus(
    "cremad",
    "CREMA-D, English, 91 actors, 6 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    licence="ODbL 1.0 (name the source, share alike)",
    citation=(
        "Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014) CREMA-D: Crowd-sourced "
        "Emotional Multimodal Actors Dataset. IEEE Trans. Affective Computing 5(4): 377-390."
    ),
)
