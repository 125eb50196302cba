"""The folder that everything happens in, and what is run there."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchError, Run, environment, module, run

HERE = Path(__file__).parent
MODEL = Path("artifacts") / "cnn-bilstm"  # where `ser` looks for a model


@dataclass(frozen=True, slots=True)
class Bench:
    """Where it happens.

    Attributes:
        work: An empty folder, in which material is made when it is first asked for.
        source: Folder of recordings; None makes a synthetic voice.
        repeats: Pairs that count.
        tell: Told what is going on.
    """

    work: Path
    source: Path | None
    repeats: int
    tell: Callable[[str], None]

    def made(self, kind: str) -> Path:
        """Return the folder of a kind of material; see `benchmarks.material`."""
        folder = self.work / (MODEL if kind == "model" else kind)
        if not folder.is_dir():
            self.tell(f"making {kind}")
            source = [self.source] if self.source else []
            self.child("material", kind, folder, *source)
        return folder

    def model(self) -> Path:
        """Return the artifacts folder of the network, which `ser` finds by itself."""
        self.made("corpus")
        return self.made("model")

    def script(self, name: str) -> Path:
        """Return a copy of a script, beside nothing that it could import by mistake."""
        folder = self.work / "scripts"
        folder.mkdir(exist_ok=True)
        return Path(shutil.copy(HERE / name, folder))

    def child(self, name: str, *args: str | Path, one_core: bool = False) -> Run:
        """Run a module of this package."""
        return run(module(name, *args), cwd=self.work, env=self.env(one_core, package=True))

    def env(self, one_core: bool = False, *, package: bool = False) -> dict[str, str]:
        """Return a child's environment."""
        return environment(self.work / "cache", one_core=one_core, package=package)

    def run(self, *command: str | Path) -> Run:
        """Run a command as a user does."""
        return run(command, cwd=self.work, env=self.env())


def ser() -> Path:
    """Return the installed command."""
    found = shutil.which("ser", path=sysconfig.get_path("scripts"))
    if found is None:
        raise BenchError("the command ser is not installed beside this Python: pip install .")
    return Path(found)
