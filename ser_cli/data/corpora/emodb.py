"""EMO-DB: German, ten actors, seven emotions, ten sentences; 535 clips.

Names: 03a01Fa = speaker, sentence, emotion (the initial of its German name), take. Boredom is no
emotion of the other corpora; `--exclude bored` leaves it out.
"""

from __future__ import annotations

from ser_cli.data import naming

MEN = ("03", "10", "11", "12", "15")
_LETTERS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}

parse = naming.by_name(
    r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])",
    lambda name: {
        "emotion": _LETTERS[name[3]],
        "speaker": name[1],
        "statement": name[2],
        "repetition": name[4],
        "sex": "male" if name[1] in MEN else "female",
    },
)

CORPUS = naming.corpus(
    "emodb",
    "EMO-DB, German, 10 actors, 7 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    licence="free for research, without a stated licence",
    citation=(
        "Burkhardt F, Paeschke A, Rolfes M, Sendlmeier W, Weiss B (2005) A Database of German "
        "Emotional Speech. Interspeech 2005."
    ),
)
