"""Corpora: where labelled clips come from. One file per corpus, found by its presence here.

A corpus module defines CORPUS. Whatever is known of a corpus alone, its names, labels, licence,
archives, published splits and held-out speakers, stands in its file and nowhere else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ser_cli.addresses import is_url
from ser_cli.data.labels import is_emotion
from ser_cli.data.mirror import local
from ser_cli.errors import DataError, UsageError
from ser_cli.remarks import counted, listed, near

if TYPE_CHECKING:
    from ser_cli.data.protocols import Protocol
    from ser_cli.data.verification import Source
    from ser_cli.types import Clip, Segment

DEFAULT = "ravdess"  # what --data is by default


@dataclass(frozen=True, slots=True)
class Corpus:
    """One corpus, or one way in which people keep clips of their own.

    Attributes:
        name: What `--data` takes, where the corpus can be found by its name.
        about: One line for people.
        matches: Tells whether a path that the user gave holds this corpus.
        load: What the user gave -> its clips, ordered alike on every machine; speakers as the
            corpus names them.
        parse: A file name without its extension -> what it states about the clip (emotion, speaker
            and other facts), None where it is none of this corpus's names.
        is_fair: Whether a clip can tell how a model of other corpora does; not where what is said,
            or that it is sung, gives the emotion away.
        by_folder: Whether its labels are the names of folders, which may stand for something else.
        generic: Whether it is tried after the corpora that know their own files.
        licence: What a user must keep to.
        citation: What to name.
        held_out: Speakers on whom settings and ideas are never chosen.
        protocols: Published ways to split it.
        usual_protocol: The one by which it is split when nothing else is asked for.
        source: Where it can be fetched from, and how a copy is verified.
    """

    name: str
    about: str
    matches: Callable[[str], bool]
    load: Callable[[str], tuple[Clip, ...]]
    parse: Callable[[str], Mapping[str, str] | None] = lambda name: None
    is_fair: Callable[[Clip], bool] = lambda clip: True
    by_folder: bool = False
    generic: bool = False
    licence: str = "your own"
    citation: str = ""
    held_out: tuple[str, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    usual_protocol: str = ""
    source: Source | None = None

    def usual(self, clips: Sequence[Clip]) -> Protocol | None:
        """Return the usual protocol, if clips of all held-out speakers are there."""
        speakers = {clip.speaker for clip in clips}
        complete = {f"{self.name}/{name}" for name in self.held_out} <= speakers
        found = [p for p in self.protocols if p.name == self.usual_protocol]
        return found[0] if found and complete else None


def names() -> tuple[str, ...]:
    """Return the names of all corpora, sorted."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def named() -> tuple[str, ...]:
    """Return the names of those that can be meant by their names alone."""
    return tuple(corpus.name for corpus in known() if not corpus.generic)


def get(name: str) -> Corpus:
    """Return the corpus of this name.

    Raises:
        UsageError: No corpus has this name.
    """
    if name not in names():
        raise UsageError(f"there is no corpus {name!r}", hint=near(name, names()))
    corpus: Corpus = import_module(f"{__name__}.{name}").CORPUS
    return corpus


def known() -> tuple[Corpus, ...]:
    """Return all corpora, those that know their own files first."""
    found = (module.CORPUS for module in _modules(tuple(__path__)))
    return tuple(sorted(found, key=lambda corpus: corpus.generic))


@lru_cache(maxsize=4)
def _modules(folders: tuple[str, ...]) -> tuple[ModuleType, ...]:
    """Look through the folders once: it is asked for every file of a prediction."""
    return tuple(import_module(f"{__name__}.{name}") for name in names())


