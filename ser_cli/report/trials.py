"""A study of `ser tune` as a table and pictures: trials.csv, trials.png, importances.png."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli.data.store import write_csv
from ser_cli.model import artifacts
from ser_cli.remarks import counted
from ser_cli.report import figures, plotting

if TYPE_CHECKING:
    import optuna


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that count: complete and pruned ones."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def write(study: optuna.Study, folder: Path, *, objective: str = "dev UAR") -> None:
    """Write trials.csv, trials.png and, once it can be known, importances.png.

    Args:
        study: What was tried.
        folder: Where to.
        objective: What the value of a trial is.
    """
    import optuna

    done = finished(study)
    names = sorted({name for trial in done for name in trial.params})
    rows: list[list[object]] = [["number", "state", "value", "seconds", *names]]
    for trial in done:
        seconds = trial.duration.total_seconds() if trial.duration else 0.0
        value = "" if trial.value is None else f"{trial.value:.4f}"
        params = [trial.params.get(name, "") for name in names]
        rows.append([trial.number, trial.state.name.lower(), value, f"{seconds:.0f}", *params])
    write_csv(folder / artifacts.TRIALS, rows)
    points = [(trial.number, trial.value, trial.state.name) for trial in done]
    drawn = figures.trials(points, objective=objective)
    title = f"{objective} of {counted(len(done), 'trial')}"
    plotting.save(drawn, folder / artifacts.TRIALS_PLOT, title=title)
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if len({trial.value for trial in complete}) > 3:
        weights = optuna.importance.get_param_importances(study)
        title = f"What {objective} depends on, by {counted(len(complete), 'finished trial')}"
        drawn = figures.importances(weights)
        plotting.save(drawn, folder / artifacts.IMPORTANCES_PLOT, title=title)
