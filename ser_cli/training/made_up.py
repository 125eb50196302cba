"""Sounds that are learned from although nobody recorded them: without speech, or a machine's."""

from __future__ import annotations

from pathlib import Path

from ser_cli.data import cache
from ser_cli.data.features import Features
from ser_cli.sound import fingerprint
from ser_cli.sound.frontend import Frontend
from ser_cli.sound.nothing import nothing
from ser_cli.sound.synthesised import synthesised
from ser_cli.training.evidence import NO_SPEECH, SYNTHESISED
from ser_cli.types import Clip, MakeUp, TrainSettings


def load(
    settings: TrainSettings, frontend: Frontend, *, seed: int, jobs: int
) -> tuple[tuple[Clip, ...], Features]:
    """Return what stands for the sounds that a training takes, and the features of each.

    Raises:
        DataError: They cannot be made.
    """
    clips: tuple[Clip, ...] = ()
    features = Features(())
    for kind, make, count in _kinds(settings):
        clips += (Clip(Path(), corpus=kind),) * count
        features += cache.made_up(make, count, frontend, seed=seed, jobs=jobs)
    return clips, features


def made_by(settings: TrainSettings) -> tuple[str, ...]:
    """Return the fingerprint of the code that makes each kind that a training takes."""
    return tuple(fingerprint.of_code(make) for _, make, count in _kinds(settings) if count)


def _kinds(settings: TrainSettings) -> tuple[tuple[str, MakeUp, int], ...]:
    """Return the name of each kind, what makes it, and how many are taken."""
    return ((NO_SPEECH, nothing, settings.blanks), (SYNTHESISED, synthesised, settings.synthesised))
