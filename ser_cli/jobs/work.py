"""What `ser predict` is to do, once everything that was named has been read but the recordings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.addresses import is_url
from ser_cli.model import artifacts
from ser_cli.model.readings import EACH
from ser_cli.model.rows import columns
from ser_cli.sound.fingerprint import of_file

if TYPE_CHECKING:
    from ser_cli.data.inputs import Inputs
    from ser_cli.jobs.trained import PredictJob
    from ser_cli.model.trained import Model
    from ser_cli.model.windows import Plan

# Fields of the job on which no row depends, or only by what `Work.identity` states besides.
ELSEWHERE = frozenset(
    {"paths", "csv", "out", "as_json", "folder", "recipe", "enrol", "jobs", "report"}
    | {"restart", "force", "speakers", "scheduler", "parquet", "partition"}
)


@dataclass(frozen=True, slots=True)
class Work:
    """An order for predictions.

    Attributes:
        job: As it was asked for.
        model: As it is to hear.
        plan: How recordings are read, cut and joined.
        inputs: The recordings.
    """

    job: PredictJob
    model: Model
    plan: Plan
    inputs: Inputs

    @property
    def is_by_file(self) -> bool:
        """Whether a row is about a file, and about all of it."""
        job = self.job
        in_parts = job.speakers or job.timeline or job.window is not None or self.inputs.has_parts
        return not in_parts and job.channel != EACH

    def identity(self) -> dict[str, Any]:
        """Return what the rows of a recording depend on besides itself, as plain values."""
        from ser_cli import __version__

        job, model = self.job, self.model
        enrolled = model.hearing.preprocessor
        arrays = (enrolled.mean, enrolled.scale) if enrolled else ()
        asked = {item.name: getattr(job, item.name) for item in fields(job)}
        relative = any(not (is_url(path) or Path(path).is_absolute()) for path in job.paths)
        return {
            "version of ser": __version__,
            "model": of_file(model.artifacts.folder / artifacts.MANIFEST),
            "enrolled speaker": [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays],
            "folder to start from": str(Path.cwd()) if relative else "",
            "turns": of_file(job.speakers) if job.speakers else "",
            "emotions": columns(model.classes),
            **{name: value for name, value in asked.items() if name not in ELSEWHERE},
        }
