"""Commands that use a trained system, or need none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ser_cli import recipes
from ser_cli.data import mirror
from ser_cli.jobs import (
    NAMES,
    AsJson,
    DecoderMemory,
    DecoderSeconds,
    MaxHours,
    Option,
    Scheduler,
    Trained,
)
from ser_cli.sound.limits import USUAL
from ser_cli.types import Joining
from ser_cli.web import limits

_JOINING = Joining()


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictJob:
    """`ser predict`."""

    paths: Annotated[
        tuple[str, ...],
        Option(
            "Files, folders or patterns, here or at s3://, gs://, hf://, https://; - is standard "
            "input; a .csv, .tsv or .parquet is a table of files: file[,start,end,speaker].",
            argument=True,
        ),
    ]
    csv: Annotated[
        Path | None,
        Option(
            "Write the rows to this file (to s3://BUCKET/x.csv at the end); run again, it resumes "
            "where it ended.",
            elsewhere=mirror.outgoing,
        ),
    ] = None
    as_json: Annotated[bool, Option("Print JSON Lines.", flag="--json")] = False
    out: Annotated[
        tuple[Path, ...],
        Option(
            "Write this file as well; its ending is the format: .csv, .jsonl, .rttm, .srt, .vtt, "
            ".TextGrid, .txt (Audacity), .png (over time). % in its name makes one per "
            "recording: labels/%.srt. "
            "Where windows overlap, a label holds until the next begins. Repeatable.",
            metavar="FILE",
            elsewhere=mirror.outgoing,
        ),
    ] = ()
    parquet: Annotated[
        str | None,
        Option(
            "Write the rows into this folder (or s3://...) as a Parquet dataset: for millions of "
            "files. Run again, it resumes where it ended.",
            metavar="DIR",
        ),
    ] = None
    partition: Annotated[
        int | None,
        Option("Files whose rows are in one file of --parquet; default: 1000, or fewer.", low=1),
    ] = None
    restart: Annotated[
        bool,
        Option("Predict everything again, also what the outputs hold already.", flag="--restart"),
    ] = False
    force: Annotated[
        bool, Option("Overwrite files that are no result of this same command.", flag="--force")
    ] = False
    folder: Trained = None
    recipe: Annotated[
        str | None,
        Option(
            f"One of: {NAMES}. Default: what was trained last here of {recipes.DEFAULT} and "
            f"{recipes.PREDICTING}, else the shipped {recipes.PREDICTING}.",
            metavar="NAME",
            choices=recipes.names,
        ),
    ] = None
    window: Annotated[
        float | None, Option("Seconds per row; default: one row per file, or 4 for a timeline.")
    ] = None
    step: Annotated[
        float | None,
        Option("Seconds from one row to the next; default: --window, or 1 for a timeline."),
    ] = None
    timeline: Annotated[
        bool,
        Option(
            "A row for each stretch that sounds alike: windows where somebody speaks, joined.",
            flag="--timeline",
        ),
    ] = False
    smooth: Annotated[
        float, Option("Seconds over which a timeline is averaged.", low=0.0, metavar="SECONDS")
    ] = _JOINING.smoothing_s
    shortest: Annotated[
        float, Option("Seconds that each row of a timeline lasts at least.", low=0.0)
    ] = _JOINING.shortest_s
    pause: Annotated[
        float, Option("Seconds of silence that separate two rows of a timeline.", low=0.1)
    ] = _JOINING.pause_s
    channel: Annotated[
        str | None,
        Option(
            "Hear one channel alone: left, right, or its number from 1; each: rows for every one, "
            "as left and right of a call.",
            metavar="CHANNEL",
        ),
    ] = None
    track: Annotated[
        int | None,
        Option("Audio track of a film, from 1; default: the first that holds sound.", low=1),
    ] = None
    speakers: Annotated[
        Path | None,
        Option(
            "Who speaks when (.rttm, or a table with start, end, speaker and, for several "
            "recordings, file): a row for each turn.",
            metavar="FILE",
            elsewhere=mirror.local,
        ),
    ] = None
    hear_all: Annotated[
        bool,
        Option(
            "Label windows without speech, too: laughter, sobs, whispers that are taken for noise.",
            flag="--hear-all",
        ),
    ] = False
    enrol: Annotated[
        tuple[str, ...],
        Option(
            "Recordings of the one speaker of all files (file, folder or pattern; no labels "
            "needed): ten make the model hear that voice better. Repeatable.",
            metavar="PATH",
        ),
    ] = ()
    same_speaker: Annotated[
        bool, Option("All files are of one speaker: enrol all of them.", flag="--same-speaker")
    ] = False
    same_recording_conditions: Annotated[
        bool,
        Option(
            "All files were recorded alike, by several speakers: hear each against all of them.",
            flag="--same-recording-conditions",
        ),
    ] = False
    labels: Annotated[
        str | None, Option("Choose among these emotions only: angry,happy,...", metavar="LABELS")
    ] = None
    min_confidence: Annotated[
        float, Option('Below it, the emotion is "uncertain" (0 to 1).', low=0.0, high=1.0)
    ] = 0.0
    jobs: Annotated[
        int | None, Option("Worker processes; default: one per core for 128 files or more.", low=1)
    ] = None
    scheduler: Scheduler = None
    max_hours: MaxHours = USUAL.hours
    decoder_seconds: DecoderSeconds = USUAL.stall_s
    decoder_memory: DecoderMemory = USUAL.memory_mb
    report: Annotated[
        bool, Option("Score files whose names carry a label.", flag="--report/--no-report")
    ] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipesJob:
    """`ser recipes`."""

    as_json: AsJson = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorJob:
    """`ser doctor`."""

    as_json: AsJson = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AppJob:
    """`ser app`."""

    host: Annotated[str, Option("Address to listen on; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Option("Port to listen on.", low=1, high=65535)] = 8501
    allow_host: Annotated[
        tuple[str, ...],
        Option(
            "Name by which browsers ask for the page, if it is none of this machine's own, as "
            "behind a reverse proxy; may be repeated.",
            metavar="NAME",
        ),
    ] = ()
    allow_frame: Annotated[
        tuple[str, ...],
        Option(
            "Page that may show this one inside it: https://NAME; may be repeated.",
            metavar="ADDRESS",
        ),
    ] = ()
    max_upload: Annotated[
        int,
        Option(
            "MB that an uploaded file may have; a visitor's together may have twice as many, those "
            "of all visitors four times, and they are held in memory.",
            metavar="MB",
            low=1,
            high=10_000,
        ),
    ] = limits.UPLOAD_MB
    folders: Annotated[
        tuple[Path, ...],
        Option(
            "Folder of a trained model to offer; may be repeated.",
            flag="--artifacts",
            metavar="DIR",
            elsewhere=mirror.local,
        ),
    ] = ()
