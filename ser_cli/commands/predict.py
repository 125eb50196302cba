"""`ser predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.disarm import visible
from ser_cli.errors import UsageError
from ser_cli.jobs.trained import PredictJob
from ser_cli.remarks import counted, listed, plural
from ser_cli.types import Joining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ser_cli.cluster import Cluster
    from ser_cli.jobs.work import Work
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.report.filename_labels import FilenameLabels
    from ser_cli.report.keeping import Kept
    from ser_cli.report.outputs import Target
    from ser_cli.types import Prediction


@dataclass(slots=True)
class _Tally:
    """How much was done: recordings, rows, rows that are errors, and why the first of these are.

    `mute` are the recordings without a row, `mono` those with one channel where each was asked for.
    """

    files: int = 0
    rows: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    mono: list[str] = field(default_factory=list)

    def add(self, file: str, rows: Sequence[Prediction]) -> None:
        """Count the rows of a recording."""
        self.mono += [file] if any("mono" in row.flags for row in rows) else []
        reasons = [row.error for row in rows if row.status == "error"]
        self.count(file, len(rows), len(reasons))
        self.reasons = [*self.reasons, *reasons][: console.SHOWN_FAILURES]

    def count(self, file: str, rows: int, failed: int) -> None:
        """Count so many rows of a recording, some of which are errors."""
        self.files += 1
        self.rows += rows
        self.failed += failed
        self.mute += [] if rows else [file]


@command(
    PredictJob,
    "ser predict clip.wav",
    "ser predict recordings/ --csv out.csv",
    "ser predict clips.csv --csv out.csv",
    "ser predict talk.m4a --window 3 --step 1 --json",
    "ser predict - < clip.wav",
    "ser predict talk.m4a --timeline --out talk.srt --out talk.png",
    "ser predict call.wav --timeline --channel each --csv call.csv",
    "ser predict meeting.wav --speakers meeting.rttm",
    "ser predict talk.m4a --window 2 --out talk.srt --out talk.TextGrid",
    "ser predict recordings/ --window 2 --csv out.csv --out labels/%.txt",
    "ser predict archive/ --parquet rows/",
    "ser predict calls/ --same-speaker --labels angry,happy,neutral,sad --min-confidence 0.5",
    "ser predict recordings/ --csv out.csv --scheduler tcp://10.0.0.5:8786",
    "ser predict new.wav --enrol recordings-of-the-same-person/",
)
def predict(job: PredictJob) -> None:
    """Label recordings: WAV, FLAC, OGG, MP3, M4A and more; one row per file, or per window."""
    from ser_cli.cluster import connected

    _check(job)
    if job.parquet:
        from ser_cli.stages import partitions

        partitions.check(job)
    with connected(job.scheduler) as cluster:
        tally = _predict(job, cluster)
    raise typer.Exit(3 if tally.failed else 0)


def _predict(job: PredictJob, cluster: Cluster | None) -> _Tally:
    """Predict, on a cluster where there is one, and tell what became of it."""
    from ser_cli.commands import output
    from ser_cli.data import mirror
    from ser_cli.model import artifacts
    from ser_cli.report.outputs import targets
    from ser_cli.stages import predict as stage

    wanted = targets(job.csv, job.out)
    trained = artifacts.load(artifacts.resolve(job.folder, recipe=job.recipe))
    console.say(f"model: {mirror.shown(trained.folder)}")
    work = stage.ready(job, trained, executor=cluster)
    if job.parquet:
        return _in_partitions(work, cluster)
    _spare([*work.inputs.tables, *([job.speakers] if job.speakers else [])], wanted)
    model = work.model
    labels = _labels(trained, model.classes) if job.report and work.is_by_file else None
    printed = job.as_json or not wanted
    show = output.printer(model.classes, as_json=job.as_json) if printed else None
    tally = _Tally()
    if show and wanted:
        show = output.while_read(show)
    with _kept(work, wanted, tally) as kept, progress("predicting") as shown:
        bar = None if show and sys.stdout.isatty() else shown
        skip = kept.skip if kept else None
        files = stage.by_file(work, skip=skip, executor=cluster, progress=bar)
        with closing(files):  # however this ends, no worker goes on
            for found, made in files:
                rows = kept.take(found, made) if kept else made or []
                tally.add(found.file, rows)
                for row in rows:
                    if show:
                        show(row)
                    if labels:
                        labels.add(row)
    tells = not wanted or any(target.format.tells for target in wanted)
    _summarise(listed(wanted) if wanted else "", tally, labels=labels, tells=tells)
    return tally


def _check(job: PredictJob) -> None:
    """Refuse options of which one would be passed over.

    Raises:
        UsageError: There are some.
    """
    voices = (job.enrol, job.same_speaker, job.same_recording_conditions)
    if sum(map(bool, voices)) > 1:
        raise UsageError(
            "--enrol, --same-speaker and --same-recording-conditions exclude each other",
            hint="ser predict --help",
        )
    if not job.timeline and Joining(job.smooth, job.shortest, job.pause) != Joining():
        raise UsageError(
            "--smooth, --shortest and --pause are of a timeline", hint="add --timeline"
        )


def _spare(read: Sequence[str | Path], wanted: Sequence[Target]) -> None:
    """Refuse to write over a table that is read, whatever --force says.

    Raises:
        UsageError: That was asked for.
    """
    tables = {Path(path).resolve() for path in read}
    for target in wanted:
        if target.path.resolve() in tables:
            raise UsageError(f"{target.path} is read, too", hint="name another file to write")


@contextmanager
def _kept(work: Work, wanted: Sequence[Target], tally: _Tally) -> Iterator[Kept | None]:
    """Yield what keeps the outputs, if there are any; tell what is done when it ends early."""
    from ser_cli.report.keeping import Kept

    if not wanted:
        yield None
        return
    job, run = work.job, work.identity()
    with Kept(wanted, work.model.classes, run, restart=job.restart, force=job.force) as kept:
        kept.plan(work.inputs)
        if kept.done:
            before = f"{kept.done:,} of {counted(kept.total, 'file')}"
            were = plural(kept.done, "was", "were")
            console.say(f"{before} {were} done before; --restart begins anew")
        try:
            yield kept
        except BaseException:
            if tally.files:
                done = counted(tally.files, "file is", "files are")
                console.say(f"{done} done; the same command resumes")
            raise


def _in_partitions(work: Work, cluster: Cluster | None) -> _Tally:
    """Write a Parquet dataset, and tell what it holds."""
    from ser_cli.stages import partitions
    from ser_cli.stages import predict as stage

    by, tally = stage.labelling(work, cluster), _Tally()
    done = before = 0
    with progress("predicting") as shown:
        made = partitions.write(work, by, executor=cluster, progress=shown)
        try:
            with closing(made):
                for written in made:
                    done, before = done + 1, before + written.before
                    for entry in written.entries:
                        tally.count(entry.file, entry.rows, entry.errors)
        except BaseException:
            if done:
                are = counted(done, "partition is", "partitions are")
                console.say(f"{are} done; the same command resumes")
            raise
    where = f"{work.job.parquet}; {counted(done, 'partition')}, {before:,} done before"
    _summarise(where, tally)
    return tally


def _labels(trained: Artifacts, classes: Sequence[str]) -> FilenameLabels:
    from ser_cli.model import artifacts
    from ser_cli.report.filename_labels import FilenameLabels

    return FilenameLabels(classes, read_parts=lambda: artifacts.read_split(trained.folder))


def _summarise(
    where: str, tally: _Tally, *, labels: FilenameLabels | None = None, tells: bool = True
) -> None:
    """Say how many rows are where, and what is odd; `tells`: rows say why they are errors."""
    if where:
        console.say(f"{counted(tally.rows, 'row')} written: {where}")
    if labels and (text := labels.report()):
        shown = sys.stdout if sys.stdout.isatty() else sys.stderr
        print(visible(text, keep="\n"), file=shown)
    if tally.mute:
        count = f"{len(tally.mute)} of {counted(tally.files, 'file')}"
        console.say(f"nobody speaks in {count}: {visible(listed(tally.mute))}")
    if tally.mono:
        count = f"{len(tally.mono)} of {counted(tally.files, 'file')}"
        have = plural(len(tally.mono), "has", "have")
        console.say(f"one channel is all that {count} {have}: {visible(listed(tally.mono))}")
    if tally.failed and tells:
        console.say(f"{_errors(tally)}: see the error column")
    elif tally.failed:  # no output says why
        console.say(f"{_errors(tally)}:")
        for reason in tally.reasons:
            console.say(visible(reason))


def _errors(tally: _Tally) -> str:
    are = plural(tally.failed, "is an error", "are errors")
    return f"{tally.failed} of {counted(tally.rows, 'row')} {are}"
