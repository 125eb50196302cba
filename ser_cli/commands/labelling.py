"""What `ser predict` does with its options; apart, since it must not wait for Typer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.commands import console, output
from ser_cli.errors import UsageError
from ser_cli.model import artifacts
from ser_cli.report.filename_labels import Tally
from ser_cli.sound.audio import EXTENSIONS
from ser_cli.stages.predict import predict

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts


def label(
    paths: Sequence[str],
    *,
    csv: Path | None = None,
    as_json: bool = False,
    folder: Path | None = None,
    recipe: str = recipes.DEFAULT,
    window: float | None = None,
    step: float | None = None,
    jobs: int | None = None,
    report: bool = True,
) -> int:
    """Label recordings and show the rows; return the exit code. For the options see --help."""
    _check(csv, as_json)
    trained = artifacts.load(artifacts.resolve(folder, recipe=recipe))
    console.say(f"model: {trained.folder}")
    tally = _tally(trained) if report and window is None else None
    count = failed = 0
    with console.progress("predicting") as progress:
        shown = progress if csv or not sys.stdout.isatty() else None
        rows = predict(paths, trained, window=window, step=step, jobs=jobs, progress=shown)
        with output.writer(trained.preprocessor.classes, file=csv, as_json=as_json) as write:
            for row in rows:
                write(row)
                count += 1
                failed += row.status == "error"
                if tally:
                    tally.add(row)
    if csv:
        console.say(f"{count} rows written: {csv}")
    if tally and (text := tally.report()):
        print(text, file=sys.stdout if sys.stdout.isatty() else sys.stderr)
    if failed:
        console.say(f"{failed} of {count} rows are errors: see the column error")
    return 3 if failed else 0


def _check(csv: Path | None, as_json: bool) -> None:
    if csv and as_json:
        raise UsageError("--csv and --json exclude each other", hint="run it once for each")
    if csv and csv.suffix.lower() in EXTENSIONS:
        raise UsageError(f"{csv} is named like a recording", hint="--csv out.csv")


def _tally(trained: Artifacts) -> Tally:
    return Tally(
        trained.preprocessor.classes, read_parts=lambda: artifacts.read_split(trained.folder)
    )
