"""Published ways to split a corpus, and what they are made of; each stands in its corpus's file.

What splits is loaded when a protocol is followed: their names are known to every command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser_cli.data import corpora
from ser_cli.errors import UsageError
from ser_cli.remarks import near

if TYPE_CHECKING:
    from ser_cli.data.corpora import Corpus
    from ser_cli.data.splits import Split
    from ser_cli.types import Clip

    Clips = tuple[Clip, ...]
    Folds = Callable[[Clips, int], tuple[Split, ...]]

CHANNEL = "channel"  # the fact that tells speech from song
WHOLE = "all"  # the part that is every clip, of a corpus without channels too


@dataclass(frozen=True, slots=True)
class Protocol:
    """A published way to split a corpus.

    Attributes:
        name: What `--protocol` takes.
        about: One line for `--help` and reports.
        parts: The parts of the test set that are reported, each a row of results.
        folds: Clips and seed -> one Split per fold.
        leaky: Whether test speakers are in training.
    """

    name: str
    about: str
    parts: tuple[str, ...]
    folds: Folds
    leaky: bool = False


def names() -> tuple[str, ...]:
    """Return the names of all protocols, in their corpora's order."""
    return tuple(protocol.name for corpus in corpora.known() for protocol in corpus.protocols)


def get(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        UsageError: There is none.
    """
    return _found(name)[1]


def corpus_of(name: str) -> Corpus:
    """Return the corpus that a protocol splits.

    Raises:
        UsageError: There is no such protocol.
    """
    return _found(name)[0]


def is_leaky(name: str) -> bool:
    """Tell whether a protocol has its test speakers in training."""
    return name in names() and get(name).leaky


def part_of(clips: Clips, part: str) -> Clips:
    """Return the clips of "speech", "song", "speech+song" or "all"."""
    if part == WHOLE:
        return clips
    return tuple(clip for clip in clips if clip.facts.get(CHANNEL) in part.split("+"))


def speakers_once(*, dev: Sequence[str], test: Sequence[str]) -> Folds:
    """One fold, with these speakers in dev and in test."""

    def split(clips: Clips, seed: int) -> tuple[Split, ...]:
        from ser_cli.data.splits import speaker_split

        return (speaker_split(clips, dev=dev, test=test),)

    return split


def speaker_folds(folds: Sequence[Sequence[str]], part: str) -> Folds:
    """Folds by speaker: the next fold is dev; dev and test are clips of one part alone."""

    def split(clips: Clips, seed: int) -> tuple[Split, ...]:
        from ser_cli.data.splits import Split, speaker_split

        found = []
        for number, test in enumerate(folds):
            whole = speaker_split(clips, dev=folds[(number + 1) % len(folds)], test=test)
            dev, tested = part_of(whole.dev, part), part_of(whole.test, part)
            found.append(Split(whole.train, dev, tested, leaky=False))
        return tuple(found)

    return split


def random_once(seed: int, part: str = "") -> Folds:
    """One stratified split 70/15/15 with a fixed seed, of one part or of all clips."""

    def split(clips: Clips, _: int) -> tuple[Split, ...]:
        from ser_cli.data.splits import random_split

        return (random_split(part_of(clips, part) if part else clips, seed),)

    return split


def random_folds(count: int, part: str) -> Folds:
    """Shuffled folds of one part's clips, whoever speaks; a tenth of the rest is dev."""

    def split(clips: Clips, seed: int) -> tuple[Split, ...]:
        import numpy as np
        from sklearn.model_selection import KFold

        from ser_cli.data.splits import Split, stratified

        chosen = np.array(part_of(clips, part), dtype=object)
        found = []
        for known, test in KFold(count, shuffle=True, random_state=seed).split(chosen):
            train, dev = stratified(tuple(chosen[known]), 0.1, seed)
            found.append(Split(train, dev, tuple(chosen[test]), leaky=True))
        return tuple(found)

    return split


def _found(name: str) -> tuple[Corpus, Protocol]:
    for corpus in corpora.known():
        for protocol in corpus.protocols:
            if protocol.name == name:
                return corpus, protocol
    raise UsageError(f"there is no protocol {name!r}", hint=near(name, names()))
