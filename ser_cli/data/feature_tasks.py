"""Features of parts of a file, made here or far away, and kept here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from ser_cli import remote
from ser_cli.data import identity
from ser_cli.data.store import atomic_write
from ser_cli.errors import AudioError
from ser_cli.sound import audio, segments
from ser_cli.types import Copy

if TYPE_CHECKING:
    from ser_cli.cluster import Sent
    from ser_cli.sound.frontend import Frontend
    from ser_cli.sound.limits import Limits
    from ser_cli.types import Augment, Floats, Segment

    Batch = Sequence[tuple[str, Segment]]  # keys and what they are of: parts of one file


@dataclass(frozen=True, slots=True)
class Making:
    """How the features of parts of files are made; see `cache.extract`."""

    frontend: Frontend
    augment: Augment | None
    copy: int
    seed: int
    limits: Limits

    def features(self, batch: Batch) -> Iterator[Floats | str]:
        """Yield those of each part, or why there are none."""
        path = batch[0][1].path
        done = 0
        try:
            reading = audio.read(path, sample_rate=self.frontend.sample_rate, limits=self.limits)
            parts = segments.cut(reading, [segment for _, segment in batch])
            for (key, _), waveform in zip(batch, parts, strict=True):
                if isinstance(waveform, AudioError):
                    yield str(waveform)
                else:
                    yield self._of(waveform, key)
                done += 1
        except AudioError as error:
            # The caller names the file, and equal files share this reason.
            reason = str(error).removeprefix(f"{path}: ")
            yield from [reason] * (len(batch) - done)

    def _of(self, waveform: Floats, key: str) -> Floats:
        if self.augment and self.copy:
            rng = np.random.default_rng([self.seed, self.copy, int(key[:15], 16)])
            waveform = self.augment(waveform, Copy(self.copy, rng))
        return self.frontend.features(waveform)


def store(making: Making, folder: Path, batch: Batch) -> list[str]:
    """Compute the features of parts of a file and keep them; return why each failed, or ""."""
    return keep(batch, making.features(batch), folder)


def away(making: Making, home: Sent | None, far: tuple[str, Batch]) -> list[Floats | str]:
    """Compute the same on a worker of a cluster, which has copies of the front end's files.

    Args:
        making: How.
        home: Where those copies are, if there are any.
        far: The address of the file, "" for one that the worker sees; and the parts.
    """
    url, batch = far
    frontend = making.frontend.within(home.folder) if home else making.frontend
    own = replace(making, frontend=frontend)
    return _fetched(own, url, batch) if url else list(own.features(batch))


def _fetched(making: Making, url: str, batch: Batch) -> list[Floats | str]:
    """Compute the same from a copy of the file, if it is still what the keys were made of."""
    with TemporaryDirectory(prefix="ser-") as room:
        path = Path(room, batch[0][1].path.name)
        try:
            remote.copy(url, path)
        except AudioError as error:
            return [str(error).removeprefix(f"{url}: ")] * len(batch)
        found = identity.content(path)
        if any(identity.key(found, part) != key for key, part in batch):
            return ["it has changed meanwhile: run the same command again"] * len(batch)
        return list(making.features([(key, part._replace(path=path)) for key, part in batch]))


def keep(batch: Batch, made: Iterable[Floats | str], folder: Path) -> list[str]:
    """Write what was made into the cache; return why the rest was not, or ""."""
    reasons = []
    for (key, _), features in zip(batch, made, strict=True):
        if isinstance(features, str):
            reasons.append(features)
            continue
        with atomic_write(file_of(folder, key), sync=False) as temporary:
            np.save(temporary, features, allow_pickle=False)
        reasons.append("")
    return reasons


def file_of(folder: Path, key: str) -> Path:
    """Return where the features of a key lie."""
    return folder / key[:2] / f"{key}.npy"
