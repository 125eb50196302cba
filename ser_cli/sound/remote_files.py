"""Addresses -> the recordings that they stand for, as `files.find` does it for paths."""

from __future__ import annotations

import glob
import mimetypes
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ser_cli import addresses, remote
from ser_cli.errors import SerError
from ser_cli.sound.files import Found
from ser_cli.sound.sniff import ENDINGS, HEAD, holds_sound

if TYPE_CHECKING:
    from ser_cli.remote import Item
    from ser_cli.sound.files import Passed


def find(url: str, passed: Passed) -> Iterator[Found]:
    """Yield the recordings that an address stands for: a file, a folder of a store, or a pattern.

    Args:
        url: The address; whatever a server's ends in, it is a file.
        passed: Counts the files that are no sound.

    Raises:
        SerError: A store cannot be asked.
    """
    try:
        item = remote.look(url)
    except FileNotFoundError:
        item = None
    except SerError as error:
        if not addresses.is_web(url):  # none of its files could be read
            raise
        yield Found(url, str(error))
        return
    if item and item.is_folder:
        yield from _sound(remote.inside(url), passed, url, "there is no audio file in this folder")
    elif item:
        yield Found(url, version=item.version)
    elif addresses.is_web(url) or not glob.has_magic(url):
        yield Found(url, f"{url}: is not there")
    else:
        yield from _sound(_matching(url), passed, url, "no audio file matches this")


def _matching(pattern: str) -> Iterator[Item]:
    found = list(remote.matching(pattern))
    for item in found:
        if not item.is_folder:
            yield item
        elif "**" not in pattern:  # which matches folders and the files in them
            yield from remote.inside(item.url)


def _sound(items: Iterable[Item], passed: Passed, named: str, nothing: str) -> Iterator[Found]:
    empty = True
    root = "" if glob.has_magic(named) else named.rstrip("/")
    for item in items:
        if _is_sound(item):
            empty = False
            yield Found(item.url, root=root, version=item.version)
        else:
            passed[PurePosixPath(item.url).suffix.lower()] += 1
    if empty:
        yield Found(named, nothing)


@lru_cache(maxsize=2**16)  # a folder is looked through several times
def _is_sound(item: Item) -> bool:
    """Tell whether a file is one of sound by its ending, or else by its first bytes.

    Those are not asked for where the ending is that of a text or a picture.
    """
    if PurePosixPath(item.url).suffix.lower() in ENDINGS:
        return True
    kind = (mimetypes.guess_type(item.url)[0] or "").partition("/")[0]
    if kind in ("text", "image", "font") or item.url.endswith((".json", ".xml")) or not item.size:
        return False
    return holds_sound(remote.head(item.url, min(HEAD, item.size)))
