"""A and B as warm processes: everything is loaded, and each line on stdin asks for one round.

    python -m benchmarks.sides SIDE INPUT RESULTS [MODEL]

Every round's seconds, of wall and of CPU, go to stdout; at the end of stdin the last results
go to RESULTS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], Any]


def one_core() -> None:
    """Keep to one core, where the system lets a process choose; the environment does the rest."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def features_usual(waves: Path) -> Work:
    """Separate calls of librosa, a clip after the other."""
    from benchmarks.usual import extract_features

    loaded = _loaded(waves)
    return lambda: [extract_features(wave) for wave in loaded]


def features_ser(waves: Path) -> Work:
    """The recipe's own function."""
    from ser_cli.recipes.cnn_bilstm import extract

    loaded = _loaded(waves)
    return lambda: [extract(wave) for wave in loaded]


def warm_usual(clips: Path, model: Path) -> Work:
    """Files with librosa and `model.predict`."""
    from benchmarks.usual import Predictor

    predictor, files = Predictor(model), sorted(clips.glob("*.wav"))

    def work() -> Any:
        found = {file.name: predictor.predict(file) for file in files}
        return {name: [emotion, shares.tolist()] for name, (emotion, shares) in found.items()}

    return work


def warm_ser(clips: Path, model: Path) -> Work:
    """Files with `ser_cli.load`."""
    import ser_cli

    loaded, files = ser_cli.load(model), sorted(clips.glob("*.wav"))

    def work() -> Any:
        rows = {file.name: loaded.predict(file)[0] for file in files}
        return {
            name: [row.emotion, row.probabilities.tolist()]
            for name, row in rows.items()
            if row.probabilities is not None
        }

    return work


SIDES: dict[str, Callable[..., Work]] = {
    "features-usual": features_usual,
    "features-ser": features_ser,
    "warm-usual": warm_usual,
    "warm-ser": warm_ser,
}


def _loaded(waves: Path) -> list[Any]:
    import numpy as np

    with np.load(waves) as stored:
        return [stored[name] for name in sorted(stored, key=int)]


def _save(results: Path, found: Any) -> None:
    if results.suffix == ".json":
        results.write_text(json.dumps(found), encoding="utf-8")
        return
    import numpy as np

    np.savez(results, **{str(number): array for number, array in enumerate(found)})


def main() -> None:
    side, source, results, *model = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries say goes elsewhere
    one_core()
    work, found = SIDES[side](Path(source), *map(Path, model)), None
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        start, cpu_start = time.perf_counter(), time.process_time()
        found = work()
        took = time.perf_counter() - start, time.process_time() - cpu_start
        print(*took, file=answers, flush=True)
    _save(Path(results), found)


if __name__ == "__main__":
    main()
