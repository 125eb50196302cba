"""Corpora that state everything in their file names: a parser makes a whole Corpus."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ser_cli.data.corpora import Corpus
from ser_cli.data.labels import normalise_label
from ser_cli.data.store import remembered
from ser_cli.data.verification import Archive, Source
from ser_cli.errors import DataError
from ser_cli.sound.files import audio_files
from ser_cli.types import Clip

Facts = Mapping[str, str]
ReadPath = Callable[[Path], Facts | None]

WHOLE = "clips"  # the one part of a corpus that is published in one
MOST_SAMPLES = 60 * 48_000  # of a clip; none lasts a quarter of this
VARIABLE = "SER_CORPORA_DIR"  # holds one folder a corpus, by the corpus's name
ENOUGH = 0.9  # share of a folder's sound files with a corpus's names; published copies hold strays


def corpus(
    name: str,
    about: str,
    read: ReadPath,
    *,
    parse: Callable[[str], Facts | None] | None = None,
    licence: str,
    citation: str,
    source: Source | None = None,
    is_fair: Callable[[Clip], bool] = lambda clip: True,
) -> Corpus:
    """Return a corpus whose clips are the sound files of a folder that have its names.

    Args:
        name: What `--data` takes; it stands for the folder SER_CORPORA_DIR/name, else for the
            one that `ser download` used last, else for the folder of that name where one stands.
        about: One line for people.
        read: Path -> what it states (emotion, speaker and other facts); None of any other file.
        parse: The same of a file name alone, without extension, where that is unmistakable.
        licence: What a user must keep to.
        citation: What to name.
        source: Where it can be fetched from.
        is_fair: See `Corpus`.
    """

    def matches(data: str) -> bool:
        root = Path(data)
        if not root.is_dir():
            return False
        files = audio_files(root)
        named = sum(read(path) is not None for path in files)
        return named > 0 and named >= ENOUGH * len(files)

    def load(data: str) -> tuple[Clip, ...]:
        return _clips(name, home(name) if data == name else Path(data), read)

    return Corpus(
        name=name,
        about=about,
        matches=matches,
        load=load,
        parse=parse or (lambda stem: None),
        licence=licence,
        citation=citation,
        source=source,
        is_fair=is_fair,
    )


def on_github(
    name: str, parse: Callable[[str], Facts | None], *, repository: str, commit: str
) -> Source:
    """Return where a corpus can be fetched from that is published as a repository.

    Its index lies beside the corpora's files. The archive is made when it is asked for, so that
    neither its size nor its digest is known before; the index decides.

    Args:
        name: Of the corpus.
        parse: Reads the names of its clips, and no others.
        repository: owner/name.
        commit: All 40 digits.
    """
    index = Path(__file__).parent / "corpora" / f"{name}_index.csv"
    archive = Archive(
        f"{repository.partition('/')[2]}-{commit}.zip",
        f"https://github.com/{repository}/archive/{commit}.zip",
    )
    return Source(
        archives={WHOLE: archive},
        index=index,
        part=lambda clip: WHOLE if parse(clip) else None,
        home=lambda clip: "",
        most_samples=MOST_SAMPLES,
        variable=VARIABLE,
        within=name,
    )


def home(name: str) -> Path:
    """Return the folder a corpus's name stands for.

    Raises:
        DataError: None is known.
    """
    if (root := os.environ.get(VARIABLE)) and (Path(root) / name).is_dir():
        return Path(root) / name
    if folder := remembered(name):
        return Path(folder)
    if Path(name).is_dir():
        return Path(name)
    raise DataError(f"{name} is not on this machine yet", hint=_hint(name))


def by_name(pattern: str, facts: Callable[[re.Match[str]], Facts]) -> Callable[[str], Facts | None]:
    """Return a parser of file names without extension.

    Args:
        pattern: Matches the whole name.
        facts: What a match states; its emotion may have any usual spelling.
    """
    compiled = re.compile(pattern)

    def parse(stem: str) -> Facts | None:
        match = compiled.fullmatch(stem)
        if match is None:
            return None
        found = dict(facts(match))
        return found | {"emotion": normalise_label(found["emotion"])}

    return parse


def _clips(name: str, folder: Path, read: ReadPath) -> tuple[Clip, ...]:
    """Return the clips in a folder, each once, whatever copies of it lie there.

    Raises:
        DataError: The folder is gone, or holds none of the corpus's clips.
    """
    if not folder.is_dir():
        raise DataError(f"{name} is not in {folder}: no such folder", hint=_hint(name))
    clips: dict[tuple[str, str], Clip] = {}
    for path in audio_files(folder):
        if (found := read(path)) is not None:
            facts = dict(found)
            emotion, speaker = facts.pop("emotion"), facts.pop("speaker")
            clip = Clip(path, emotion=emotion, speaker=speaker, facts=facts)
            clips.setdefault((speaker, path.stem), clip)
    if not clips:
        raise DataError(f"{folder} holds no sound files with the names of {name}", hint=_hint(name))
    return tuple(clips.values())


def _hint(name: str) -> str:
    return (
        f"give its folder with --data FOLDER, or put it into the folder {name} of "
        f"{VARIABLE}, or see whether it can be fetched: ser download --help"
    )
