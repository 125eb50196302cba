"""Commands that train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from ser_cli.data import corpora, mirror
from ser_cli.jobs import NAMES, AsJson, Folder, Option, Oversample, Params, Processes, TensorBoard
from ser_cli.jobs.clips import ClipsJob
from ser_cli.workers import CORES


class Split(StrEnum):
    """Ways to split clips into train, dev and test."""

    auto = "auto"
    speaker = "speaker"
    random = "random"
    table = "table"
    none = "none"


class SearchSplit(StrEnum):
    """Ways to judge a trial."""

    speaker = "speaker"
    random = "random"


class Metric(StrEnum):
    """What a study maximises on dev."""

    uar = "uar"
    accuracy = "accuracy"


def _protocols() -> Sequence[str]:
    from ser_cli.data import protocols

    return protocols.names()


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneJob(ClipsJob):
    """`ser tune`: a study, and how long to continue it."""

    trials: Annotated[
        int, Option("Finished trials of the study in all, whoever runs them.", low=1)
    ] = 50
    folder: Folder = None
    split: Annotated[SearchSplit, Option("By speaker (folds), or at random (one split).")] = (
        SearchSplit.speaker
    )
    folds: Annotated[int, Option("Folds for --split speaker.", low=2)] = 3
    metric: Annotated[Metric, Option("What the study maximises on dev.")] = Metric.uar
    epochs: Annotated[int, Option("Epochs per fold, at most.", low=1)] = 10
    copies: Annotated[int, Option("Augmented copies of each training clip.", low=0)] = 0
    oversample: Oversample = ()
    timeout: Annotated[float | None, Option("Seconds after which no new trial starts.", low=0)] = (
        None
    )
    storage: Annotated[
        str | None,
        Option(
            "Where the study is kept: an SQLite file, or a database that any number of machines "
            "share, postgresql://user@host/name; default: a file in the cache folder."
        ),
    ] = None
    study: Annotated[
        str | None,
        Option(
            "Name of the study, the same for all who share it; default: made of data and options.",
            metavar="NAME",
        ),
    ] = None
    show: Annotated[
        bool,
        Option(
            "Only show how far the study is, where it is kept, and how to watch it.", flag="--show"
        ),
    ] = False
    workers: Annotated[int, Option("Trials to run in parallel.", low=1)] = CORES
    tensorboard: TensorBoard = None
    as_json: AsJson = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob(ClipsJob):
    """`ser train`."""

    folder: Folder = None
    split: Annotated[
        Split, Option("How to split clips; table: the CSV's split column; none: nothing held out.")
    ] = Split.auto
    oversample: Oversample = ()
    params: Params = None
    epochs: Annotated[int | None, Option("Epochs, at most.", low=1)] = None
    batch_size: Annotated[int | None, Option("Clips per training step.", low=1)] = None
    learning_rate: Annotated[float | None, Option("Adam's initial rate.", low=1e-7)] = None
    copies: Annotated[int | None, Option("Augmented copies of each training clip.", low=0)] = None
    max_len: Annotated[
        int | None,
        Option("Frames to pad or cut each clip to; default: the recipe decides.", low=32),
    ] = None
    patience: Annotated[
        int | None, Option("Stop after this many epochs without a better dev UAR.", low=1)
    ] = None
    temperature: Annotated[
        float | None,
        Option("Calibration temperature, when nothing is held out.", low=0.25, high=10.0),
    ] = None
    jobs: Processes = CORES
    threads: Annotated[int, Option("TensorFlow threads; 0: all cores.", low=0)] = 0
    tensorboard: TensorBoard = None
    rebuild_shipped: Annotated[bool, Option(hidden=True)] = False
    as_json: AsJson = False

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that override all others, where they are given."""
        names = ("epochs", "batch_size", "learning_rate", "copies", "max_len", "patience")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateJob(ClipsJob):
    """`ser evaluate`: a trained folder, a recipe under a protocol, or the files of a system."""

    folder: Annotated[
        Path | None,
        Option(
            "Artifacts folder; default: artifacts/RECIPE.",
            flag="--artifacts",
            elsewhere=mirror.local,
        ),
    ] = None
    protocol: Annotated[
        str | None,
        Option(
            f"Train and test as published; one of: {NAMES}.", metavar="NAME", choices=_protocols
        ),
    ] = None
    model: Annotated[
        Path | None,
        Option(
            "Score this .onnx or .keras on all of --data, without a folder.", elsewhere=mirror.local
        ),
    ] = None
    scaler: Annotated[Path | None, Option("scaler.pkl for --model.", elsewhere=mirror.local)] = None
    label_encoder: Annotated[
        Path | None, Option("label_encoder.pkl for --model.", elsewhere=mirror.local)
    ] = None
    max_len: Annotated[
        Path | None,
        Option("max_len.npy for --model, if its recipe learns the length.", elsewhere=mirror.local),
    ] = None
    also: Annotated[
        tuple[str, ...],
        Option(
            "Corpus to learn from as well in every fold of --protocol; repeatable.",
            metavar="DATA",
            offered=corpora.named,
        ),
    ] = ()
    matrix: Annotated[
        bool,
        Option(
            "Train on each corpus of --data, and on all but one (never without the first), and "
            "test on those left out.",
            flag="--matrix",
        ),
    ] = False
    params: Params = None
    epochs: Annotated[int | None, Option("Epochs at most, for --protocol.", low=1)] = None
    copies: Annotated[int | None, Option("Augmented copies, for --protocol.", low=0)] = None
    oversample: Oversample = ()
    workers: Annotated[int, Option("Folds of --protocol in parallel.", low=1)] = CORES
    compare: Annotated[
        tuple[Path, Path] | None,
        Option(
            "Compare two trained folders, A and B, on clips that neither has learned from.",
            metavar="A B",
            elsewhere=mirror.local,
        ),
    ] = None
    robustness: Annotated[
        bool,
        Option(
            "Score the clips of a trained folder under noise, in a room, over a telephone, cut "
            "and coded as well.",
            flag="--robustness",
        ),
    ] = False
    report: Annotated[bool, Option("Write the page and text files.", flag="--report")] = False
    with_audio: Annotated[
        bool, Option("Embed the recordings in the page: personal data.", flag="--with-audio")
    ] = False
    out: Annotated[
        Path | None, Option("Folder for the report; with --model, by default the current one.")
    ] = None
    as_json: AsJson = False

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings that override all others, where they are given."""
        return {"epochs": self.epochs, "copies": self.copies}
