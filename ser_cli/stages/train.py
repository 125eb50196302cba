"""Clips -> a trained network in a sealed artifacts folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli.data import locks, parts, select, splits
from ser_cli.data.store import need_folder, write_text
from ser_cli.errors import UsageError
from ser_cli.jobs.training import Split as Way
from ser_cli.model import artifacts
from ser_cli.report import rows

if TYPE_CHECKING:
    from ser_cli.data.parts import Count
    from ser_cli.data.splits import Split
    from ser_cli.jobs.training import TrainJob
    from ser_cli.training.session import Sounds, Trained, Work
    from ser_cli.training.trainer import Fit
    from ser_cli.types import Clip, Failures, Progress

    Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What `train` did: where the result lies, and what the user should know of it.

    Attributes:
        folder: Holds the trained system.
        fit: Its epochs.
        parts: Clips and speakers of each emotion in train, dev and test.
        learned: Training clips of each emotion, with repeats and copies.
        uar_over: Names what dev UAR is over, where that is not all classes.
        failed: Clips that could not be read.
        audit: What the leak audit found, one line per finding.
        leaky: Speakers of test are, or may be, in training.
        dev_leaky: Speakers of dev are.
    """

    folder: Path
    fit: Fit
    parts: dict[str, dict[str, Count]]
    learned: dict[str, int]
    uar_over: str
    failed: Failures
    audit: tuple[str, ...]
    leaky: bool
    dev_leaky: bool


def train(
    job: TrainJob, *, progress: Progress | None = None, say: Say = lambda _: None
) -> TrainResult:
    """Train a recipe on a corpus and seal the result in an artifacts folder.

    Args:
        job: What on, with which settings, and where to. Settings come from the file it names,
            else from the folder's own best_hyperparameters.json, else from the recipe.
        progress: Told of features and of finished epochs.
        say: Told what a user should know while it runs.

    Raises:
        SerError: The corpus, the split, the settings or the folder are not as they should be, or
            another command writes into the folder.
    """
    system, folder = job.system, job.folder or artifacts.default_folder(job.recipe)
    if job.max_len and system.frames == 1:
        raise UsageError(
            f"{job.recipe} makes one frame per clip, so there is no length to choose",
            hint="leave out --max-len",
        )
    if not job.rebuild_shipped:
        artifacts.refuse_packaged(folder)
    need_folder(folder)
    clips = select.choose(job.clips(), job.selection, seed=job.seed)
    split = split_clips(clips, job.split, job.seed)
    with locks.held(folder, hint="or choose another folder: --artifacts DIR"):
        return _train(job, folder, split, progress, say)


def split_clips(clips: tuple[Clip, ...], way: Way, seed: int) -> Split:
    """Split clips as `--split` asks.

    Raises:
        DataError: The clips cannot be split so.
    """
    ways: dict[Way, Callable[[], Split]] = {
        Way.auto: lambda: splits.default_split(clips, seed),
        Way.speaker: lambda: splits.by_speaker(clips, seed),
        Way.random: lambda: splits.random_split(clips, seed),
        Way.table: lambda: splits.from_table(clips),
        Way.none: lambda: splits.Split(clips, (), (), leaky=False),
    }
    return ways[way]()


def as_record(result: TrainResult) -> dict[str, Any]:
    """Return the result as plain values, for JSON."""
    return {
        "folder": str(result.folder),
        "epochs": len(result.fit.history),
        "best_epoch": result.fit.best_epoch,
        "kept": dict(result.fit.history[result.fit.best_epoch - 1]),
        "seconds": round(result.fit.seconds, 1),
        "parts": parts.plain(result.parts),
        "learned_from": result.learned,
        "audit": list(result.audit),
        "leaky": result.leaky,
        "dev_leaky": result.dev_leaky,
        "failed": rows.failures(result.failed),
    }


def _train(
    job: TrainJob, folder: Path, split: Split, progress: Progress | None, say: Say
) -> TrainResult:
    """Train and seal, in a folder that no other command writes into."""
    from ser_cli.training import (  # TensorFlow: after what can go wrong without it
        board,
        pace,
        saving,
        session,
    )

    board.check(job.tensorboard)
    work = _work(job, folder, say)
    sounds = session.load(split, work, jobs=job.jobs, progress=progress)
    for gap in parts.gaps(parts.checked(sounds.found.split)):
        say(f"{gap}: UAR there is over the other emotions alone")
    staging = artifacts.begin(folder)
    checkpoint = session.checkpoint(sounds, work)
    if checkpoint.is_file():
        say("resuming an interrupted training")
    trained = session.train_one(
        sounds,
        work,
        threads=job.threads,
        progress=progress,
        on_pace=pace.teller(say),
        tensorboard=job.tensorboard,
    )
    if job.temperature is not None:
        trained.pipeline.temperature = job.temperature
    saving.save(staging, trained, work, sounds, _facts(job))
    artifacts.succeed(folder)
    if job.params:
        own = folder / artifacts.HYPERPARAMETERS
        write_text(own, job.params.read_text(encoding="utf-8"))
    checkpoint.unlink(missing_ok=True)
    return _result(folder, sounds, trained)


def _work(job: TrainJob, folder: Path, say: Say) -> Work:
    from ser_cli.training import settings
    from ser_cli.training.session import Work

    own = folder / artifacts.HYPERPARAMETERS
    file = job.params or (own if own.is_file() else None)
    chosen = settings.resolve(job.system, file, job.overrides)
    say(f"settings: {chosen.origin}")
    return Work(job.recipe, chosen, job.seed, job.selection.oversample, job.encoder)


def _facts(job: TrainJob) -> dict[str, Any]:
    return {
        "data": list(job.corpora),
        "split": str(job.split),
        "selection": job.selection.describe(),
    }


def _result(folder: Path, sounds: Sounds, trained: Trained) -> TrainResult:
    split = sounds.found.split
    return TrainResult(
        folder=folder,
        fit=trained.fit,
        parts=parts.counts(split),
        learned=sounds.found.class_counts()[1],
        uar_over=trained.data.uar_over,
        failed=sounds.found.failed,
        audit=sounds.audit.lines(),
        leaky=split.leaky,
        dev_leaky=split.dev_leaky,
    )