def load(*data: str, as_given: bool = False, classes: Collection[str] = ()) -> tuple[Clip, ...]:
    """Return the clips of one corpus or several, in the same order on every machine.

    Speakers are qualified by what they come from ("ravdess/01"), so that two corpora which both
    have a speaker "1" have two speakers. A clip that several of them hold is taken once.

    Args:
        data: Each a corpus's name, or a path that one of the corpora recognises, or the address of
            such a folder or table elsewhere, which is copied here.
        as_given: Whether labels may be anything; else a corpus of which not one label is a word
            for an emotion is refused, and one whose labels are folders if any is none, as these
            may be speakers or sessions.
        classes: Labels that are taken for emotions as well, as those of a trained model.

    Raises:
        DataError: Nothing is there, nothing recognises it, it holds no clips or no emotions, or
            two of them label one file differently.
    """
    homes: dict[str, str] = {}
    joined: dict[Segment, Clip] = {}
    copies: set[tuple[str, ...]] = set()
    for item in data:
        here = str(local(item)) if is_url(item) else item
        corpus = _find(here)
        home = homes.setdefault(item, _home(corpus, here, homes.values()))
        found = corpus.load(here)
        if corpus.generic and not as_given:
            _check_emotions(corpus, item, {clip.emotion for clip in found}, classes)
        for clip in found:
            speaker = f"{home}/{clip.speaker}" if clip.speaker else ""
            named = replace(clip, corpus=home, speaker=speaker)
            # A corpus knows its clips by their names: a second copy of it adds none.
            name = (home, speaker, clip.path.stem)
            if name in copies:
                continue
            copies |= set() if corpus.generic else {name}
            path = clip.path.resolve() if len(data) > 1 else clip.path
            first = joined.setdefault(clip.segment._replace(path=path), named)
            for one, other in ((first.emotion, named.emotion), (first.split, named.split)):
                if one != other:
                    raise DataError(
                        f"{clip.segment} is {one or 'in no part'} in {first.corpus} and "
                        f"{other or 'in no part'} in {home}",
                        hint="leave one of the two out, or correct its labels",
                    )
    return tuple(joined.values())


def describe(data: Sequence[str]) -> str:
    """Return what the user gave as one text, for messages and tables."""
    return " + ".join(data)


def told(clips: Sequence[Clip]) -> str:
    """Return what clips are of, in few words: "ravdess, 416 clips, 4 speakers"."""
    homes = listed(sorted({clip.corpus for clip in clips} - {""}))
    speakers = len({clip.speaker for clip in clips})
    known = counted(speakers, "speaker") if has_speakers(clips) else "speakers not known"
    return ", ".join(filter(None, (homes, counted(len(clips), "clip"), known)))


def parse(name: str) -> tuple[Corpus, Mapping[str, str]] | None:
    """Return which corpus gives files such names (without extension), and what the name states."""
    for corpus in known():
        if (facts := corpus.parse(name)) is not None:
            return corpus, facts
    return None


def speaker_of(name: str) -> str:
    """Return the speaker that a corpus's file name states, qualified as `load` does it."""
    found = parse(name)
    return f"{found[0].name}/{found[1]['speaker']}" if found else ""


def has_speakers(clips: Sequence[Clip]) -> bool:
    """Tell whether every clip names its speaker, as speaker-independent splits need."""
    return bool(clips) and all(clip.speaker for clip in clips)


def is_fair(clip: Clip) -> bool:
    """Tell whether a clip can show how a model that was trained on other corpora does."""
    return clip.corpus not in names() or get(clip.corpus).is_fair(clip)


def held_out(clips: Sequence[Clip]) -> set[str]:
    """Return those speakers of the clips on whom their corpora let no settings be chosen."""
    homes = {clip.corpus for clip in clips} & {*names()}
    return {f"{home}/{name}" for home in homes for name in get(home).held_out}


def _find(item: str) -> Corpus:
    if item in names() and not get(item).generic:
        return get(item)
    if not item.strip() or not Path(item).exists():  # an empty name would be this folder
        raise DataError(
            f"there is no corpus and no file or folder {item!r}",
            hint=f"{near(item, named())} (fetch it: ser download {DEFAULT}); or give a folder with "
            "one sub-folder per emotion, or a CSV",
        )
    for corpus in known():
        if corpus.matches(item):
            return corpus
    raise DataError(
        f"{item} is neither a folder of clips nor a CSV table of them",
        hint="give a folder, or a CSV file with the columns file,emotion[,start,end,speaker,split]",
    )


def _check_emotions(corpus: Corpus, item: str, labels: set[str], classes: Collection[str]) -> None:
    unknown = sorted(label for label in labels if not is_emotion(label) and label not in classes)
    if len(unknown) == len(labels):
        raise DataError(
            f"{item}: not one of its labels is known as an emotion: {listed(unknown)}",
            hint="--labels-as-given, if these are the classes to learn; else sort the files by "
            "emotion, or give a CSV table with the columns file,emotion,speaker",
        )
    if unknown and corpus.by_folder:
        raise DataError(
            f"{item}: beside folders of emotions there are others: {listed(unknown)}",
            hint="--labels-as-given, if these are classes as well; else move them elsewhere, or "
            "give a CSV table with the columns file,emotion,speaker",
        )


def _home(corpus: Corpus, item: str, taken: Iterable[str]) -> str:
    """Return what qualifies the speakers of an item: its corpus's name, or that of its path."""
    if not corpus.generic:
        return corpus.name
    name = Path(item).resolve().name
    used = {*names(), *taken}
    tries = (name, *(f"{name}-{number}" for number in range(2, 2 + len(used))))
    return next(found for found in tries if found not in used)
