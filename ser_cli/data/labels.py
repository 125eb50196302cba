"""Names of emotions, in the one spelling that is used here."""

from __future__ import annotations

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


def normalise_label(text: str) -> str:
    """Return the one spelling of an emotion; a label that is not known is only tidied.

    >>> normalise_label(" Fear "), normalise_label("pleasant_surprise"), normalise_label("Bored")
    ('fearful', 'surprised', 'bored')
    """
    label = " ".join(text.replace("_", " ").lower().split())
    return _SPELLINGS.get(label, label)
