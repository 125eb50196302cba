"""ASED: Amharic, 65 speakers, five emotions, seven sentences; 2,474 clips.

Names: a5-03-01-02-50 = emotion, sentence, take, sex, number of the speaker; some numbers occur
with both sexes, so a speaker is both. Sentences 01 and 02 are said in every emotion, each of the
other five in one alone: what is said there gives the emotion away.
"""

from __future__ import annotations

from ser_cli.data import naming

FAIR = ("01", "02")  # sentences said in every emotion: those that a model can be judged by
_LETTERS = {"n": "neutral", "f": "fear", "h": "happiness", "s": "sadness", "a": "anger"}

parse = naming.by_name(
    r"([nfhsaS])[1-5]-(0[1-7])-(0[12])-(0[12])-(\d\d)",
    lambda name: {
        "emotion": _LETTERS[name[1].lower()],
        "speaker": f"{name[4]}-{name[5]}",
        "statement": name[2],
        "repetition": name[3],
        "sex": "female" if name[4] == "01" else "male",
    },
)

CORPUS = naming.corpus(
    "ased",
    "ASED, Amharic, 65 speakers, 5 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    is_fair=lambda clip: clip.facts["statement"] in FAIR,
    source=naming.on_github(
        "ased",
        parse,
        repository="Ethio2021/ASED_V1",
        commit="30fee0345cbd37e12dd725fbe69f90522cffb046",
    ),
    licence="not stated by its publisher; its paper says that it is freely available",
    citation=(
        "Retta EA, Almekhlafi E, Sutcliffe R, Mhamed M, Ali H, Feng J (2022) A New Amharic Speech "
        "Emotion Dataset and Classification Benchmark. ACM TALLIP 22(1)."
    ),
)
