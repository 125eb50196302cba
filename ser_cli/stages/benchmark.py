"""Every recipe under the seeds' own protocol and on unseen speakers: what is still to run, run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.data import select, splits
from ser_cli.data.corpora import ravdess
from ser_cli.errors import DataError, UsageError
from ser_cli.model import memory
from ser_cli.report import claims, results
from ser_cli.stages import protocol
from ser_cli.training import settings

if TYPE_CHECKING:
    from ser_cli.report.claims import Line
    from ser_cli.stages.protocol import Run
    from ser_cli.types import Params, Progress

PROTOCOLS = (claims.SEEDS_WAY, claims.UNSEEN)


@dataclass(frozen=True, slots=True)
class Job:
    """One training: a recipe under a protocol, with the clips that a claim is about."""

    recipe: str
    protocol: str
    selection: select.Selection

    def command(self, data: str, overrides: Params, seed: int) -> str:
        """Return what does the same alone."""
        options = {"protocol": self.protocol, "recipe": self.recipe, **overrides}
        if data != ravdess.NAME:
            options["data"] = data
        if seed:
            options["seed"] = seed
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return shlex.join(["ser", "evaluate", *words, *self.selection.options()])


def with_claims() -> tuple[str, ...]:
    """Return the names of the recipes whose documents say what they reach."""
    return tuple(name for name in recipes.names() if recipes.get(name).claims)


def plan(names: Sequence[str], protocols: Sequence[str] = PROTOCOLS) -> tuple[Job, ...]:
    """Return all trainings the table needs of these recipes.

    The seeds' protocol is run with all clips and with the choice of each claim, the other with
    all clips.

    Raises:
        UsageError: There is no such recipe, or the protocol is not one of PROTOCOLS.
    """
    unknown = sorted(set(protocols) - set(PROTOCOLS))
    if unknown:
        raise UsageError(
            f"the benchmark does not run {', '.join(unknown)}",
            hint=f"it runs {' and '.join(PROTOCOLS)}; others: ser evaluate --protocol",
        )
    return tuple(dict.fromkeys(_jobs(names, protocols)))


def run(
    jobs: Sequence[Job],
    data: str,
    *,
    overrides: Params | None = None,
    seed: int = 0,
    workers: int = 1,
    table: Path = protocol.RESULTS,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Do the trainings whose rows are not in the table yet; each leaves its rows when it ends.

    One that was cut off goes on from its last epoch.

    Args:
        jobs: What `plan` returned.
        data: Holds RAVDESS.
        overrides: Settings that win over a recipe's defaults.
        seed: Of everything random.
        workers: Trainings side by side, one thread each.
        table: results.csv.
        progress: Told of epochs (one worker) or of finished trainings.
        say: Told which training begins or has ended.

    Raises:
        SerError: The clips are not RAVDESS, or a fold that should not leak does.
    """
    overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
    todo = [job for job in jobs if not _is_done(job, table, overrides, seed)]
    say(f"{len(jobs) - len(todo)} of {len(jobs)} trainings are in {table}")
    work = {job: _work(job, data, overrides, seed) for job in todo}
    for run_of in work.values():
        _check(run_of)
    finished = _one_by_one(work, progress) if workers == 1 else _side_by_side(work, workers)
    for number, job in enumerate(finished, start=1):
        command = job.command(data, overrides, seed)
        protocol.score(work[job], command=command, table=table)
        say(f"{number} of {len(todo)}: {command}")
        if progress:
            progress(number, len(todo), "trainings")


def lines(names: Sequence[str], *, table: Path = protocol.RESULTS, seed: int = 0) -> list[Line]:
    """Return what the seeds of these recipes claim, beside the rows of the table."""
    return list(claims.lines(results.read(table), map(recipes.get, names), seed=seed))


def _jobs(names: Sequence[str], protocols: Sequence[str]) -> Iterator[Job]:
    for name in names:
        of_claims = [claims.selection(claim) for claim in recipes.get(name).claims]
        for protocol_name in protocols:
            yield Job(name, protocol_name, select.ALL)
            if protocol_name == claims.SEEDS_WAY:
                yield from (Job(name, protocol_name, chosen) for chosen in of_claims)


def _work(job: Job, data: str, overrides: Params, seed: int) -> Run:
    return protocol.plan(
        job.protocol,
        data,
        recipe=job.recipe,
        selection=job.selection,
        overrides=overrides,
        seed=seed,
    )


def _check(work: Run) -> None:
    """Refuse, before hours of training, what would fail or be no answer to a claim."""
    if work.missing:
        raise DataError(
            f"{work.data} lacks {work.missing} clips of RAVDESS, so it answers no claim",
            hint="fetch all of it: ser download-ravdess; or: ser evaluate --protocol",
        )
    protocol.fold_splits(work)


def _one_by_one(work: Mapping[Job, Run], progress: Progress | None) -> Iterator[Job]:
    for job, run_of in work.items():
        protocol.train_folds(run_of, progress=progress)
        yield job


def _side_by_side(work: Mapping[Job, Run], workers: int) -> Iterator[Job]:
    # A process a training: TensorFlow gives the memory of a network back only with its process.
    pool = memory.processes(workers, each_its_own=True)
    try:
        started = {
            pool.submit(protocol.train_folds, run_of, threads=1): job
            for job, run_of in work.items()
        }
        for future in as_completed(started):
            future.result()
            yield started[future]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_done(job: Job, table: Path, overrides: Params, seed: int) -> bool:
    _, origin = settings.resolve(recipes.get(job.recipe), None, overrides)
    there = {
        row["data"]
        for row in results.read(table)
        if (row["recipe"], row["protocol"], row["seed"], row["settings_from"])
        == (job.recipe, job.protocol, str(seed), origin)
    }
    return {job.selection.of(part) for part in splits.protocol(job.protocol).parts} <= there
