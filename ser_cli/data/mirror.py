"""Copies on this machine of what lies elsewhere, and outputs on their way there.

In the cache, `elsewhere/s3/bucket/calls/1.wav` is a copy of s3://bucket/calls/1.wav. A hidden file
in each folder says which version of each file is there; the store is asked each time, and sends
what has changed since. What is written for an address grows in `outgoing`, in the same order.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from ser_cli import addresses, remote
from ser_cli.data.store import atomic_write, cache_dir, need_space, write_text
from ser_cli.errors import DataError, UsageError
from ser_cli.remarks import counted, remark
from ser_cli.remote import Item

COPIES, OUTGOING = "elsewhere", "outgoing"  # folders of the cache
SIDE_BY_SIDE = 8  # files that are asked for at a time
BATCH = 256  # files, after which what is here is written down
_VERSIONS = ".versions.json"
_HOST = "@-._"  # signs of a host's name that stay in that of its folder


def local(name: str) -> Path:
    """Return a path as it is; of an address, a copy of the file, or of all files of the folder.

    Raises:
        UsageError: The address is not followed.
        DataError: Nothing is there, or it has a name that no copy can have.
        SerError: It cannot be read.
    """
    name = addresses.checked(name)
    if not addresses.is_url(name):
        return Path(name)
    try:
        item = remote.look(name)
    except FileNotFoundError as error:
        raise DataError(f"{name}: is not there", hint="check its name") from error
    if not item.is_folder:
        _copy([item])
        return _place(name, COPIES)
    items = list(remote.inside(name))
    if not items:
        raise DataError(f"{name}: nothing is below this folder", hint="check its name")
    _copy(items)
    folder = _place(name, COPIES)
    _forget_others(folder, {_place(item.url, COPIES) for item in items})
    return folder


def outgoing(name: str) -> Path:
    """Return a path as it is; of an address, where what is to be sent there grows.

    Raises:
        UsageError: Nothing can be written there.
    """
    name = addresses.checked(name)
    if not addresses.is_url(name):
        return Path(name)
    if addresses.is_web(name):
        stores = ", ".join(f"{scheme}://" for scheme in addresses.STORES)
        raise UsageError(f"{name}: a server takes no files", hint=f"a file, or one of {stores}")
    if not _split(name)[1] or name.endswith("/"):
        raise UsageError(f"{name} names a folder, and no file", hint=f"{name.rstrip('/')}/out.csv")
    return _place(name, OUTGOING)


def url_of(path: Path) -> str:
    """Return the address that a path of `local` or `outgoing` stands for; "" for any other."""
    for kind in {COPIES, OUTGOING}.intersection(path.parts):  # else the cache is not looked for
        home = cache_dir() / kind
        parts = path.relative_to(home).parts if path.is_relative_to(home) else ()
        if len(parts) > 1:
            scheme, host, *names = parts
            return f"{scheme}://{'/'.join([unquote(host), *names])}"
    return ""


def shown(path: Path) -> str:
    """Return what a user calls a path: its address, if it stands for one."""
    return url_of(path) or str(path)


def beside(table: Path, names: Sequence[str]) -> list[str]:
    """Return the files that a table names as names of files here.

    Those of a table that is a copy are copied too, and so are addresses. Such a table leads to no
    other store or server than its own.

    Raises:
        DataError: It does.
        SerError: A store cannot be asked.
    """
    found = addressed(table, names)
    _copy([*{item.url: item for item in found.values() if item.is_there}.values()])
    return [str(_place(found[name].url, COPIES)) if name in found else name for name in names]


def addressed(table: Path, names: Sequence[str]) -> dict[str, Item]:
    """Return what is elsewhere of the files that a table names; or would be.

    Raises:
        DataError: The table is a copy, and leads to another store or server than its own.
        SerError: A store cannot be asked.
    """
    home = url_of(table)
    urls = {name: url for name in names if (url := _address(home, name))}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return dict(zip(urls, pool.map(_look, urls.values()), strict=True))


def _address(home: str, name: str) -> str:
    """Return where a file lies that a table at `home` ("" for here) names; "" if it is here."""
    if not home:
        return name if addresses.is_url(name) and addresses.is_url(addresses.checked(name)) else ""
    store, path = _split(home)
    if addresses.is_url(name):
        if not name.startswith(f"{store}/"):
            raise DataError(
                f"{home} leads elsewhere: {name}", hint="copy the table here, if you trust it"
            )
        return name
    whole = posixpath.join(posixpath.dirname(f"/{path}"), name.replace("\\", "/"))
    return f"{store}{posixpath.normpath(whole)}" if name else ""


def _split(url: str) -> tuple[str, str]:
    """Return the store or server of an address, and the path in it."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path


