"""nEMO: Polish, nine actors, six emotions, 90 sentences; 4,481 clips.

Names: EB0_anger_1 = speaker, emotion, sentence. The corpus's own table says who is a
woman.
"""

from __future__ import annotations

from ser_cli.data import naming

WOMEN = ("EB0", "IC0", "KD0", "MK0")

parse = naming.by_name(
    r"([A-Z]{2}\d)_(anger|fear|happiness|neutral|sadness|surprised)_(\d+)",
    lambda name: {
        "emotion": name[2],
        "speaker": name[1],
        "statement": name[3],
        "sex": "female" if name[1] in WOMEN else "male",
    },
)

CORPUS = naming.corpus(
    "nemo",
    "nEMO, Polish, 9 actors, 6 emotions",
    lambda path: parse(path.stem),
    parse=parse,
    source=naming.on_github(
        "nemo", parse, repository="amu-cai/nEMO", commit="66de9999a8f2f605eb5f64841790aa5cb0877782"
    ),
    licence="CC BY-NC-SA 4.0 (non-commercial, name the source, share alike)",
    citation=(
        "Christop I (2024) nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024. "
        "https://github.com/amu-cai/nEMO"
    ),
)
