"""Try an idea for `voice` on actors 1 to 20: python tests/benchmarks/ideas.py '{"epochs": 8}'.

Five folds of four actors, in turn; the score is the mean dev UAR of the last epoch, for a stranger
and with ten clips of each speaker enrolled. artifacts/EXPERIMENTS.md has what ideas gave.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.data.splits import Split, tunable

N_FOLDS = 5


def splits(also: Sequence[str], folds: Sequence[int]) -> list[Split]:
    """Return the folds: dev is the speech of four actors; the rest and `also` are learned from."""
    clips = tunable(corpora.load(corpora.DEFAULT))
    speakers = sorted({clip.speaker for clip in clips})
    known = {clip.emotion for clip in clips}
    more = corpora.load(*also) if also else ()
    beside = tuple(clip for clip in more if clip.emotion in known)
    made = []
    for fold in folds:
        own = speakers[fold::N_FOLDS]
        dev = tuple(c for c in clips if c.speaker in own and c.facts["channel"] == "speech")
        train = tuple(c for c in clips if c.speaker not in own)
        made.append(Split(train + beside, dev, (), leaky=False))
    return made


def score(split: Split, settings: dict[str, Any], counts: Sequence[int]) -> tuple[float, ...]:
    """Return the dev UAR of a fold, raw and with so many clips of each speaker enrolled."""
    from ser_cli.training import judging, session
    from ser_cli.training.settings import resolve

    usual = resolve(recipes.get("voice"))
    if unknown := settings.keys() - usual.flat().keys():
        raise SystemExit(f"voice has no setting {', '.join(sorted(unknown))}")
    chosen = usual.but({**settings, "refit": False})
    work = session.Work("voice", chosen)
    sounds = session.load(split, work)
    trained = session.train_one(sounds, work, threads=1)
    session.checkpoint(sounds, work).unlink(missing_ok=True)
    truth, features = trained.data.dev.y, sounds.found.of(sounds.found.split.dev)
    found = [uar(truth, trained.on_dev)]
    for count in counts:
        heard = judging.enrolled(trained.pipeline, split.dev, features, seed=0, count=count)
        draws = [uar(truth[np.isfinite(d[:, 0])], d[np.isfinite(d[:, 0])]) for d in heard]
        found.append(fmean(draws))
    return tuple(found)


def uar(truth: Any, probabilities: Any) -> float:
    """Return the mean recall."""
    right = probabilities.argmax(axis=1) == truth
    return fmean(float(right[truth == label].mean()) for label in np.unique(truth))


def main() -> None:
    """Print the scores of each fold and their means, in percent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=json.loads, help="what differs, as JSON")
    parser.add_argument(
        "--also", action="append", default=[], help="a corpus to learn from as well"
    )
    parser.add_argument("--enrol", type=int, nargs="+", default=[10], help="clips of a speaker")
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(N_FOLDS)))
    asked = parser.parse_args()
    started = time.monotonic()
    folds = splits(asked.also, asked.folds)
    found = [score(split, asked.settings, asked.enrol) for split in folds]
    names = ("raw", *(f"{count} enrolled" for count in asked.enrol))
    for name, values in zip(names, zip(*found, strict=True), strict=True):
        each = " ".join(f"{100 * value:.1f}" for value in values)
        print(f"{name}: {100 * fmean(values):.1f} ({each})")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
