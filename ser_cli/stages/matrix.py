"""Train on one corpus, or on all others, and test on each: how far what is learned carries.

Labels differ from corpus to corpus, so what is asked is one of four groups of emotions. Corpora
differ as rooms and voices do, so each is scored twice: as it comes, and against its own unlabelled
statistics, where the recipe was trained for that. How sure an answer is, is learned from the other
corpora that were left out: that holds for recordings of a kind that no training has heard.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli import workers
from ser_cli.data import arrays, cache, corpora, labels
from ser_cli.data.splits import Split
from ser_cli.data.store import atomic_write, cache_dir
from ser_cli.errors import DataError, UsageError
from ser_cli.model.calibration import calibrate, fit_temperature
from ser_cli.model.enrolment import adapted, measured
from ser_cli.report import metrics, results, transfer
from ser_cli.report.transfer import Cell, Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.jobs.training import EvaluateJob
    from ser_cli.report.metrics import Report
    from ser_cli.training.session import Work
    from ser_cli.types import Clip, Floats, Progress


PROTOCOL = "loco"  # leave one corpus out
OWN = "own statistics"
KINDS = ("raw", "own")  # as the clips come, and against their corpus's own statistics


@dataclass(frozen=True, slots=True)
class Run:
    """One training, and the corpora it is tested on.

    Attributes:
        work: The training.
        train: What it learns from.
        tests: Corpus -> its clips to be tested on.
    """

    work: Work
    train: tuple[Clip, ...]
    tests: tuple[tuple[str, tuple[Clip, ...]], ...]

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Names of the corpora it learns from."""
        return tuple(sorted({clip.corpus for clip in self.train}))

    @property
    def file(self) -> Path:
        """Where its outcome is kept: of this very run, and no other."""
        settings = sorted(self.work.settings.flat().items())
        names = [clip.segment.name for clip in self.train]
        tested = [[name, len(clips)] for name, clips in self.tests]
        facts = [self.work.recipe, self.work.fingerprint(), self.work.seed, settings, names, tested]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        name = f"{'+'.join(self.trained_on)}-{self.work.recipe}-{digest}.npz"
        return cache_dir() / "protocols" / "matrix" / name


def evaluate(
    job: EvaluateJob,
    *,
    command: str = "",
    table: Path = results.TABLE,
    progress: Progress | None = None,
) -> Matrix:
    """Train and test every pair of corpora that is not kept yet.

    Args:
        job: The corpora, two or more, the recipe and its settings.
        command: What the user typed, for the table of results.
        table: results.csv, where what all others give is added.
        progress: Told of trainings.

    Raises:
        UsageError: Fewer than two corpora are named.
        DataError: A training failed, or no two corpora have emotions in common.
    """
    runs = plan(job)
    absent = arrays.lacking([run.file for run in runs], what="outcomes of trainings")
    todo = [number for number, run in enumerate(runs) if run.file in absent]
    ended = workers.train(
        partial(_train, runs),
        todo,
        workers=min(job.workers, max(1, len(todo))),
        named=lambda number: f"training on {' + '.join(runs[number].trained_on)}",
    )
    if progress:
        progress(len(runs) - len(todo), len(runs), "", "trainings")
    for done, _ in enumerate(ended, start=1):
        if progress:
            progress(len(runs) - len(todo) + done, len(runs), "", "trainings")
    everything = [one for run in runs for one in _answers(run) if len(one.truth)]
    if not everything:
        raise DataError("no two of these corpora share a group of emotions", hint="name others")
    left_out = [one for one in everything if one.row == transfer.ALL_OTHERS]
    matrix = Matrix(
        tuple(_cell(one, everything) for one in everything),
        temperature=_temperature(left_out, "raw") if left_out else None,
    )
    rows = [_rows(cell, runs[0].work, command) for cell in matrix.of_all_others()]
    if rows:
        results.add(table, [row for pair in rows for row in pair])
    return matrix


def plan(job: EvaluateJob) -> tuple[Run, ...]:
    """Return the trainings: on each corpus alone, and without each but the first.

    Raises:
        SerError: There are fewer than two corpora, or they or the settings are not usable.
    """
    clips = job.clips()
    homes = tuple(dict.fromkeys(clip.corpus for clip in clips))
    if len(homes) < 2:
        raise UsageError("--matrix needs two corpora or more", hint="--data CORPUS --data ANOTHER")
    of = {home: tuple(clip for clip in clips if clip.corpus == home) for home in homes}

    from ser_cli.training import settings
    from ser_cli.training.session import Work

    chosen = settings.resolve(job.system, job.params, job.overrides)
    work = Work(job.recipe, chosen, job.seed, job.selection.oversample, job.encoder)
    alone = [Run(work, of[home], _tests(of, home)) for home in homes]
    without = [
        Run(work, tuple(clip for clip in clips if clip.corpus != home), ((home, of[home]),))
        for home in homes[1:]
        if len(homes) > 2
    ]
    return (*alone, *without)


def _tests(
    of: dict[str, tuple[Clip, ...]], trained_on: str
) -> tuple[tuple[str, tuple[Clip, ...]], ...]:
    return tuple((home, clips) for home, clips in of.items() if home != trained_on)


