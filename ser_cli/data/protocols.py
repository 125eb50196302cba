"""The published ways to split RAVDESS: what `ser evaluate --protocol` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data.corpora.ravdess import DEV_SPEAKERS, UNTOUCHED_SPEAKERS
from ser_cli.data.splits import Split, random_split, speaker_split, stratified
from ser_cli.errors import UsageError

if TYPE_CHECKING:
    from ser_cli.types import Clip

    Clips = tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A published way to split RAVDESS.

    Attributes:
        name: What `--protocol` takes.
        about: One line for `--help` and reports.
        parts: The parts of the test set that are reported, each a row of results.
        leaky: Whether test speakers are in training.
        folds: Clips and seed -> one Split a fold.
    """

    name: str
    about: str
    parts: tuple[str, ...]
    leaky: bool
    folds: Callable[[Clips, int], tuple[Split, ...]]


def protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"there is no protocol {name!r}", hint="known: " + ", ".join(PROTOCOLS))
    return PROTOCOLS[name]


def part_of(clips: Clips, part: str) -> Clips:
    """Return the clips of "speech", "song" or "speech+song"."""
    return tuple(clip for clip in clips if clip.channel in part.split("+"))


def _speech_folds(*folds: tuple[int, ...]) -> Callable[[Clips, int], tuple[Split, ...]]:
    """Folds by actor: the next fold is dev; songs of the training actors may be learned from."""
    named = [[f"{actor:02d}" for actor in fold] for fold in folds]

    def split(clips: Clips, seed: int) -> tuple[Split, ...]:
        del seed
        parts = []
        for k, test in enumerate(named):
            whole = speaker_split(clips, dev=named[(k + 1) % len(named)], test=test)
            dev, test_clips = (part_of(part, "speech") for part in (whole.dev, whole.test))
            parts.append(Split(whole.train, dev, test_clips, leaky=False))
        return tuple(parts)

    return split


def _actors_21_24(clips: Clips, seed: int) -> tuple[Split, ...]:
    del seed
    return (speaker_split(clips, dev=DEV_SPEAKERS, test=UNTOUCHED_SPEAKERS),)


def _random70(clips: Clips, seed: int) -> tuple[Split, ...]:
    del seed
    return (random_split(clips, 42),)


def _random70_speech(clips: Clips, seed: int) -> tuple[Split, ...]:
    return _random70(part_of(clips, "speech"), seed)


def _random10(clips: Clips, seed: int) -> tuple[Split, ...]:
    from sklearn.model_selection import KFold

    speech = np.array(part_of(clips, "speech"), dtype=object)
    splits = []
    for known, test in KFold(10, shuffle=True, random_state=seed).split(speech):
        train, dev = stratified(tuple(speech[known]), 0.1, seed)
        splits.append(Split(train, dev, tuple(speech[test]), leaky=True))
    return tuple(splits)


ALL_PARTS = ("speech+song", "speech", "song")

PROTOCOLS = {
    found.name: found
    for found in (
        Protocol(
            "actors21-24",
            "train on actors 1-16, dev 17-20, test 21-24",
            ALL_PARTS,
            leaky=False,
            folds=_actors_21_24,
        ),
        # EmoBox, Ma et al., Interspeech 2024.
        Protocol(
            "emobox6",
            "6 folds by actor (EmoBox 2024)",
            ("speech",),
            leaky=False,
            folds=_speech_folds(
                (1, 11, 20, 21),
                (4, 10, 12, 14),
                (8, 9, 19, 23),
                (3, 5, 7, 24),
                (2, 15, 16, 18),
                (6, 13, 17, 22),
            ),
        ),
        # Luna-Jimenez et al., Sensors 2021 and Applied Sciences 2022.
        Protocol(
            "luna5",
            "5 folds by actor (Luna-Jimenez 2021)",
            ("speech",),
            leaky=False,
            folds=_speech_folds(
                (2, 5, 14, 15, 16),
                (3, 6, 7, 13, 18),
                (10, 11, 12, 19, 20),
                (8, 17, 21, 23, 24),
                (1, 4, 9, 22),
            ),
        ),
        Protocol(
            "random70",
            "stratified 70/15/15 whoever speaks, seed 42 (the seeds' way)",
            ALL_PARTS,
            leaky=True,
            folds=_random70,
        ),
        Protocol(
            "random70-speech",
            "the same on the speech clips alone",
            ("speech",),
            leaky=True,
            folds=_random70_speech,
        ),
        Protocol(
            "random10",
            "10 random folds of the speech clips",
            ("speech",),
            leaky=True,
            folds=_random10,
        ),
    )
}
