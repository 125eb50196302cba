"""TESS: English, two women, seven emotions, 200 words in one carrier phrase; 2,800 clips.

Names: OAF_food_fear = speaker, word, emotion ("ps" is pleasant surprise). Two voices and one
phrase: a random split says 99 %, so train on one and test on the other.
"""

from __future__ import annotations

from ser_cli.data import naming

parse = naming.by_name(
    r"(OAF?|YAF)_([A-Za-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)",
    lambda name: {
        "emotion": name[3],
        "speaker": name[1][0] + "AF",  # one name of the published copy lacks the F
        "statement": name[2].lower(),
        "sex": "female",
    },
)

CORPUS = naming.corpus(
    "tess",
    "TESS, English, 2 women, 7 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    licence="CC BY-NC-ND 4.0 (non-commercial, no derivatives: not for weights that are shared)",
    citation=(
        "Pichora-Fuller MK, Dupuis K (2020) Toronto emotional speech set (TESS). Borealis. "
        "https://doi.org/10.5683/SP2/E8H2MF"
    ),
)
