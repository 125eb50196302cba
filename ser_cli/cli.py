"""The `ser` command line: parse, call one stage, print. Nothing imports this file.

Each command imports its stage in its body, so that `--help` waits for none of them.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_cli import console, recipes

if TYPE_CHECKING:
    from ser_cli.report.metrics import Report
    from ser_cli.stages.evaluate import Evaluation


def _examples(*commands: str) -> str:
    return "\n\n".join(["Examples:", *commands])


app = typer.Typer(
    name="ser",
    help="Speech emotion recognition: from RAVDESS to a label on anybody's recording.",
    epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 some inputs failed, 130 interrupted. "
    "Start with: ser predict recording.wav",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Subset(StrEnum):
    """Parts of RAVDESS."""

    speech = "speech"
    song = "song"
    all = "all"


Data = Annotated[
    str,
    typer.Option(
        help="ravdess; a folder of RAVDESS names; a folder with one sub-folder an emotion; or "
        "a CSV with file,emotion[,speaker,split]."
    ),
]
RecipeName = Annotated[str, typer.Option("--recipe", help="One of: " + ", ".join(recipes.names()))]
Folder = Annotated[
    Path | None, typer.Option("--artifacts", help="Artifacts folder; default artifacts/RECIPE.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Jobs = Annotated[int, typer.Option(min=1, help="Worker processes.")]
Copies = Annotated[int, typer.Option(min=0, help="Augmented copies of each training clip.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Params = Annotated[
    Path | None, typer.Option(help="best_hyperparameters.json of `ser tune` (or seed S2's).")
]
CORES = os.cpu_count() or 1


def _version(wanted: bool) -> None:
    if wanted:
        from ser_cli import __version__

        typer.echo(f"ser {__version__}")
        typer.echo("code: MIT; weights of the shipped model: CC BY-NC-SA 4.0 (trained on RAVDESS)")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Version and licences."),
    ] = False,
) -> None:
    pass


@app.command(
    epilog=_examples(
        "ser download-ravdess",
        "ser download-ravdess --dest data --subset speech",
        "ser download-ravdess --from http://mirror.example/ravdess",
    )
)
def download_ravdess(
    dest: Annotated[Path | None, typer.Option(help="Where to put the clips.")] = None,
    subset: Annotated[Subset, typer.Option(help="Which part.")] = Subset.all,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A folder, a local archive, or a mirror instead of Zenodo."),
    ] = None,
) -> None:
    """Fetch RAVDESS (434 MB), check every clip, and remember where it lies."""
    from ser_cli.stages.download import download_ravdess as run

    with console.progress("RAVDESS") as progress:
        done = run(dest, subset=subset.value, source=source, progress=progress)
    state = "was there already" if done.skipped else "is ready"
    typer.echo(f"{done.ok} clips verified; RAVDESS {state}: {done.folder}")
    console.say(f"licence: {done.licence}\ncite: {done.citation}")


@app.command(
    epilog=_examples(
        "ser extract",
        "ser extract --data my_clips/ --jobs 4",
        "ser extract --copies 1",
    )
)
def extract(
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    copies: Copies = 0,
    seed: Seed = 0,
    jobs: Jobs = CORES,
    as_json: AsJson = False,
) -> None:
    """Compute the features of every clip once; all other commands reuse them."""
    from ser_cli.stages.extract import extract as run

    with console.progress("features") as progress:
        done = run(data, recipe=recipe, copies=copies, seed=seed, jobs=jobs, progress=progress)
    console.failures(done.failed)
    if as_json:
        failed = [{"file": str(path), "error": reason} for path, reason in done.failed]
        _print_json({**_fields(done), "failed": failed})
    else:
        typer.echo(
            f"{done.clips} clips, {done.frames} frames of {done.features} features "
            f"({done.computed} computed now, {len(done.failed)} failed)"
        )
    raise typer.Exit(3 if done.failed else 0)


@app.command(
    epilog=_examples(
        "ser tune --trials 50",
        "ser tune --data my.csv --trials 20 --timeout 3600",
        "ser tune --split random --metric accuracy (the seed's way)",
    )
)
def tune(
    trials: Annotated[int, typer.Option(min=1, help="Finished trials in all.")] = 50,
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    split: Annotated[str, typer.Option(help="speaker (folds) or random (one split).")] = "speaker",
    folds: Annotated[int, typer.Option(min=2, help="Folds of --split speaker.")] = 3,
    metric: Annotated[str, typer.Option(help="uar or accuracy, on dev.")] = "uar",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a fold.")] = 10,
    copies: Copies = 0,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial begins.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL; default: SQLite in the cache.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials side by side.")] = CORES,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Search a recipe's settings; killed or finished, the same command goes on with the study."""
    from ser_cli.stages import tune as stage

    search = stage.Search(
        data=data,
        recipe=recipe,
        split=split,
        folds=folds,
        metric=metric,
        epochs=epochs,
        copies=copies,
        seed=seed,
    )
    with console.progress("trials") as progress:
        found = stage.tune(
            search,
            trials=trials,
            timeout=timeout,
            storage=storage,
            folder=folder,
            workers=workers,
            jobs=workers,
            progress=progress,
        )
    if as_json:
        _print_json({**_fields(found), "file": str(found.file)})
        return
    rows = [(name, f"{value:.4g}") for name, value in found.best_params.items()]
    console.table(
        f"best of {found.finished} trials ({found.pruned} pruned): dev {metric.upper()} "
        f"{console.percent(found.best_value)} %",
        ("setting", "value"),
        rows,
    )
    console.say(f"written: {found.file}; next: ser train")


