"""Predictions of files whose names carry RAVDESS labels -> a classification report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data.corpora.ravdess import parse
from ser_cli.report import metrics, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ser_cli.types import Prediction


def report(
    predictions: Sequence[Prediction], classes: Sequence[str], parts: Mapping[str, str]
) -> str:
    """Return a table of precision, recall and F1, or "" where no name carries a known label.

    Args:
        predictions: Rows; those with an error are left out.
        classes: Names of their probabilities.
        parts: Which clips, by RAVDESS's names, the model has seen as train or dev.
    """
    known = [
        (row, named) for row in predictions if (named := _named(row)) and row.status != "error"
    ]
    known = [(row, named) for row, named in known if named["emotion"] in classes]
    if not known:
        return ""
    scored = metrics.score(
        np.array([classes.index(named["emotion"]) for _, named in known]),
        np.stack([row.probabilities for row, _ in known if row.probabilities is not None]),
        labels=classes,
        speakers=[named["speaker"] for _, named in known],
    )
    lines = [f"{len(known)} files are named as RAVDESS names them; against those labels:", ""]
    learned = sum(parts.get(Path(row.file).stem) in ("train", "dev") for row, _ in known)
    if learned:
        lines.insert(0, f"{learned} of {len(known)} clips were training data of this model")
    return "\n".join([*lines, text.table(scored)])


def _named(row: Prediction) -> dict[str, str] | None:
    return parse(Path(row.file).stem)
