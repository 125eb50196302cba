"""`ser evaluate`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ser_cli.commands import console, tables
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.commands.reading import keep_settings
from ser_cli.data.mirror import url_of
from ser_cli.data.store import need_folder
from ser_cli.errors import UsageError
from ser_cli.jobs.training import EvaluateJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.report.evaluation import Evaluation
    from ser_cli.stages.evaluate import NothingHeldOutError
    from ser_cli.types import Progress


@command(
    EvaluateJob,
    "ser evaluate --report",
    "ser evaluate --data my.csv",
    "ser evaluate --recipe voice --robustness --report",
    "ser evaluate --protocol actors21-24 --workers 2",
    "ser evaluate --protocol emobox6 --recipe voice --also nemo --also emovo",
    "ser evaluate --compare artifacts/voice artifacts/cnn-bilstm",
    "ser evaluate --matrix --recipe voice --data ravdess --data nemo --data emovo",
    "ser evaluate --protocol random70 --recipe stats-dense --exclude sad --per-class 300",
    "ser evaluate --data clips/ --model m.onnx --scaler s.pkl --label-encoder e.pkl",
    trains=True,
)
def evaluate(job: EvaluateJob) -> None:
    """Score a trained model on clips it has never seen, or a recipe under a protocol."""
    from ser_cli.stages.evaluate import NothingHeldOutError

    _check(job)
    if job.matrix or job.compare:
        (_matrix if job.matrix else _compare)(job)
        return
    try:
        with progress("features") as shown:
            scored = _scored(job, shown)
    except NothingHeldOutError as error:
        _published(error, job)
        return
    _write(job, scored)  # before it is shown: a reader, such as `head`, may have seen enough
    console.failures(scored.failed)
    _say_what_is_absent(scored)
    if job.as_json:
        from ser_cli.report.evaluation import as_record

        console.print_json(as_record(scored))
    else:
        _print(scored)
    raise typer.Exit(3 if scored.failed else 0)


def _check(job: EvaluateJob) -> None:
    from ser_cli.model import artifacts

    if job.out:
        need_folder(job.out)
    files = (job.model, job.scaler, job.label_encoder)
    if any((*files, job.max_len)):
        if not all(files):
            raise UsageError(
                "--model, --scaler and --label-encoder belong together",
                hint="name all three, or a folder: --artifacts DIR",
            )
        if job.protocol or job.folder or not job.data:
            raise UsageError(
                "--model needs --data, and takes neither --protocol nor --artifacts",
                hint="ser evaluate -h",
            )
    if job.protocol and job.folder:
        raise UsageError(
            "--protocol trains anew in every fold, and takes no --artifacts",
            hint="leave one of the two out; the settings of a folder: --params "
            f"{job.folder / artifacts.HYPERPARAMETERS}",
        )
    if job.matrix and (job.protocol or job.folder or job.also):
        raise UsageError(
            "--matrix trains on the corpora of --data, and takes no --protocol, --also or "
            "--artifacts",
            hint="ser evaluate -h",
        )
    if job.robustness and (job.protocol or job.model or job.matrix):
        raise UsageError(
            "--robustness tries a trained folder", hint="ser train, then ser evaluate --robustness"
        )
    if job.compare and (job.protocol or job.model or job.matrix or job.robustness or job.folder):
        raise UsageError("--compare takes --data alone", hint="ser evaluate --compare A B")
    retrained = [name for name, value in job.overrides.items() if value is not None]
    if (retrained or job.params or job.encoder) and not (job.protocol or job.matrix):
        raise UsageError(
            "--epochs, --copies, --params and --encoder are of a training, and this one is done",
            hint="add --protocol, or give them to ser train, then ser evaluate",
        )
    if job.also and not job.protocol:
        raise UsageError("--also adds to the folds of a protocol", hint="add --protocol NAME")
    if job.selection.describe() and not job.protocol:
        raise UsageError(
            "--exclude, --per-class and --oversample choose what is trained on",
            hint="add --protocol, or give them to ser train, then ser evaluate",
        )


def _matrix(job: EvaluateJob) -> None:
    from ser_cli.report import plotting, transfer
    from ser_cli.stages import matrix as stage

    with progress("features") as shown:
        found = stage.evaluate(job, command=_typed(), progress=shown)
    if job.as_json:
        console.print_json(transfer.as_record(found))
    else:
        head, rows = transfer.table(found)
        tables.table(f"{job.recipe}: UAR in percent, raw / against own statistics", head, rows)
        if means := found.means():
            own = "" if means[1] is None else f", {tables.percent(means[1])} own"
            console.say(f"mean over the corpora left out: {tables.percent(means[0])} raw{own}")
            console.say(
                f"calibration over the corpora left out: temperature {found.temperature:.3g}"
            )
    picture = (job.out or Path("artifacts") / job.recipe / "report") / "matrix.png"
    title = f"{job.recipe}: UAR in percent from corpus to corpus"
    plotting.save(transfer.figure(found), picture, title=title)
    keep_settings(picture.parent)
    console.written(picture)


def _compare(job: EvaluateJob) -> None:
    from ser_cli.report import paired
    from ser_cli.stages import compare as stage

    with progress("features") as shown:
        found = stage.compare(job, progress=shown)
    for note in found.notes:
        console.say(note)
    if job.as_json:
        console.print_json(paired.as_record(found.paired))
        return
    one, rate = found.paired, tables.percent
    rows = [
        (str(found.folders[0]), rate(one.uar_a), str(one.only_a)),
        (str(found.folders[1]), rate(one.uar_b), str(one.only_b)),
    ]
    tables.table(
        f"the same {counted(one.n, 'clip')}, in percent", ("folder", "UAR", "right alone"), rows
    )
    console.say(
        f"difference {100 * one.difference:+.1f} points of UAR (95 %: {100 * one.low:+.1f} to "
        f"{100 * one.high:+.1f}, drawing {one.resampled}); McNemar's exact test: p = {one.p:.2g}"
    )


def _scored(job: EvaluateJob, shown: Progress) -> Evaluation:
    if job.protocol:
        from ser_cli.stages import protocol

        return protocol.evaluate(job, command=_typed(), progress=shown, say=console.say)
    if job.model:
        from ser_cli.stages import evaluate_files

        return evaluate_files.evaluate(job, progress=shown)
    from ser_cli.stages import evaluate

    return evaluate.evaluate(job, progress=shown)


def _typed() -> str:
    return shlex.join(["ser", *sys.argv[1:]])


def _write(job: EvaluateJob, scored: Evaluation) -> None:
    from ser_cli.report import evaluation

    if job.model:
        written = evaluation.write_texts(scored, job.out or Path())
        keep_settings(job.out or Path())
        console.written(*written)
    if job.report:
        home = job.folder if job.folder and not url_of(job.folder) else None  # a copy is no place
        own = (home or Path("artifacts") / job.recipe) / "report" / (job.protocol or "test")
        target = job.out or (Path() if job.model else own)
        page = evaluation.write_report(scored, target, command=_typed(), with_audio=job.with_audio)
        keep_settings(target)
        console.written(page)


def _say_what_is_absent(scored: Evaluation) -> None:
    for part, report in scored.reports:
        if report.absent:
            console.say(f"{part}: no clip is {' or '.join(report.absent)}; UAR is {report.scope}")


def _print(scored: Evaluation) -> None:
    leaky = " - LEAKY: not speaker-independent" if scored.leaky else ""
    whole = scored.report
    partial = f" - UAR {whole.scope}" if whole.scope else ""
    chance = f" - UAR by chance: {tables.percent(whole.chance)}"
    tables.scores(f"{scored.title}, {scored.protocol}{leaky}{partial}{chance}", scored.reports)
    tables.per_class(whole, scored.counts)
    tables.confusion(whole)
    if scored.tried:
        tables.table("the same clips under other conditions, in percent", *_tried(scored))
    for line in (*scored.audit, *scored.notes):
        console.say(line)


def _tried(scored: Evaluation) -> Any:
    from ser_cli.report import robustness

    return robustness.table(scored.tried)


def _published(error: NothingHeldOutError, job: EvaluateJob) -> None:
    """Show the published results of a model that has nothing held out, and explain why."""
    from ser_cli.report import results
    from ser_cli.stages.evaluate import published

    rows = published(error.recipe, error.settings_from)
    if not rows:
        raise error
    console.say(
        f"{error}\n  these are the published results of the same recipe, retrained for each fold"
    )
    if job.report:
        console.say("no report was written: there is no held-out clip to report on")
    if job.as_json:
        console.print_json({"title": error.recipe, "results": rows})
        return
    head = ("protocol", "data", "learned from", "enrolled", "UAR (95 %)", "WAR", "F1")
    tables.table(
        f"{error.recipe}: test speakers unseen unless marked leaky",
        head,
        [_row(row) for row in results.over_seeds(rows)],
    )
    console.say(f"  try: {error.hint}")


def _few(corpora: list[str]) -> str:
    return corpora[0] + (f" +{len(corpora) - 1}" if len(corpora) > 1 else "")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    rate = {name: tables.percent(row[name]) for name in ("uar", "low", "high", "war", "macro_f1")}
    return (
        row["protocol"] + (" (leaky)" if row["leaky"] else ""),
        row["data"],
        _few(row["corpora"].split("+")),
        str(row["enrol_clips"] or "-"),
        f"{rate['uar']} ({rate['low']}-{rate['high']})",
        rate["war"],
        rate["macro_f1"],
    )
