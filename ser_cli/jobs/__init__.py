"""What a user can ask for: one dataclass per command, whose fields are its options.

An option's flag, help, default and bounds are declared here and nowhere else. A command is built
from its dataclass (commands/parsing.py) and passes the object on to its stage. This file has the
options that several of them share; the dataclasses are in the files next to it, loaded as needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ser_cli import recipes
from ser_cli.data import corpora, mirror
from ser_cli.sound.limits import Limits

NAMES = "NAMES"  # replaced in a help text by the names that its option takes


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is asked for on the command line.

    Attributes:
        help: One or two lines; NAMES in it becomes what `choices` or `offered` returns.
        flag: "--name", or "--on/--off"; by default made of the field's name. "" is none.
        short: One letter more for it: "-q".
        metavar: Placeholder for its value in the help.
        low: Smallest number allowed.
        high: Largest number allowed.
        choices: Returns the names it takes.
        offered: Returns names that a shell completes, of an option that takes others too.
        hidden: Whether the help leaves it out.
        argument: Whether it is an argument, without a flag.
        elsewhere: Makes a path of what is named, if it takes addresses of other places too.
    """

    help: str = ""
    flag: str = ""
    short: str = ""
    metavar: str | None = None
    low: float | None = None
    high: float | None = None
    choices: Callable[[], Sequence[str]] | None = None
    offered: Callable[[], Sequence[str]] | None = None
    hidden: bool = False
    argument: bool = False
    elsewhere: Callable[[str], Path] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every command takes beside the options of its job."""

    quiet: Annotated[bool, Option("Say nothing but errors on standard error.", "--quiet", "-q")] = (
        False
    )
    verbose: Annotated[bool, Option("Say everything, line by line.", "--verbose", "-v")] = False
    log_file: Annotated[Path | None, Option("Add all that is said to this file, with times.")] = (
        None
    )
    config: Annotated[Path | None, Option("Take options from a table of this TOML file, too.")] = (
        None
    )
    save_config: Annotated[
        Path | None, Option("Write all options into this file, for --config.")
    ] = None


Data = Annotated[
    tuple[str, ...],
    Option(
        "Name of a corpus; a folder with one sub-folder per emotion, or with an audformat "
        "database; or a CSV with the columns file, emotion and, where known, start, end (in "
        "seconds), speaker, split; here, or at s3:// and the like. Repeat it to join corpora. "
        f"Default: {corpora.DEFAULT}.",
        metavar="DATA",
        offered=corpora.named,
    ),
]
LabelsAsGiven = Annotated[
    bool,
    Option(
        "Take the labels of --data as they are, though none is known as an emotion.",
        flag="--labels-as-given",
    ),
]
RecipeName = Annotated[str, Option(f"One of: {NAMES}.", metavar="NAME", choices=recipes.names)]
Folder = Annotated[
    Path | None, Option("Artifacts folder; default: artifacts/RECIPE.", flag="--artifacts")
]
Trained = Annotated[
    Path | None, Option("Folder of the trained model.", flag="--artifacts", elsewhere=mirror.local)
]
Seed = Annotated[int, Option("Seed for everything random.", low=0)]
Processes = Annotated[int, Option("Worker processes.", low=1)]
Scheduler = Annotated[
    str | None,
    Option(
        "Dask cluster that does the work: tcp://HOST:8786, scheduler.json, local:8 (that many "
        "workers here), or cluster.yaml (how one is started).",
        metavar="CLUSTER",
    ),
]
MaxHours = Annotated[
    float, Option("Hours of sound that are heard of a file at most.", low=0.001, metavar="HOURS")
]
DecoderSeconds = Annotated[
    float, Option("Seconds after which a decoder that does not answer is ended.", low=0.1)
]
DecoderMemory = Annotated[
    int, Option("MB of memory that a decoder may ask for (on Linux).", low=64, metavar="MB")
]
AsJson = Annotated[bool, Option("Print JSON for a program to read.", flag="--json")]
TensorBoard = Annotated[
    Path | None,
    Option(
        "Draw every epoch there, for `tensorboard --logdir` (extra `tensorboard`).",
        flag="--tensorboard",
        metavar="DIR",
    ),
]
Params = Annotated[
    Path | None,
    Option(
        "JSON file of settings, as `ser tune` writes it.", metavar="FILE", elsewhere=mirror.local
    ),
]
Exclude = Annotated[
    tuple[str, ...],
    Option("Leave an emotion out, before any split; repeatable.", metavar="EMOTION"),
]
PerClass = Annotated[
    int | None, Option("At most this many clips per emotion, drawn before any split.", low=2)
]
Oversample = Annotated[
    tuple[str, ...],
    Option(
        "Repeat an emotion's training clips until it matches the largest class; repeatable.",
        metavar="EMOTION",
    ),
]


def limits(job: Any) -> Limits:
    """Return what is heard of a file, and what its decoder may take, by a job's three options."""
    return Limits(job.max_hours, job.decoder_seconds, job.decoder_memory)
