"""A trained system -> a sealed artifacts folder, with all that tells how it came to be."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ser_cli import distribution
from ser_cli.data import corpora, duplicates, parts
from ser_cli.data.splits import Split
from ser_cli.data.store import atomic_write, write_csv, write_text
from ser_cli.export.onnx import to_onnx
from ser_cli.model import artifacts, frontends
from ser_cli.report import corpus_figures, figures, metrics, plotting, text
from ser_cli.sound.soundprint import SOUNDPRINT
from ser_cli.training.session import Sounds, Trained, Work

DEV_NOTE = "Dev part: it chose what was kept and calibrated it: too high. See: ser evaluate"
KEPT_VERSIONS = ("keras", "tensorflow", "numpy")


def save(
    folder: Path, trained: Trained, work: Work, sounds: Sounds, facts: Mapping[str, Any]
) -> None:
    """Write and seal everything an artifacts folder holds.

    Args:
        folder: Where to: an empty one.
        trained: The system.
        work: How it was trained.
        sounds: What it was trained on.
        facts: What else its reader should know, for the manifest.
    """
    frontend = work.system.frontend
    artifacts.write_shared(folder, trained.pipeline.preprocessor)
    frontends.write(folder, frontend)
    _write_network(folder, trained, work)
    _write_history(folder, trained, work.recipe)
    _write_clips(folder, sounds)
    _write_dev(folder, trained)
    artifacts.seal(
        folder,
        facts={**_facts(trained, work, sounds), **facts},
        frontend=[path.name for path in frontend.files],
    )


def sizes(split: Split) -> dict[str, int]:
    """Return the clips of each part."""
    return {"train": len(split.train), "dev": len(split.dev), "test": len(split.test)}


def _facts(trained: Trained, work: Work, sounds: Sounds) -> dict[str, Any]:
    return {
        "recipe": work.recipe,
        **({"encoder": work.encoder.name} if work.encoder else {}),
        "recipe_version": work.system.frontend.version,
        "settings": work.settings.flat(),
        "settings_from": work.settings.origin,
        "seed": work.seed,
        "fingerprint": sounds.fingerprint,
        "clips": sizes(sounds.found.split),
        "leaky": sounds.found.split.leaky,
        "audit": sounds.audit.lines(),
        "best_epoch": trained.fit.best_epoch,
        "temperature": trained.pipeline.temperature,
        "versions": {"python": platform.python_version(), "ser": distribution.version()}
        | {name: version(name) for name in KEPT_VERSIONS},
    }


def _write_network(folder: Path, trained: Trained, work: Work) -> None:
    # A fresh network takes the weights: the optimizer's state would triple the file.
    frames, features, classes = trained.data.shape
    bare = work.system.build((frames, features), classes, work.settings.params)
    bare.set_weights(trained.model.get_weights())
    with atomic_write(folder / artifacts.KERAS) as temporary:
        bare.save(temporary)
    to_onnx(bare, folder / artifacts.ONNX, halves=work.system.halves)


def _write_history(folder: Path, trained: Trained, recipe: str) -> None:
    history = trained.fit.history
    write_csv(folder / artifacts.HISTORY, [list(history[0]), *(r.values() for r in history)])
    curves = figures.curves(history, chosen=trained.fit.best_epoch)
    plotting.save(curves, folder / artifacts.CURVES, title=f"Training of {recipe}")


def _write_clips(folder: Path, sounds: Sounds) -> None:
    counts = dict(zip(("recorded", "learned from"), sounds.found.class_counts(), strict=True))
    chart, split = corpus_figures.class_counts(counts), sounds.found.split
    title = f"Training clips per emotion\n{corpora.told(split.train)}"
    plotting.save(chart, folder / artifacts.CLASS_COUNTS, title=title)
    write_csv(folder / artifacts.SPLIT, parts.rows(split))
    clips = split.train + split.dev + split.test
    prints = duplicates.prints(clips)
    nothing = np.zeros((0, SOUNDPRINT.width), np.float32)
    duplicates.Known.of(prints.get(clip.segment, nothing) for clip in clips).write(
        folder / artifacts.SOUNDPRINTS
    )


def _write_dev(folder: Path, trained: Trained) -> None:
    """Write what a network scores on its dev part, if it has one."""
    dev = trained.data.dev
    if not len(dev.y):
        return
    report = metrics.score(
        dev.y,
        trained.on_dev,
        labels=trained.pipeline.classes,
        speakers=[clip.speaker for clip in dev.clips],
    )
    write_text(folder / artifacts.DEV_METRICS, f"{DEV_NOTE}\n{text.metrics_text(report)}")
    write_text(folder / artifacts.DEV_CONFUSION, text.confusion_text(report))
