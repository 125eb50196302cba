"""From clips to train, dev and test: random, by speaker, published folds; and the leak audit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data.corpora import has_speakers
from ser_cli.data.corpora.ravdess import UNTOUCHED_SPEAKERS
from ser_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from ser_cli.types import Clip, Floats

    Clips = tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts of a corpus; `leaky` where speakers are shared between them on purpose."""

    train: Clips
    dev: Clips
    test: Clips
    leaky: bool


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


@dataclass(frozen=True, slots=True)
class Audit:
    """What test clips have in common with the clips a model was trained or chosen on."""

    speakers: int
    files: int
    sounds: int

    def lines(self) -> tuple[str, ...]:
        """Say it, a line a kind; nothing where nothing is shared."""
        kinds = {"speakers": self.speakers, "files": self.files, "identical sounds": self.sounds}
        return tuple(f"{n} {kind} on both sides of the split" for kind, n in kinds.items() if n)


def by_speaker(clips: Clips, seed: int) -> Split:
    """Put a sixth of the speakers into test and a sixth into dev; one each at least.

    Raises:
        DataError: There are fewer than three speakers.
    """
    speakers = _speakers(clips)
    if len(speakers) < 3:
        raise DataError(
            f"a split by speaker needs 3, every clip's named; {len(speakers)} are known",
            hint="name them in a CSV with the columns file,emotion,speaker, or use --split random",
        )
    order = [speakers[i] for i in np.random.default_rng(seed).permutation(len(speakers))]
    share = max(1, round(len(order) / 6))
    return _speaker_split(clips, dev=order[share : 2 * share], test=order[:share])


def random_split(clips: Clips, seed: int) -> Split:
    """Split 70 / 15 / 15, stratified by emotion, whoever speaks: the reference systems' way.

    Raises:
        DataError: An emotion has too few clips to be in every part.
    """
    train, rest = _stratified(clips, 0.3, seed)
    dev, test = _stratified(rest, 0.5, seed)
    return Split(train, dev, test, leaky=True)


def from_table(clips: Clips) -> Split:
    """Take the parts that the corpus itself names; without dev, its training part is split.

    Raises:
        DataError: No clip is marked train.
    """
    train, dev, test = (tuple(c for c in clips if c.split == s) for s in ("train", "dev", "test"))
    if not train:
        raise DataError("no clip is marked train", hint="fill the column split of the table")
    if not dev:
        train, dev = _stratified(train, 0.15, 0)
    shared = {c.speaker for c in train + dev} & {c.speaker for c in test}
    unknown = not has_speakers(train + dev + test)
    return Split(train, dev, test, leaky=bool(test) and (bool(shared) or unknown))


def default_split(clips: Clips, seed: int) -> Split:
    """Choose as a careful user would: the table's own parts, else by speaker, else at random.

    RAVDESS is split as the protocol actors21-24 says, so that those actors stay unseen.
    """
    if any(clip.split for clip in clips):
        return from_table(clips)
    if set(UNTOUCHED_SPEAKERS) <= _ravdess_speakers(clips):
        return _actors_21_24(clips, seed)[0]
    return by_speaker(clips, seed) if len(_speakers(clips)) >= 3 else random_split(clips, seed)


def tuning_folds(clips: Clips, n_folds: int) -> tuple[Split, ...]:
    """Return speaker-independent folds without a test part, to choose settings by.

    Actors 21 to 24 of RAVDESS are left out: they are the check that no choice has seen. Speakers
    are dealt to the folds in turn, which balances RAVDESS's sexes (odd actors are male).

    Raises:
        DataError: There are fewer speakers than folds.
    """
    speakers = _speakers(tunable(clips))
    if len(speakers) < n_folds:
        raise DataError(
            f"{n_folds} folds need as many speakers, every clip's named; {len(speakers)} are known",
            hint="name them in a CSV with a column speaker, or use --split random",
        )
    folds = (speakers[k::n_folds] for k in range(n_folds))
    return tuple(_speaker_split(tunable(clips), dev=fold, test=()) for fold in folds)


def tunable(clips: Clips) -> Clips:
    """Return the clips that settings may be chosen on."""
    return tuple(c for c in clips if c.corpus != "ravdess" or c.speaker not in UNTOUCHED_SPEAKERS)


def audit(split: Split, features: dict[Path, Floats]) -> Audit:
    """Count test speakers, files and sounds that are also in train or dev.

    Args:
        split: The parts.
        features: By path; equal features are taken for identical sound.
    """
    known = split.train + split.dev

    def digests(clips: Clips) -> set[bytes]:
        return {hashlib.sha256(features[c.path].tobytes()).digest() for c in clips}

    return Audit(
        speakers=len({c.speaker for c in known if c.speaker} & {c.speaker for c in split.test}),
        files=len({c.path for c in known} & {c.path for c in split.test}),
        sounds=len(digests(known) & digests(split.test)),
    )


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


def _speakers(clips: Sequence[Clip]) -> list[str]:
    """Return all speakers; none where a clip does not name its own, who may be any of them."""
    return sorted({clip.speaker for clip in clips}) if has_speakers(clips) else []


def _ravdess_speakers(clips: Clips) -> set[str]:
    return {clip.speaker for clip in clips if clip.corpus == "ravdess"}


def _speaker_split(clips: Clips, *, dev: Sequence[str], test: Sequence[str]) -> Split:
    return Split(
        train=tuple(c for c in clips if c.speaker not in {*dev, *test}),
        dev=tuple(c for c in clips if c.speaker in dev),
        test=tuple(c for c in clips if c.speaker in test),
        leaky=False,
    )


def _stratified(clips: Clips, share: float, seed: int) -> tuple[Clips, Clips]:
    from sklearn.model_selection import train_test_split

    labels = [clip.emotion for clip in clips]
    try:
        kept, taken = train_test_split(
            list(clips), test_size=share, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise DataError(
            f"{len(clips)} clips of {len(set(labels))} emotions are too few to split: {error}",
            hint="each emotion needs about 7 clips or more",
        ) from error
    return tuple(kept), tuple(taken)


def _speech_folds(*folds: tuple[int, ...]) -> Callable[[Clips, int], tuple[Split, ...]]:
    """Folds by actor: the next fold is dev; songs of the training actors may be learned from."""
    named = [[f"{actor:02d}" for actor in fold] for fold in folds]

    def split(clips: Clips, seed: int) -> tuple[Split, ...]:
        del seed
        parts = []
        for k, test in enumerate(named):
            whole = _speaker_split(clips, dev=named[(k + 1) % len(named)], test=test)
            dev, test_clips = (part_of(part, "speech") for part in (whole.dev, whole.test))
            parts.append(Split(whole.train, dev, test_clips, leaky=False))
        return tuple(parts)

    return split


def _actors_21_24(clips: Clips, seed: int) -> tuple[Split, ...]:
    del seed
    return (_speaker_split(clips, dev=("17", "18", "19", "20"), test=UNTOUCHED_SPEAKERS),)


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
        train, dev = _stratified(tuple(speech[known]), 0.1, seed)
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
            "stratified 70/15/15 whoever speaks, seed 42 (the reference notebook's way)",
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
