"""`ser evaluate`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_cli import recipes
from ser_cli.commands import console
from ser_cli.commands.options import (
    CORES,
    AsJson,
    Exclude,
    Folder,
    Oversample,
    Params,
    PerClass,
    RecipeName,
    Seed,
    examples,
    print_json,
    selection,
)
from ser_cli.errors import UsageError

if TYPE_CHECKING:
    from ser_cli.report.metrics import Report
    from ser_cli.stages.evaluate import Evaluation
    from ser_cli.stages.evaluate_files import Files

HELP = examples(
    "ser evaluate --report",
    "ser evaluate --data my.csv",
    "ser evaluate --protocol actors21-24 --workers 2",
    "ser evaluate --protocol random70 --recipe stats-dense --exclude sad --per-class 300",
    "ser evaluate --data clips/ --model m.onnx --scaler s.pkl --encoder e.pkl --max-len l.npy",
)


def evaluate(
    data: Annotated[str | None, typer.Option(help="As in `ser train`.")] = None,
    recipe: RecipeName = recipes.DEFAULT,
    folder: Folder = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Train and test on RAVDESS: actors21-24, emobox6, luna5, random70, "
            "random70-speech or random10."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Score this .onnx or .keras on all of --data, without a folder."),
    ] = None,
    scaler: Annotated[Path | None, typer.Option(help="scaler.pkl of --model.")] = None,
    encoder: Annotated[Path | None, typer.Option(help="label_encoder.pkl of --model.")] = None,
    max_len: Annotated[
        Path | None, typer.Option(help="max_len.npy of --model, where it is learned.")
    ] = None,
    params: Params = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of --protocol.")] = None,
    copies: Annotated[int | None, typer.Option(min=0, help="Of --protocol.")] = None,
    exclude: Exclude = None,
    per_class: PerClass = None,
    oversample: Oversample = None,
    workers: Annotated[int, typer.Option(min=1, help="Folds of --protocol side by side.")] = CORES,
    seed: Seed = 0,
    report: Annotated[
        bool, typer.Option("--report", help="Write the page and text files.")
    ] = False,
    with_audio: Annotated[
        bool, typer.Option("--with-audio", help="Put voices into the page: personal data.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; of --model, by default this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a trained model on what it has not heard, or a recipe under a protocol."""
    from ser_cli.stages import evaluate as stage

    files = _files(model, scaler, encoder, max_len)
    if files and (protocol or folder or not data):
        raise UsageError(
            "--model needs --data, and neither --protocol nor --artifacts", hint="ser evaluate -h"
        )
    command = shlex.join(["ser", *sys.argv[1:]])
    name = protocol or "test"
    chosen = selection(exclude, per_class, oversample)
    if protocol:
        from ser_cli.stages import protocol as protocols

        work = protocols.plan(
            protocol,
            data or "ravdess",
            recipe=recipe,
            selection=chosen,
            params=params,
            overrides={"epochs": epochs, "copies": copies},
            seed=seed,
        )
        with console.progress(protocol) as progress:
            protocols.train_folds(work, workers=workers, progress=progress)
        scored = protocols.score(work, command=command)
    elif chosen.words():
        raise UsageError(
            "--exclude, --per-class and --oversample choose what is trained on",
            hint="add --protocol, or train so: ser train, then ser evaluate",
        )
    elif files:
        from ser_cli.stages import evaluate_files

        with console.progress("features") as progress:
            scored = evaluate_files.evaluate(files, str(data), recipe=recipe, progress=progress)
        out = out or Path()
    else:
        try:
            with console.progress("features") as progress:
                scored = stage.evaluate(folder, recipe=recipe, data=data, progress=progress)
        except stage.NothingHeldOutError as error:
            _committed(error, as_json)
            if report:
                console.say("no report was written: there is no held-out clip to report on")
            return
    console.failures(scored.failed)
    for part, partial in scored.reports:
        if partial.absent:
            console.say(f"{part}: no clip is {' or '.join(partial.absent)}; UAR is {partial.scope}")
    if as_json:
        print_json(stage.as_record(scored))
    else:
        _print_scores(scored)
    if files and out:
        console.say("written: " + ", ".join(map(str, stage.write_texts(scored, out))))
    if report:
        target = out or (folder or Path("artifacts") / recipe) / "report" / name
        page = stage.write_report(scored, target, command=command, with_audio=with_audio)
        console.say(f"written: {page}")
    raise typer.Exit(3 if scored.failed else 0)


def _files(
    model: Path | None, scaler: Path | None, encoder: Path | None, max_len: Path | None
) -> Files | None:
    if not (model or scaler or encoder or max_len):
        return None
    if not (model and scaler and encoder):
        raise UsageError(
            "--model, --scaler and --encoder belong together",
            hint="name all three, or a folder: --artifacts DIR",
        )
    from ser_cli.stages.evaluate_files import Files

    return Files(model, scaler, encoder, max_len)


def _committed(error: Any, as_json: bool) -> None:
    """Show the published results of a model that has nothing held out, and say why."""
    from ser_cli.stages.evaluate import committed_results

    rows = committed_results(error.recipe, error.settings_from)
    if not rows:
        raise error
    console.say(
        f"{error}\n  these are the committed results of the same recipe, trained anew in each fold"
    )
    if as_json:
        print_json(rows)
        return
    head = ("protocol", "data", "settings", "UAR (95 %)", "WAR", "macro F1")
    console.table(
        f"{error.recipe}: test speakers unseen unless marked leaky",
        head,
        [_committed_row(row) for row in rows],
    )
    console.say(f"  try: {error.hint}")


def _committed_row(row: dict[str, str]) -> tuple[str, ...]:
    from ser_cli.data.protocols import PROTOCOLS
    from ser_cli.report.results import origin

    rate = {name: console.percent(float(row[name])) for name in ("uar", "low", "high", "war")}
    leaky = " (leaky)" if PROTOCOLS[row["protocol"]].leaky else ""
    return (
        row["protocol"] + leaky,
        row["data"],
        origin(row["settings_from"]),
        f"{rate['uar']} ({rate['low']}-{rate['high']})",
        rate["war"],
        console.percent(float(row["macro_f1"])),
    )


def _print_scores(scored: Evaluation) -> None:
    leaky = " - LEAKY: not speaker-independent" if scored.leaky else ""
    whole: Report = scored.report
    partial = f" - UAR {whole.scope}" if whole.scope else ""
    console.scores(f"{scored.title}, {scored.protocol}{leaky}{partial}", scored.reports)
    console.per_class(whole, scored.counts)
    console.confusion(whole)
    for line in (*scored.audit, *scored.notes):
        console.say(line)
