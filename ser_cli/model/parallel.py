"""Recordings heard side by side: by processes of this machine, or of a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import workers
from ser_cli.cluster import Cluster, Sent
from ser_cli.model import artifacts
from ser_cli.model.enrolment import Moments
from ser_cli.model.trained import Hearing, Model
from ser_cli.model.votes import failures
from ser_cli.model.windows import hear

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.order import Rows
    from ser_cli.model.windows import Plan
    from ser_cli.sound.files import Found

    Label = Callable[[Sequence[Found]], Iterator[Rows]]  # rows of each, in order

CHUNK = 8  # files that travel to a worker together
# To one of a cluster: so many that its scheduler, which does some hundreds of tasks a second, keeps
# up with a thousand workers, and so few that the last of them is not waited for long.
MOST_CHUNK, CHUNKS = 256, 4


@dataclass(frozen=True, slots=True)
class Crew:
    """Who hears.

    Attributes:
        jobs: Processes of this machine.
        executor: Does the work instead.
        chunk: Files that travel to a worker together.
    """

    jobs: int
    executor: Executor | None = None
    chunk: int = CHUNK

    def label(self, items: Iterable[Found], model: Model, plan: Plan) -> Iterator[Rows]:
        """Yield the rows of each recording, in order."""
        task = partial(_listed, self.labeller(model, plan))
        for one in self._run(task, items):
            if one.result is None:  # a timeline may have no row
                yield failures(one.item.file, f"{one.item.file}: {one.error}", one.item.parts)
            else:
                yield one.result

    def labeller(self, model: Model, plan: Plan) -> Label:
        """Return what labels recordings in a worker, which loads the model when it first does."""
        # As bytes, by which a worker knows that it has this very model.
        return partial(_label, self._home(model.artifacts), pickle.dumps(model.hearing), plan)

    def measure(self, items: Iterable[Found], model: Model, plan: Plan) -> Moments:
        """Return the moments of all recordings together."""
        task = partial(_measure, self._home(model.artifacts), plan)
        outcomes = self._run(task, items)
        return sum((one.result or Moments(failed=(one.error,)) for one in outcomes), Moments())

    def _run(
        self, task: workers.Task[Found, workers.R], items: Iterable[Found]
    ) -> Iterator[workers.Outcome[Found, workers.R]]:
        return workers.run(task, items, workers=self.jobs, chunk=self.chunk, executor=self.executor)

    def _home(self, trained: Artifacts) -> Path | Sent:
        """Return where workers find the model."""
        if not isinstance(self.executor, Cluster):
            return trained.folder
        names = {artifacts.MANIFEST, *trained.manifest["files"]}.difference(artifacts.SHOWN)
        return self.executor.send([trained.folder / name for name in sorted(names)])


def chunk_of(total: int, executor: Executor | None) -> int:
    """Return how many of so many files travel to a worker together."""
    if not isinstance(executor, Cluster):
        return CHUNK
    return min(MOST_CHUNK, max(CHUNK, total // (CHUNKS * executor.width)))


def _label(home: Path | Sent, hearing: bytes, plan: Plan, items: Sequence[Found]) -> Iterator[Rows]:
    return _model(home, hearing).label(items, plan)


def _listed(label: Label, chunk: Sequence[Found]) -> list[Rows]:
    return list(label(chunk))


def _measure(home: Path | Sent, plan: Plan, chunk: Sequence[Found]) -> list[Moments]:
    model = _model(home, pickle.dumps(Hearing()))
    return [model.measure(hear(item, plan)) for item in chunk]


@lru_cache(maxsize=1)
def _model(home: Path | Sent, hearing: bytes) -> Model:
    folder = home.folder if isinstance(home, Sent) else home
    return Model(artifacts.load(folder), pickle.loads(hearing))
