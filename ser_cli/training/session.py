"""One training from beginning to end, the same for train, protocol and tune."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from ser_cli import recipes, workers
from ser_cli.data import splits
from ser_cli.data.splits import Split
from ser_cli.data.store import cache_dir
from ser_cli.export.keras_network import KerasNetwork
from ser_cli.model.calibration import fit_temperature
from ser_cli.model.pipeline import Pipeline
from ser_cli.recipes import Recipe
from ser_cli.sound import fingerprint
from ser_cli.training import dataset, trainer
from ser_cli.training.dataset import Dataset, SplitFeatures
from ser_cli.training.settings import Settings
from ser_cli.training.trainer import Epoch, Fit
from ser_cli.types import Progress


@dataclass(frozen=True, slots=True)
class Work:
    """What decides the outcome of a training, other than its clips.

    Attributes:
        recipe: Its name.
        settings: All of them.
        seed: Of initial weights, order, dropout and augmentation.
        oversample: Emotions whose training clips are repeated.
    """

    recipe: str
    settings: Settings
    seed: int = 0
    oversample: tuple[str, ...] = ()

    @property
    def system(self) -> Recipe:
        """The recipe itself."""
        return recipes.get(self.recipe)

    def fingerprint(self) -> str:
        """Return what changes with the code that makes what is learned from, copies and all."""
        system, copies = self.system, self.settings.train.copies
        return system.frontend.fingerprint() + (
            fingerprint.of_code(system.augment) if copies else ""
        )


@dataclass(frozen=True, slots=True)
class Sounds:
    """The features of a split, and what is known of them before anything is learned.

    Attributes:
        found: The features.
        audit: What test clips share with the others.
        fingerprint: Of what is learned from.
    """

    found: SplitFeatures
    audit: splits.Audit
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Trained:
    """A system with the weights of its best epoch.

    Attributes:
        pipeline: Its network in Keras; its temperature is learned on dev, and 1 without dev.
        fit: Its epochs.
        data: What it was trained on.
    """

    pipeline: Pipeline
    fit: Fit
    data: Dataset

    @property
    def model(self) -> keras.Model:
        """The network."""
        assert isinstance(self.pipeline.network, KerasNetwork)
        return self.pipeline.network.model


def load(
    split: Split, work: Work, *, jobs: int = workers.CORES, progress: Progress | None = None
) -> Sounds:
    """Extract all features that a training on this split needs.

    Raises:
        DataError: No training clip can be read.
    """
    found = dataset.load(
        split,
        work.system,
        copies=work.settings.train.copies,
        seed=work.seed,
        oversample=work.oversample,
        jobs=jobs,
        progress=progress,
    )
    digests = found.digests()
    audit = splits.audit(found.split, digests)
    return Sounds(found, audit, dataset.fingerprint(found, digests))


def checkpoint(sounds: Sounds, work: Work) -> Path:
    """Return where a training keeps its state: the same for the same work, and no other."""
    system = work.system
    facts = (system.name, work.fingerprint(), work.settings.flat(), work.seed)
    key = json.dumps([*facts, sounds.fingerprint])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir() / "checkpoints" / f"{system.name}-{name}.npz"


def train_one(
    sounds: Sounds, work: Work, *, threads: int = 0, progress: Progress | None = None
) -> Trained:
    """Train a network, or resume one whose checkpoint is there.

    Args:
        sounds: From `load`.
        work: What is trained.
        threads: Of TensorFlow; 0 is all cores.
        progress: Told of finished epochs.

    Raises:
        DataError: A dev or test clip has an emotion that no training clip has.
    """
    trainer.prepare(work.seed, threads)
    data = dataset.assemble(sounds.found, work.system, frames=work.settings.train.max_len)
    model = build(data, work)
    fit = trainer.fit(
        model,
        data,
        work.settings.train,
        seed=work.seed,
        checkpoint=checkpoint(sounds, work),
        on_epoch=_teller(progress, work.settings.train.epochs, data),
    )
    network, temperature = KerasNetwork(model), 1.0
    if len(data.dev.y):
        outputs = network.probabilities(data.dev.features, data.preprocessor)
        temperature = fit_temperature(outputs, data.dev.y)
    pipeline = Pipeline(work.system.frontend, data.preprocessor, network, temperature)
    return Trained(pipeline, fit, data)


def build(data: Dataset, work: Work) -> keras.Model:
    """Return the recipe's untrained network for this data, compiled."""
    keras.utils.set_random_seed(work.seed)
    frames, features, classes = data.shape
    bare = work.system.build((frames, features), classes, work.settings.params)
    return trainer.compiled(bare, work.settings.train)


def _teller(progress: Progress | None, epochs: int, data: Dataset) -> Callable[[Epoch], None]:
    """Return a listener that turns epochs into progress."""
    named = f"dev UAR {data.uar_over}".rstrip()

    def tell(row: Epoch) -> None:
        if progress:
            uar = f", {named} {100 * row['dev_uar']:.1f} %" if "dev_uar" in row else ""
            note = f"epoch {row['epoch']:.0f}: loss {row['loss']:.2f}{uar}"
            progress(int(row["epoch"]), epochs, note)

    return tell
