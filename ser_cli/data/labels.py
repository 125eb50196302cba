"""Names of emotions, in the one spelling that is used here."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from ser_cli.disarm import visible
from ser_cli.errors import UsageError

EMOTIONS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")

# What corpora with other sets of labels are compared by.
GROUPS = {"angry": "angry", "calm": "neutral", "happy": "happy", "neutral": "neutral", "sad": "sad"}

# Spellings met in papers and in other corpora's file names (TESS writes "ps").
_SPELLINGS = {
    "anger": "angry",
    "calmness": "calm",
    "disgusted": "disgust",
    "fear": "fearful",
    "afraid": "fearful",
    "happiness": "happy",
    "joy": "happy",
    "neutrality": "neutral",
    "sadness": "sad",
    "surprise": "surprised",
    "ps": "surprised",
    "pleasant surprise": "surprised",
    "pleasant surprised": "surprised",
    "boredom": "bored",
}

# Further words for emotions, in nine languages: kept as they are, but known to be labels.
_WORDS = Path(__file__).with_name("emotion_words.txt")


def normalise_label(text: str) -> str:
    """Return the one spelling of an emotion; a label that is not known is only tidied.

    What a terminal would obey is an escape from here on, in whatever is printed, drawn or written.

    >>> normalise_label(" Fear "), normalise_label("pleasant_surprise"), normalise_label("Bored")
    ('fearful', 'surprised', 'bored')
    """
    # Composed: a Mac writes "Ä" as two characters, which look the same and are not.
    plain = unicodedata.normalize("NFC", text).replace("_", " ").replace("-", " ")
    label = visible(" ".join(plain.lower().split()))
    return _SPELLINGS.get(label, label)


def labels_of(text: str | None) -> tuple[str, ...]:
    """Return the emotions of a list like "angry, happy", in the one spelling of each.

    Raises:
        UsageError: There are fewer than two.
    """
    found = tuple(normalise_label(name) for name in (text or "").split(",") if name.strip())
    if text is not None and len({*found}) < 2:
        raise UsageError(
            f"--labels names {len({*found})} emotions, and one must be chosen among some",
            hint="--labels angry,happy,neutral,sad",
        )
    return found


def is_emotion(label: str) -> bool:
    """Tell whether a normalised label is a word for an emotion, as far as the list goes."""
    return label in EMOTIONS or label in _words()


@cache
def _words() -> frozenset[str]:
    return frozenset(_WORDS.read_text(encoding="utf-8").split())
