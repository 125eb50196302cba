"""`ser download`, and `ser download-ravdess` for the default corpus."""

from __future__ import annotations

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.commands.progress import progress
from ser_cli.jobs.clips import DownloadJob, DownloadUsualJob
from ser_cli.remarks import counted


@command(
    DownloadJob,
    "ser download ravdess",
    "ser download ravdess --dest data --subset speech",
    "ser download nemo",
    "ser download ravdess --from http://mirror.example/ravdess",
)
def download(job: DownloadJob) -> None:
    """Fetch a corpus, check every clip, and remember where it is; resumes if interrupted."""
    _download(job)


@command(
    DownloadUsualJob, "ser download-ravdess", "ser download-ravdess --dest data --subset speech"
)
def download_ravdess(job: DownloadUsualJob) -> None:
    """Fetch RAVDESS (434 MB), check every clip, and remember where it is."""
    _download(job)


def _download(job: DownloadUsualJob) -> None:
    from ser_cli.stages.download import download as run

    with progress(job.name) as shown:
        done = run(job, progress=shown)
    state = "was there already" if done.skipped else "is ready"
    typer.echo(f"{counted(done.ok, 'clip')} verified; {job.name} {state}: {done.folder}")
    console.say(f"licence: {done.licence}\ncite: {done.citation}")
