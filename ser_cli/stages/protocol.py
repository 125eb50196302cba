"""A recipe under a published protocol: train every fold, score the pooled test clips."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli import recipes
from ser_cli.data import corpora, parts, protocols, select, splits
from ser_cli.data.corpora import ravdess
from ser_cli.data.store import atomic_write, cache_dir
from ser_cli.errors import DataError
from ser_cli.model import memory
from ser_cli.model.calibration import calibrate
from ser_cli.report import metrics, results
from ser_cli.stages import train
from ser_cli.stages.evaluate import Evaluation
from ser_cli.training import dataset, settings, trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.report.metrics import Report
    from ser_cli.types import Clip, Floats, Params, Progress


RESULTS = Path("artifacts") / "results.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe under a protocol: what decides its outcome, and where the settings came from."""

    protocol: str
    data: str
    recipe: str
    seed: int
    chosen: tuple[tuple[str, Any], ...]
    settings_from: str
    clips: str  # digest of the clips' names: an incomplete copy must not answer for a whole one
    missing: int  # clips of RAVDESS that the data lacks
    selection: select.Selection = select.ALL

    def words(self) -> tuple[str, ...]:
        """Say what differs from all clips of RAVDESS."""
        return (*self.selection.words(), *([f"{self.missing} missing"] if self.missing else ()))

    def tested_on(self, part: str) -> str:
        """Name the test clips of a part as results.csv does."""
        return ", ".join([part, *self.words()])


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Pooled test clips of all folds.

    Attributes:
        clips: N clips.
        truth: (N,) index into labels.
        probabilities: (N, C), calibrated by each fold's dev part.
        labels: C class names.
        histories: An entry an epoch, of each fold.
        epochs: Kept epoch of each fold.
        seconds: Training time of all folds.
        temperature: Of the calibration, mean over the folds.
        audit: What test clips share with train and dev, a line a finding.
    """

    clips: tuple[Clip, ...]
    truth: NDArray[np.int64]
    probabilities: Floats
    labels: tuple[str, ...]
    histories: tuple[tuple[dict[str, float], ...], ...]
    epochs: tuple[int, ...]
    seconds: float
    temperature: float
    audit: tuple[str, ...]

    def report(self, part: str) -> Report:
        """Score the clips of "speech", "song" or "speech+song"."""
        inside = np.array([clip.channel in part.split("+") for clip in self.clips])
        speakers = [c.speaker for c, kept in zip(self.clips, inside, strict=True) if kept]
        return metrics.score(
            self.truth[inside], self.probabilities[inside], labels=self.labels, speakers=speakers
        )


def plan(
    name: str,
    data: str,
    *,
    recipe: str = recipes.DEFAULT,
    selection: select.Selection = select.ALL,
    params: Path | None = None,
    overrides: Params | None = None,
    seed: int = 0,
) -> Run:
    """Return a run that has yet to be trained.

    Args:
        name: Of the protocol.
        data: Holds RAVDESS.
        recipe: Its name.
        selection: Which clips, before they are split; a result is marked by it.
        params: A best_hyperparameters.json, or None for the recipe's defaults.
        overrides: Settings that win.
        seed: Of everything random.

    Raises:
        SerError: There is no such protocol, recipe or data, or the settings do not fit.
    """
    protocol, system = protocols.protocol(name), recipes.get(recipe)
    chosen, origin = settings.resolve(system, params, overrides or {})
    clips = corpora.load(data)
    names = "".join(clip.path.stem for clip in clips)
    return Run(
        protocol=protocol.name,
        data=data,
        recipe=recipe,
        seed=seed,
        chosen=tuple(sorted(chosen.items())),
        settings_from=origin,
        clips=hashlib.sha256(names.encode()).hexdigest()[:16],
        missing=ravdess.missing_from(clips),
        selection=selection,
    )


def train_folds(work: Run, *, workers: int = 1, progress: Progress | None = None) -> None:
    """Train and test every fold that is not kept yet; one that was cut off goes on.

    Args:
        work: The run.
        workers: Folds trained side by side, one thread each.
        progress: Told of epochs (alone) or folds.

    Raises:
        DataError: The clips are not RAVDESS, or a fold that should not leak does.
    """
    files = _fold_files(work)
    todo = [number for number, file in enumerate(files) if not file.is_file()]
    if workers == 1 or len(todo) < 2:
        for number in todo:
            _train_fold(work, number, 0, progress)
        return
    with memory.processes(workers) as pool:
        started = [pool.submit(_train_fold, work, number, 1, None) for number in todo]
        for done, future in enumerate(as_completed(started), start=1):
            future.result()
            if progress:
                progress(len(files) - len(todo) + done, len(files), "folds")


def score(work: Run, *, command: str = "", table: Path = RESULTS) -> Evaluation:
    """Score a run whose folds are trained, and write its rows of results.

    Args:
        work: The run.
        command: What the user typed, for the table.
        table: results.csv; the epochs of all folds go beside it.

    Returns:
        Scores of the pooled test clips, for each part that the protocol reports.
    """
    protocol, tested = protocols.protocol(work.protocol), _pool(work)
    reports = tuple((part, tested.report(part)) for part in protocol.parts)
    results.add(table, [_row(work, part, report, tested, command) for part, report in reports])
    named = (work.recipe, work.protocol, *work.words(), work.settings_from, f"seed{work.seed}")
    results.write_histories(table, named, tested.histories)
    return Evaluation(
        title=work.recipe,
        protocol=", ".join([f"{protocol.name}: {protocol.about}", *work.words()]),
        reports=reports,
        clips=tested.clips,
        truth=tested.truth,
        probabilities=tested.probabilities,
        leaky=protocol.leaky,
        audit=tested.audit,
        history=tested.histories[0],
        chosen_epoch=tested.epochs[0],
        settings=dict(work.chosen)
        | {"settings_from": work.settings_from, "temperature": tested.temperature},
    )


def fold_splits(work: Run) -> tuple[splits.Split, ...]:
    """Return the folds of a run's protocol.

    Raises:
        DataError: The corpus is not RAVDESS, or lacks what a fold or a reported part needs.
    """
    clips = select.load(work.data, work.selection, seed=work.seed)
    if {clip.corpus for clip in clips} != {"ravdess"}:
        raise DataError(
            f"the protocol {work.protocol} is made of RAVDESS's actors, and {work.data} is not it",
            hint="ser download-ravdess, then --data ravdess; or: ser train, then ser evaluate",
        )
    protocol = protocols.protocol(work.protocol)
    folds = protocol.folds(clips, work.seed)
    tested = tuple(clip for fold in folds for clip in fold.test)
    chosen = ", after that choice of clips," if work.selection.words() else ""
    hint = "choose otherwise" if chosen else "fetch all of it: ser download-ravdess"
    whole = all(fold.train and fold.dev and fold.test for fold in folds)
    if not whole or not all(protocols.part_of(tested, part) for part in protocol.parts):
        raise DataError(
            f"{work.data}{chosen} lacks clips of RAVDESS that {work.protocol} trains or tests on "
            f"({' and '.join(protocol.parts)})",
            hint=hint,
        )
    for fold in folds:  # of test all folds are scored together, and the score says of what
        parts.checked(splits.Split(fold.train, fold.dev, (), leaky=fold.leaky), hint)
    return folds


def _train_fold(work: Run, number: int, threads: int, progress: Progress | None) -> None:
    system, chosen = recipes.get(work.recipe), dict(work.chosen)
    split = fold_splits(work)[number]
    sounds = dataset.load(
        split,
        system,
        copies=chosen["copies"],
        seed=work.seed,
        oversample=work.selection.oversample,
        jobs=1 if threads else -1,
        progress=progress,
    )
    found = splits.audit(sounds.split, sounds.features).lines()
    if found and not split.leaky:
        raise DataError(f"fold {number + 1} of {work.protocol} leaks: {'; '.join(found)}")
    trainer.prepare(work.seed, threads)
    checkpoint = train.checkpoint_path(sounds, system, chosen, work.seed)
    data = dataset.assemble(sounds, system)
    trained = train.run(
        data,
        system,
        chosen,
        seed=work.seed,
        checkpoint=checkpoint,
        on_epoch=train.epoch_progress(progress, chosen["epochs"]),
    )
    outputs = calibrate(trainer.probabilities(trained.model, data.test.x), trained.temperature)
    with atomic_write(_fold_file(work, number)) as temporary:
        np.savez(
            temporary,
            probabilities=outputs,
            truth=data.test.y,
            names=np.array([clip.path.stem for clip in data.test.clips]),
            labels=np.array(data.preprocessor.classes),
            history=np.array(json.dumps(trained.fit.history)),
            best_epoch=trained.fit.best_epoch,
            temperature=trained.temperature,
            seconds=trained.fit.seconds,
            audit=np.array(found, dtype=str),
        )
    checkpoint.unlink(missing_ok=True)


def _pool(work: Run) -> Tested:
    folds = [dict(np.load(file, allow_pickle=False)) for file in _fold_files(work)]
    clips = {clip.path.stem: clip for clip in corpora.load(work.data)}
    return Tested(
        clips=tuple(clips[str(name)] for fold in folds for name in fold["names"]),
        truth=np.concatenate([fold["truth"] for fold in folds]),
        probabilities=np.concatenate([fold["probabilities"] for fold in folds]),
        labels=tuple(str(label) for label in folds[0]["labels"]),
        histories=tuple(tuple(json.loads(str(fold["history"]))) for fold in folds),
        epochs=tuple(int(fold["best_epoch"]) for fold in folds),
        seconds=sum(float(fold["seconds"]) for fold in folds),
        temperature=float(np.mean([fold["temperature"] for fold in folds])),
        audit=tuple(
            f"fold {number}: {line}"
            for number, fold in enumerate(folds, start=1)
            for line in fold["audit"]
        ),
    )


def _row(work: Run, part: str, report: Report, tested: Tested, command: str) -> results.Row:
    low, high = report.intervals["uar"]
    return results.Row(
        recipe=work.recipe,
        protocol=work.protocol,
        data=work.tested_on(part),
        seed=work.seed,
        enrol_clips=0,
        settings_from=work.settings_from,
        uar=report.uar,
        war=report.war,
        macro_f1=report.macro_f1,
        weighted_f1=report.weighted_f1,
        ece=report.ece,
        low=low,
        high=high,
        epochs=";".join(map(str, tested.epochs)),
        seconds=round(tested.seconds),
        command=command,
    )


def _fold_files(work: Run) -> list[Path]:
    return [_fold_file(work, number) for number in range(len(fold_splits(work)))]


def _fold_file(work: Run, number: int) -> Path:
    system = recipes.get(work.recipe)
    named = (work.recipe, system.version, work.seed, work.chosen, work.clips)
    key = json.dumps([*named, *work.selection.words()])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir() / "protocols" / f"{work.protocol}-{work.recipe}-{name}" / f"{number + 1}.npz"