def _train(runs: Sequence[Run], number: int) -> None:
    from ser_cli.training import session

    run = runs[number]
    sounds = session.load(Split(run.train, (), (), leaky=False), run.work, jobs=1)
    trained = session.train_one(sounds, run.work, threads=1)
    classes, seconds = np.array(trained.pipeline.classes), np.array(trained.fit.seconds)
    outcome: dict[str, Any] = {"classes": classes, "seconds": seconds}
    for home, clips in run.tests:
        made = cache.extract(clips, run.work.system.frontend, jobs=1)
        features = made.features
        outcome[f"{home}/names"] = np.array([str(clip.segment) for clip in made.clips])
        outcome[f"{home}/raw"] = trained.pipeline.probabilities(features)
        if run.work.settings.train.adapt:
            own = trained.pipeline.preprocessor
            heard = trained.pipeline.with_preprocessor(adapted(own, measured(features, own)))
            outcome[f"{home}/own"] = heard.probabilities(features)
    with atomic_write(run.file) as temporary:
        np.savez(temporary, **outcome)
    session.checkpoint(sounds, run.work).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a training said of one corpus: of its n clips that are of a group that both have.

    Attributes:
        run: The training.
        home: The corpus.
        groups: Asked for.
        truth: (n,) index into groups.
        speakers: Of each clip.
        said: "raw", "own" -> probabilities (n, groups), not calibrated.
        seconds: That the training took.
    """

    run: Run
    home: str
    groups: tuple[str, ...]
    truth: NDArray[np.int64]
    speakers: tuple[str, ...]
    said: dict[str, Floats]
    seconds: float

    @property
    def row(self) -> str:
        """Name what was learned from, as it stands in the matrix."""
        return transfer.row(self.run.trained_on)


def _answers(run: Run) -> list[_Answers]:
    with np.load(run.file, allow_pickle=False) as kept:
        outcome = dict(kept)
    return [_of(run, home, clips, outcome) for home, clips in run.tests]


def _of(run: Run, home: str, clips: tuple[Clip, ...], outcome: dict[str, Any]) -> _Answers:
    classes = tuple(str(name) for name in outcome["classes"])
    of = {str(clip.segment): clip for clip in clips}
    tested = [of[str(name)] for name in outcome[f"{home}/names"]]
    learned = {labels.GROUPS.get(name, "") for name in classes} - {""}
    group = [labels.GROUPS.get(c.emotion, "") if corpora.is_fair(c) else "" for c in tested]
    groups = tuple(sorted(learned.intersection(group)))
    inside = [place for place, name in enumerate(group) if name in groups]
    kinds = [kind for kind in KINDS if f"{home}/{kind}" in outcome]
    by_group = partial(
        transfer.by_group,
        classes=classes,
        groups=groups,
        alike=run.work.settings.train.class_weights,
    )
    return _Answers(
        run,
        home,
        groups,
        truth=np.array([groups.index(group[place]) for place in inside], np.int64),
        speakers=tuple(tested[place].speaker for place in inside),
        said={kind: by_group(outcome[f"{home}/{kind}"][inside]) for kind in kinds},
        seconds=float(outcome.get("seconds", 0.0)),
    )


def _temperature(answers: Sequence[_Answers], kind: str) -> float:
    """Return what calibrates these answers together; 1 where there are none."""
    known = [one for one in answers if kind in one.said]
    if not known:
        return 1.0
    most = max(len(one.groups) for one in known)
    padded = [np.pad(one.said[kind], ((0, 0), (0, most - len(one.groups)))) for one in known]
    return fit_temperature(np.concatenate(padded), np.concatenate([one.truth for one in known]))


def _cell(asked: _Answers, everything: Sequence[_Answers]) -> Cell:
    """Score one corpus, calibrated on all others that the same way of training was tested on."""
    others = [one for one in everything if one.row == asked.row and one.home != asked.home]
    scored = {
        kind: metrics.score(
            asked.truth,
            calibrate(said, _temperature(others, kind)),
            labels=asked.groups,
            speakers=asked.speakers,
        )
        for kind, said in asked.said.items()
    }
    return Cell(
        asked.run.trained_on,
        asked.home,
        asked.groups,
        raw=scored["raw"],
        own=scored.get("own"),
        seconds=asked.seconds,
    )


def _rows(cell: Cell, work: Work, command: str) -> list[results.Row]:
    """Return the row of a corpus as it comes, and that against its own statistics."""
    scored = [(cell.home, cell.raw), (f"{cell.home}, {OWN}", cell.own)]
    return [_row(data, cell, report, work, command) for data, report in scored if report]


def _row(data: str, cell: Cell, report: Report, work: Work, command: str) -> results.Row:
    return results.Row(
        recipe=work.recipe,
        protocol=PROTOCOL,
        data=data,
        corpora="+".join(cell.trained_on),
        seed=work.seed,
        enrol_clips=0,
        settings_from=work.origin,
        **results.rates([report]),
        epochs=str(work.settings.train.epochs),
        seconds=round(cell.seconds),
        command=command,
    )
