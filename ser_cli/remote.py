"""Files elsewhere, by their addresses: object stores (s3://bucket/1.wav) and servers (https://...).

They are reached through fsspec, and through the library that it takes for each kind of store;
nothing of these is loaded where no name is an address. Credentials come from the usual places of
each store.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from ser_cli.addresses import checked, is_web, scheme_of, telling
from ser_cli.errors import AudioError

BLOCK = 2**22  # bytes that are asked for at a time
IN_MEMORY = 2**23  # bytes of what a server sends only as a whole; more goes to a temporary file
MOST = 2**32  # bytes of it, and of what is copied from a server
SILENCE_S = 60.0  # seconds without a byte, after which a server is given up

# What tells one version of a file from another, likeliest first, and where listings have it too.
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "blob_id"),
    *("LastModified", "last_modified", "Last-Modified", "updated", "mtime"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """What is at an address.

    Attributes:
        url: The address.
        is_folder: Whether others are below it.
        size: Bytes; 0 where a server does not tell.
        version: Another text once the content is another; "" where that is not told.
        is_there: Whether anything is.
    """

    url: str
    is_folder: bool = False
    size: int = 0
    version: str = ""
    is_there: bool = True


@contextmanager
def asked(url: str) -> Iterator[tuple[Any, str]]:
    """Yield the file system of an address, and how it calls it; what it refuses is told.

    Raises:
        FileNotFoundError: Nothing is there.
        SerError: The address is not followed, or the store or server cannot be asked.
    """
    with telling(url):
        yield _reached(url)


def look(url: str) -> Item:
    """Return what is at an address.

    Raises:
        FileNotFoundError: Nothing is.
        SerError: The store or server cannot be asked.
    """
    with asked(url) as (system, path):
        return _item(url, system.info(path))


def inside(folder: str) -> Iterator[Item]:
    """Yield the files below a folder, sorted folder by folder, without hidden ones.

    Raises:
        SerError: It cannot be looked into.
    """
    with asked(folder) as (system, path):
        found = system.ls(path, detail=True)
        nameless = [*_nameless(folder, system, path)] if _has_nameless(found, path) else []
    items = [
        _item(f"{folder.rstrip('/')}/{name}", info)
        for info in found
        if (name := info["name"].rstrip("/").rpartition("/")[2])
        and info["name"].strip("/") != path.strip("/")  # the mark of the folder itself
        and not name.startswith(".")
    ]
    for item in sorted(items + nameless, key=lambda item: (item.is_folder, item.url)):
        if item.is_folder:
            yield from inside(item.url)
        else:
            yield item


def _has_nameless(found: Sequence[Mapping[str, Any]], path: str) -> bool:
    """Tell whether a folder holds one without a name, as of a//b.wav."""
    own = path.strip("/")
    return any(info["name"].strip("/") == own and info["type"] == "directory" for info in found)


def _nameless(folder: str, system: Any, path: str) -> Iterator[Item]:
    """Yield the files of the folder without a name in a folder, which stores do not list."""
    start = f"{path.rstrip('/')}//"
    for name, info in system.find(path, prefix="/", detail=True).items():
        below = name.removeprefix(start)
        if name.startswith(start) and not any(part.startswith(".") for part in below.split("/")):
            yield _item(f"{folder.rstrip('/')}//{below}", info)


def matching(pattern: str) -> Iterator[Item]:
    """Yield the files and folders that a pattern stands for, sorted.

    Raises:
        SerError: The store cannot be asked.
    """
    with asked(pattern) as (system, path):
        found = system.glob(path, detail=True)
    start = pattern.removesuffix(path) if pattern.endswith(path) else f"{scheme_of(pattern)}://"
    for name in sorted(found):
        if not any(part.startswith(".") for part in name.split("/")):
            yield _item(f"{start}{name}", found[name])


def head(url: str, size: int) -> bytes:
    """Return the first bytes of a file in a store.

    Raises:
        SerError: They cannot be read.
    """
    with asked(url) as (system, path):
        first: bytes = system.cat_file(path, start=0, end=size)
        return first


def put(path: Path, url: str) -> str:
    """Write a file to a store, and return its version there.

    Raises:
        SerError: It cannot be written.
    """
    with asked(url) as (system, place):
        system.put_file(str(path), place)
        return _item(url, system.info(place)).version


class File(io.RawIOBase):
    """A file elsewhere, open for reading; a block is asked for when it is needed."""

    def __init__(self, url: str) -> None:
        """Open it.

        Raises:
            AudioError: It is not there, or cannot be read.
        """
        self.name = url
        with telling(url, AudioError):
            self._system, path = _reached(url)
            self._file = self._system.open(path, "rb", block_size=BLOCK, cache_type="readahead")
        if self._file.size is None:  # a server that sends only the whole
            self._file = self._whole(self._file)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any place can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return int(self._file.seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        """Return the bytes at the place, fewer only at the end.

        Raises:
            AudioError: They do not come.
        """
        with telling(self.name, AudioError):
            at = self._file.tell()
            try:
                found: bytes = self._file.read(size)
            except ValueError:  # what fsspec says where a server sends only the whole
                self._file = self._whole(self._system.open(self.name, "rb", block_size=0))
                self._file.seek(at)
                found = self._file.read(size)
            end = getattr(self._file, "size", None)
            left = 0 if end is None else max(0, end - at)
            if len(found) < (left if size < 0 else min(size, left)):
                raise EOFError(f"it ends {left - len(found):,} bytes too early")
            return found

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is room for.

        Raises:
            AudioError: It does not come.
        """
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _whole(self, stream: Any) -> BinaryIO:
        """Return what a server sends as a file that is forgotten when it is closed."""
        kept = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when dropped
        with telling(self.name, AudioError):
            while part := stream.read(BLOCK):
                kept.write(part)
                if kept.tell() > MOST:
                    raise EOFError(f"it is larger than {MOST / 1e9:.1f} GB")
        kept.seek(0)
        return cast("BinaryIO", kept)


def copy(url: str, path: Path) -> None:
    """Copy a file from elsewhere.

    Raises:
        AudioError: It cannot be read.
        OSError: It cannot be written.
    """
    with File(url) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)


def _reached(url: str) -> tuple[Any, str]:
    url = checked(url)
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {"use_listings_cache": False}  # what is there now counts
    if is_web(url):
        from aiohttp import ClientTimeout

        patience = ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
        # Proxies and logins as the environment and ~/.netrc state them.
        options = {"client_kwargs": {"trust_env": True, "timeout": patience}}
    system, path = url_to_fs(url, **options)
    return system, path


def _item(url: str, info: Mapping[str, Any]) -> Item:
    told = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    size = int(info.get("size") or 0)
    is_folder = info.get("type") == "directory" and not is_web(url)
    return Item(url, is_folder, size, f"{told} {size}" if told else "")
