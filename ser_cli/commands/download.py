"""`ser download-ravdess`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ser_cli.commands import console
from ser_cli.commands.options import examples


class Subset(StrEnum):
    """Parts of RAVDESS."""

    speech = "speech"
    song = "song"
    all = "all"


HELP = examples(
    "ser download-ravdess",
    "ser download-ravdess --dest data --subset speech",
    "ser download-ravdess --from http://mirror.example/ravdess",
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
