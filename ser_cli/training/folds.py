"""The folds of a protocol: each trained and tested, unless its outcome is kept already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ser_cli import workers
from ser_cli.data import arrays, locks
from ser_cli.data.select import Selection
from ser_cli.data.splits import Split
from ser_cli.data.store import atomic_write, cache_dir
from ser_cli.errors import DataError
from ser_cli.remarks import counted
from ser_cli.training import judging, pace, session
from ser_cli.training.pace import Pace
from ser_cli.training.session import Work
from ser_cli.types import Clip, Progress

Say = Callable[[str], None]
OUTCOME = 2  # what is kept of a fold; raised when that changes


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe under a protocol: what decides its outcome, and its folds.

    Attributes:
        protocol: Its name.
        work: The training of each fold.
        selection: Which clips.
        folds: Of the chosen clips.
        clips: All clips of the protocol's corpus, by file name without extension.
        also: Corpora that every fold learns from as well.
        missing: Clips of the corpus that the data lacks.
    """

    protocol: str
    work: Work
    selection: Selection
    folds: tuple[Split, ...]
    clips: dict[str, Clip]
    also: tuple[str, ...]
    missing: int

    def describe(self) -> tuple[str, ...]:
        """Describe what differs from all clips of the corpus."""
        lacking = (f"{self.missing} missing",) if self.missing else ()
        return (*self.selection.describe(), *lacking)

    @property
    def folder(self) -> Path:
        """Where the outcomes of the folds are kept: of this very run, and no other."""
        system, learned = self.work.system, [c.segment.name for c in self.folds[0].train]
        names = "".join([*self.clips, *learned])
        # An incomplete copy of the corpus must not answer for a whole one.
        digest = hashlib.sha256(names.encode()).hexdigest()[:16]
        settings = sorted(self.work.settings.flat().items())
        named = (OUTCOME, system.name, self.work.fingerprint(), self.work.seed, settings, digest)
        key = json.dumps([*named, *self.selection.describe()])
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        return cache_dir() / "protocols" / f"{self.protocol}-{system.name}-{name}"

    def files(self) -> list[Path]:
        """Return the file of each fold's outcome."""
        return [self.folder / f"{number}.npz" for number in range(1, len(self.folds) + 1)]


def train_folds(
    run: Run, *, side_by_side: int = 1, progress: Progress | None = None, say: Say | None = None
) -> None:
    """Train and test every fold that is not kept yet; one that was cut off is resumed.

    Args:
        run: The run.
        side_by_side: Folds trained side by side, one thread each; 1 takes all cores for each fold.
        progress: Told of epochs (one worker) or folds.
        say: Told how long it will take.

    Raises:
        DataError: A fold that should not leak does, or its process died.
        BusyError: Another command trains the same.
    """
    with locks.held(run.folder, hint="the same command then takes its folds"):
        _train_folds(run, side_by_side, progress, say)


def _train_folds(run: Run, side_by_side: int, progress: Progress | None, say: Say | None) -> None:
    files = run.files()
    absent = arrays.lacking(files, what="outcomes of folds")
    todo = [number for number, file in enumerate(files) if file in absent]
    alone = side_by_side == 1 or len(todo) < 2
    told = pace.teller(
        say or (lambda _: None),
        trainings=len(todo),
        side_by_side=1 if alone else side_by_side,
        what=counted(len(todo), "fold"),
    )
    if alone:
        task = partial(_train_fold, run, 0, progress, pace.once(told))
    else:
        task = partial(_train_fold, run, 1, None, None)
        if say:  # the folds' own processes cannot
            with suppress(pace.MeasuredError):
                _train_fold(run, 1, progress, pace.ending(told), todo[0])
    ended = workers.train(
        task,
        todo,
        workers=1 if alone else side_by_side,
        named=lambda number: f"fold {number + 1} of {run.protocol}",
    )
    if progress and not alone:
        progress(len(files) - len(todo), len(files), "", "folds")
    for done, _ in enumerate(ended, start=1):
        if progress and not alone:
            progress(len(files) - len(todo) + done, len(files), "", "folds")


def _train_fold(
    run: Run, threads: int, progress: Progress | None, on_pace: Pace | None, number: int
) -> None:
    split, work = run.folds[number], run.work
    jobs = workers.CORES if progress else 1
    sounds = session.load(split, work, jobs=jobs, progress=progress)
    if sounds.audit.lines() and not split.leaky:
        found = "; ".join(sounds.audit.lines())
        raise DataError(
            f"fold {number + 1} of {run.protocol} leaks: {found}",
            hint="leave out what --also adds, or remove those copies from it",
        )
    trained = session.train_one(sounds, work, threads=threads, progress=progress, on_pace=on_pace)
    test = sounds.found.split.test
    classes = trained.pipeline.classes
    features = sounds.found.of(test)
    outcome: dict[str, Any] = {
        "probabilities": trained.pipeline.probabilities(features),
        "truth": np.array([classes.index(clip.emotion) for clip in test], np.int64),
        "names": np.array([clip.segment.name for clip in test]),
        "labels": np.array(classes),
        "history": np.array(json.dumps(trained.fit.history)),
        "best_epoch": trained.fit.best_epoch,
        "temperature": trained.pipeline.temperature,
        "dev": trained.on_dev,
        "dev_truth": trained.data.dev.y,
        "seconds": trained.fit.seconds,
        "audit": np.array(sounds.audit.lines(), dtype=str),
    }
    if work.settings.train.adapt and not split.leaky:  # else it has heard the speaker anyway
        outcome["enrolled"] = judging.enrolled(trained.pipeline, test, features, seed=work.seed)
    with atomic_write(run.files()[number]) as temporary:
        np.savez(temporary, **outcome)
    session.checkpoint(sounds, work).unlink(missing_ok=True)
