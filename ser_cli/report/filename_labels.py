"""Predictions of files whose names carry labels -> a classification report."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_cli.data import corpora
from ser_cli.remarks import counted, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ser_cli.types import Prediction


class FilenameLabels:
    """What is needed of each row to score them all at the end: some bytes a clip."""

    def __init__(self, classes: Sequence[str], read_parts: Callable[[], Mapping[str, str]]) -> None:
        """Begin with no rows.

        Args:
            classes: Names of the rows' probabilities.
            read_parts: Called once if it is needed: part (train, dev, test) of the clips that
                the model was trained with, by the names of their files.
        """
        self._classes = tuple(classes)
        self._read_parts = read_parts
        self._parts: Mapping[str, str] | None = None
        self._learned = 0
        self._unknown: Counter[str] = Counter()
        self._truth = array("B")
        self._shares = array("f")
        self._speakers: list[str] = []
        self._corpora: set[str] = set()

    def add(self, row: Prediction) -> None:
        """Take a row; without a label the model knows, or with an error, it is left out."""
        stem = Path(row.file).stem
        found = corpora.parse(stem)
        if found is None or row.probabilities is None:
            return
        corpus, named = found
        self._corpora.add(corpus.name)
        if named["emotion"] not in self._classes:
            self._unknown[named["emotion"]] += 1
            return
        if self._parts is None:
            self._parts = self._read_parts()
        self._learned += self._parts.get(stem) in ("train", "dev")
        self._truth.append(self._classes.index(named["emotion"]))
        self._shares.extend(row.probabilities.tolist())
        self._speakers.append(f"{corpus.name}/{named['speaker']}")

    def report(self) -> str:
        """Return a table of precision, recall and F1, or "" where no row was counted."""
        if not self._truth:
            return ""
        from ser_cli.report import metrics, text

        scored = metrics.score(
            np.array(self._truth, np.int64),
            np.array(self._shares, np.float32).reshape(-1, len(self._classes)),
            labels=self._classes,
            speakers=self._speakers,
        )
        count = len(self._truth)
        names = " and ".join(sorted(self._corpora))
        have = counted(count, "file has a label in its name", "files have labels in their names")
        lines = [f"{have} (as in {names}); scored on {plural(count, 'it', 'them')}:", ""]
        lines[:0] = [
            f"{counted(n, 'file')} of {emotion} left out: the model does not know that emotion"
            for emotion, n in sorted(self._unknown.items())
        ]
        if self._learned:
            same = f"{self._learned} of {counted(count, 'clip')}"
            were = plural(self._learned, "was", "were")
            lines.insert(0, f"{same} {were} training data of this model")
        return "\n".join([*lines, text.table(scored)])
