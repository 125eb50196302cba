"""Outputs of which the last place is a store: they grow here, and are sent as they are at the end.

`.out.csv.sent` beside one says which content was last sent, and which version that became there. So
nobody else's object is overwritten, and the same command sends what a killed one could not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ser_cli import remote
from ser_cli.data import mirror
from ser_cli.data.store import write_text
from ser_cli.errors import UsageError
from ser_cli.report.growing import digest_of

FORCE = "--force writes it anew; or name another file"


class Upload:
    """What a store has of an output."""

    def __init__(self, path: Path) -> None:
        """Ask the store for what is there.

        Args:
            path: Where the output grows, from `mirror.outgoing`.

        Raises:
            SerError: The store cannot be asked.
        """
        self.url = mirror.url_of(path)
        self._path, self._note = path, path.with_name(f".{path.name}.sent")
        self._digest, self._version = self._noted()
        self._there = self._look()

    def claim(self, *, force: bool) -> None:
        """Make sure that what is there is ours; where it was removed, forget what was sent.

        Raises:
            UsageError: It is not.
        """
        if self._there is None:
            if self._version:
                self._path.unlink(missing_ok=True)
        elif not force and not self._is_ours():
            known = "was changed since it was written" if self._version else "is there already"
            raise UsageError(f"{self.url} {known}, by another than this command", hint=FORCE)

    def send(self) -> None:
        """Send what has changed since it was sent.

        Raises:
            SerError: It cannot be written, or another has written there meanwhile.
        """
        if not self._path.is_file():
            return
        digest = digest_of(self._path, self._path.stat().st_size)
        if self._there is not None and (digest, self._there) == (self._digest, self._version):
            return
        if self._look() != self._there:
            raise UsageError(f"{self.url} was written by another meanwhile", hint=FORCE)
        self._write_down(digest, self._version)
        self._there = remote.put(self._path, self.url)
        self._write_down(digest, self._there)

    def _is_ours(self) -> bool:
        """Tell whether it is what was sent last, or what a killed command was sending."""
        if self._there == self._version:
            return True
        if not self._digest:
            return False
        with remote.File(self.url) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self._digest

    def _look(self) -> str | None:
        try:
            return remote.look(self.url).version
        except FileNotFoundError:
            return None

    def _noted(self) -> tuple[str, str]:
        try:
            digest, version = json.loads(self._note.read_text(encoding="utf-8"))
            return str(digest), str(version)
        except (OSError, ValueError, TypeError):
            return "", ""

    def _write_down(self, digest: str, version: str) -> None:
        self._digest, self._version = digest, version
        write_text(self._note, json.dumps([digest, version]))
