"""`ser doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from ser_cli.commands import console
from ser_cli.commands.parsing import command
from ser_cli.jobs.trained import DoctorJob
from ser_cli.remarks import counted

if TYPE_CHECKING:
    from ser_cli.health import Check


@command(DoctorJob, "ser doctor", "ser doctor --json")
def doctor(job: DoctorJob) -> None:
    """Check this installation and say what to do; the output is made for bug reports."""
    from ser_cli.stages.doctor import doctor as run

    checks = []
    for check in run():
        checks.append(check)
        if not job.as_json:
            _show(check)
    counts = {level: sum(c.level == level for c in checks) for level in ("error", "warning")}
    if job.as_json:
        console.print_json({**counts, "checks": [asdict(check) for check in checks]})
    said = " and ".join(counted(n, level) for level, n in counts.items())
    console.say(
        f"{said}; in a bug report, paste all of the above: your name and home are not in it"
    )
    raise typer.Exit(1 if counts["error"] else 0)


def _show(check: Check) -> None:
    typer.echo(f"{check.level:<7}  {check.name}: {check.text}")
    if check.hint:
        typer.echo(f"         try: {check.hint}")