def _look(url: str) -> Item:
    try:
        return remote.look(url)
    except FileNotFoundError:
        return Item(url, is_there=False)


def _place(url: str, kind: str) -> Path:
    """Return where a copy of what is at an address lies, or what is to be sent there.

    Raises:
        DataError: Its name would lead out of that folder, or cannot be one here.
    """
    store, path = _split(url)
    scheme, _, host = store.partition("://")
    if addresses.is_web(url) and "?" in path:
        path, _, query = path.partition("?")
        whole = PurePosixPath(path or "index")
        path = str(whole.with_stem(f"{whole.stem}-{sha256(query.encode()).hexdigest()[:8]}"))
    below = path.rstrip("/").split("/") if path.strip("/") else []
    names = [scheme, quote(host, safe=_HOST), *below]
    if not all(map(_can_be, names)):
        raise DataError(f"{url}: no file here can have this name", hint="give it another one there")
    return cache_dir().joinpath(kind, *names)


def _can_be(name: str) -> bool:
    drive = os.name == "nt" and ":" in name
    return name not in ("", ".", "..") and not {"\\", "\0"} & {*name} and not drive


def _copy(items: Sequence[Item]) -> None:
    """Copy what is not here, or in another version."""
    todo = _absent(items)
    if not todo:
        return
    home = cache_dir() / COPIES
    home.mkdir(parents=True, exist_ok=True)
    size = sum(item.size for item in todo)
    need_space(home, size, other="with SER_CACHE_DIR")
    what = counted(len(todo), "file is", "files are")
    remark(f"{todo[0].url}: {what} copied to {home} ({size / 1e6:,.1f} MB)")
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for start in range(0, len(todo), BATCH):
            some = todo[start : start + BATCH]
            list(pool.map(_copy_one, some))
            _write_down(some)


def _copy_one(item: Item) -> None:
    if addresses.is_web(item.url) and item.size > remote.MOST:
        raise DataError(
            f"{item.url}: is larger than {remote.MOST / 1e9:.1f} GB", hint="copy it here by hand"
        )
    with atomic_write(_place(item.url, COPIES), sync=False) as temporary:
        remote.copy(item.url, temporary)


def _absent(items: Sequence[Item]) -> list[Item]:
    places = {item.url: _place(item.url, COPIES) for item in items}
    known = {folder: _known(folder) for folder in {place.parent for place in places.values()}}

    def is_here(item: Item) -> bool:
        place = places[item.url]
        version, size = known[place.parent].get(place.name, ("", 0))
        whole = place.is_file() and place.stat().st_size == size
        return bool(item.version) and version == item.version and whole

    return [item for item in items if not is_here(item)]


def _known(folder: Path) -> dict[str, tuple[str, int]]:
    """Return the version and the bytes of each copy in a folder."""
    try:
        found = json.loads((folder / _VERSIONS).read_text(encoding="utf-8"))
        return {name: (version, size) for name, (version, size) in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_down(items: Iterable[Item]) -> None:
    """Note which version of each file is here."""
    of: dict[Path, dict[str, tuple[str, int]]] = {}
    for item in items:
        place = _place(item.url, COPIES)
        of.setdefault(place.parent, {})[place.name] = (item.version, place.stat().st_size)
    for folder, versions in of.items():
        write_text(folder / _VERSIONS, json.dumps(_known(folder) | versions))


def _forget_others(folder: Path, kept: set[Path]) -> None:
    """Remove copies of what is no longer below a folder elsewhere."""
    for place, _, names in os.walk(folder):
        for name in names:
            if not name.startswith(".") and (path := Path(place, name)) not in kept:
                path.unlink(missing_ok=True)
