"""EMOVO: Italian, six actors, seven emotions, 14 sentences; 588 clips.

Names: dis-f1-b1 = emotion, speaker, sentence.
"""

from __future__ import annotations

from ser_cli.data import naming

_CODES = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}

parse = naming.by_name(
    r"(dis|gio|neu|pau|rab|sor|tri)-([fm][123])-([bdln]\d)",
    lambda name: {
        "emotion": _CODES[name[1]],
        "speaker": name[2],
        "statement": name[3],
        "sex": "female" if name[2][0] == "f" else "male",
    },
)

CORPUS = naming.corpus(
    "emovo",
    "EMOVO, Italian, 6 actors, 7 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    licence="not stated by its publisher; for research",
    citation=(
        "Costantini G, Iaderola I, Paoloni A, Todisco M (2014) EMOVO Corpus: an Italian Emotional "
        "Speech Database. LREC 2014."
    ),
)