@app.command(
    epilog=_examples(
        "ser train",
        "ser train --data my_clips/ --epochs 40 --seed 1",
        "ser train --split none (on all clips, nothing held out)",
    )
)
def train(
    data: Data = "ravdess",
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    split: Annotated[
        str, typer.Option(help="auto, speaker, random, table (the CSV's column) or none.")
    ] = "auto",
    params: Params = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0)] = None,
    copies: Annotated[
        int | None, typer.Option(min=0, help="Augmented copies of each training clip.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Epochs without a better dev UAR.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.25, max=10.0, help="Of the calibration, where nothing is held out."),
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = CORES,
    threads: Annotated[int, typer.Option(min=0, help="Of TensorFlow; 0: all cores.")] = 0,
    rebuild_shipped: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Train a recipe; killed, the same command goes on with the epoch it was in."""
    from ser_cli.stages.train import train as run

    overrides = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "copies": copies,
        "patience": patience,
    }
    with console.progress("training") as progress:
        done = run(
            data,
            recipe=recipe,
            folder=folder,
            split=split,
            params=params,
            overrides=overrides,
            temperature=temperature,
            seed=seed,
            jobs=jobs,
            threads=threads,
            allow_packaged=rebuild_shipped,
            progress=progress,
            say=console.say,
        )
    console.failures(done.failed)
    before, after = done.classes
    rows = [(name, str(n), str(after[name])) for name, n in sorted(before.items())]
    console.table("training clips", ("emotion", "recorded", "with copies"), rows)
    if done.leaky:
        console.say("not speaker-independent: dev and test may know their speakers from training")
    for line in done.audit:
        console.say(f"leak audit: {line}")
    kept = done.fit.history[done.fit.best_epoch - 1]
    uar = f", dev UAR {console.percent(kept['dev_uar'])} %" if "dev_uar" in kept else ""
    typer.echo(f"epoch {done.fit.best_epoch} of {len(done.fit.history)} kept{uar}: {done.folder}")
    console.say("next: ser evaluate --report")
    raise typer.Exit(3 if done.failed else 0)


@app.command(
    epilog=_examples(
        "ser evaluate --report",
        "ser evaluate --data my.csv",
        "ser evaluate --protocol actors21-24 --workers 2",
    )
)
def evaluate(
    data: Annotated[str | None, typer.Option(help="As in `ser train`.")] = None,
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    protocol: Annotated[
        str | None, typer.Option(help="Train and test a published protocol on RAVDESS.")
    ] = None,
    params: Params = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of --protocol.")] = None,
    copies: Annotated[int | None, typer.Option(min=0, help="Of --protocol.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Folds of --protocol side by side.")] = CORES,
    seed: Seed = 0,
    report: Annotated[
        bool, typer.Option("--report", help="Write the page and text files.")
    ] = False,
    with_audio: Annotated[
        bool, typer.Option("--with-audio", help="Put voices into the page: personal data.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the report.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a trained model on what it has not heard, or a recipe under a protocol."""
    from ser_cli.stages import evaluate as stage

    command = shlex.join(["ser", *sys.argv[1:]])
    name = protocol or "test"
    if protocol:
        from ser_cli.stages.protocol import run

        with console.progress(protocol) as progress:
            scored = run(
                protocol,
                data or "ravdess",
                recipe=recipe,
                params=params,
                overrides={"epochs": epochs, "copies": copies},
                seed=seed,
                workers=workers,
                command=command,
                progress=progress,
            )
    else:
        try:
            with console.progress("features") as progress:
                scored = stage.evaluate(folder, recipe=recipe, data=data, progress=progress)
        except stage.NothingHeldOutError as error:
            _committed(error, as_json)
            return
    console.failures(scored.failed)
    if as_json:
        _print_json(stage.as_record(scored))
    else:
        _print_scores(scored)
    if report:
        target = out or Path("artifacts") / recipe / "report" / name
        page = stage.write_report(scored, target, command=command, with_audio=with_audio)
        console.say(f"written: {page}")
    raise typer.Exit(3 if scored.failed else 0)


def _committed(error: Any, as_json: bool) -> None:
    """Show the published results of a model that has nothing held out, and say why."""
    from ser_cli.stages.evaluate import committed_results

    rows = committed_results(error.recipe)
    if not rows:
        raise error
    console.say(
        f"{error}\n  these are the committed results of the same recipe, trained anew in each fold"
    )
    if as_json:
        _print_json(rows)
        return
    head = ("protocol", "data", "settings", "UAR (95 % interval)", "WAR", "macro F1")
    console.table(
        f"{error.recipe}: test speakers unseen unless marked leaky",
        head,
        [_committed_row(row) for row in rows],
    )
    console.say(f"  try: {error.hint}")


def _committed_row(row: dict[str, str]) -> tuple[str, ...]:
    from ser_cli.data.splits import PROTOCOLS

    rate = {name: console.percent(float(row[name])) for name in ("uar", "low", "high", "war")}
    leaky = " (leaky)" if PROTOCOLS[row["protocol"]].leaky else ""
    return (
        row["protocol"] + leaky,
        row["data"],
        row["settings_from"],
        f"{rate['uar']} ({rate['low']} to {rate['high']})",
        rate["war"],
        console.percent(float(row["macro_f1"])),
    )


def _print_scores(scored: Evaluation) -> None:
    leaky = " - LEAKY: not speaker-independent" if scored.leaky else ""
    console.scores(f"{scored.title}, {scored.protocol}{leaky}", scored.reports)
    whole: Report = scored.report
    console.per_class(whole)
    console.confusion(whole)
    for line in (*scored.audit, *scored.notes):
        console.say(line)


@app.command(
    epilog=_examples(
        "ser predict clip.wav",
        "ser predict recordings/ --csv out.csv",
        "ser predict talk.m4a --window 3 --step 1 --json",
    )
)
def predict(
    paths: Annotated[list[str], typer.Argument(help="Files, folders or patterns.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder of the trained model.")
    ] = None,
    recipe: RecipeName = recipes.DEFAULT,
    window: Annotated[
        float | None, typer.Option(help="Seconds of a row; default: one row a file.")
    ] = None,
    step: Annotated[float | None, typer.Option(help="Seconds from row to row.")] = None,
    jobs: Jobs = 1,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Score files with RAVDESS names.")
    ] = True,
) -> None:
    """Label recordings: WAV, FLAC, OGG, MP3, M4A and more; one row a file, or a window."""
    from ser_cli import output
    from ser_cli.model import artifacts
    from ser_cli.report import labelled
    from ser_cli.stages.predict import predict as run

    chosen = artifacts.resolve(folder, recipe=recipe)
    classes = artifacts.load(chosen).preprocessor.classes
    console.say(f"model: {chosen}")
    seen = []
    with (
        console.progress("predicting") as progress,
        output.writer(classes, file=csv, as_json=as_json) as write,
    ):
        for row in run(
            paths,
            artifacts=chosen,
            window=window,
            step=step,
            jobs=jobs,
            progress=progress if csv or not sys.stdout.isatty() else None,
        ):
            write(row)
            seen.append(row)
    if csv:
        typer.echo(f"{len(seen)} rows written: {csv}")
    if report and window is None:
        text = labelled.report(seen, classes, artifacts.read_split(chosen))
        typer.echo(text, err=not sys.stdout.isatty(), nl=bool(text))
    raise typer.Exit(3 if any(row.status == "error" for row in seen) else 0)


def _fields(result: Any) -> dict[str, Any]:
    from dataclasses import fields

    return {field.name: getattr(result, field.name) for field in fields(result)}


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def main() -> None:
    """Run the command line; the only place where errors become exit codes."""
    with console.clean_exit():
        app()
