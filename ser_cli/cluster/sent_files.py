"""Files that every worker of a cluster has copies of, those that come later too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from distributed.diagnostics.plugin import WorkerPlugin

if TYPE_CHECKING:
    from distributed import Worker


class Files(WorkerPlugin):
    """Files that a scheduler keeps, and that each worker writes into its scratch folder."""

    def __init__(self, name: str, content: Mapping[str, bytes]) -> None:
        """Take the name of the folder, and what lies in it."""
        self.name, self.content = name, content

    def setup(self, worker: Worker) -> None:
        """Write them, on a worker."""
        folder = Path(worker.local_directory, self.name)
        if folder.exists():  # an earlier command has sent the same
            return
        own = Path(mkdtemp(dir=worker.local_directory))
        for name, data in self.content.items():
            (own / name).write_bytes(data)
        own.replace(folder)
