"""One training from beginning to end, the same for train, protocol and tune."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ser_cli import recipes, workers
from ser_cli.data.audit import Audit, audit
from ser_cli.data.splits import Split
from ser_cli.data.store import cache_dir
from ser_cli.errors import ArtifactsError
from ser_cli.export.keras_network import KerasNetwork
from ser_cli.model.calibration import fit_temperature
from ser_cli.model.pipeline import Pipeline
from ser_cli.recipes import Recipe
from ser_cli.sound import fingerprint
from ser_cli.training import board, committee, dataset, judging, losses, made_up, trainer
from ser_cli.training.dataset import Dataset, SplitFeatures
from ser_cli.training.pace import Pace
from ser_cli.training.settings import Settings
from ser_cli.training.trainer import Epoch, Fit
from ser_cli.types import Progress

if TYPE_CHECKING:
    from ser_cli.types import Floats


# Packages whose modules decide what is learned, and how that is judged.
_DECIDING = (*fingerprint.FOLLOWED, "ser_cli.training.", "ser_cli.model.")


@dataclass(frozen=True, slots=True)
class Work:
    """What decides the outcome of a training, other than its clips.

    Attributes:
        recipe: Its name.
        settings: All of them.
        seed: Of initial weights, order, dropout and augmentation.
        oversample: Emotions whose training clips are repeated.
        encoder: In place of the recipe's own.
    """

    recipe: str
    settings: Settings
    seed: int = 0
    oversample: tuple[str, ...] = ()
    encoder: Path | None = None

    @property
    def system(self) -> Recipe:
        """The recipe itself."""
        return recipes.get(self.recipe, self.encoder)

    @property
    def origin(self) -> str:
        """Where the settings came from, and what was changed, a foreign encoder included."""
        if not self.encoder:
            return self.settings.origin
        joint = "," if " with " in self.settings.origin else " with"
        return f"{self.settings.origin}{joint} encoder={self.encoder.name}"

    def but(self, **changes: Any) -> Work:
        """Return the same with other settings."""
        return replace(self, settings=self.settings.but(changes))

    def fingerprint(self) -> str:
        """Return what changes with the code that decides what a training gives.

        That is what makes what is learned from, copies and all, and what learns from it.
        """
        system, settings = self.system, self.settings.train
        copies = fingerprint.of_code(system.augment) if settings.copies else ""
        steps = (system.build, train_one, judging.enrolled)
        learns = (fingerprint.of_code(step, _DECIDING) for step in steps)
        return "".join((system.frontend.fingerprint(), copies, *made_up.made_by(settings), *learns))


@dataclass(frozen=True, slots=True)
class Sounds:
    """The features of a split, and what is known of them before anything is learned.

    Attributes:
        found: The features.
        audit: What test clips share with the others.
        fingerprint: Of what is learned from.
    """

    found: SplitFeatures
    audit: Audit
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Trained:
    """A system with the weights of its best epoch.

    Attributes:
        pipeline: Its network in Keras; its temperature is learned on dev, and 1 without dev.
        fit: The epochs by which it was chosen.
        data: What it was trained on then.
        on_dev: Calibrated probabilities (N, C) of the dev clips, of a network that has not
            learned from them.
    """

    pipeline: Pipeline
    fit: Fit
    data: Dataset
    on_dev: Floats

    @property
    def model(self) -> keras.Model:
        """The network."""
        return _network(self.pipeline)


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
        with_dev=work.settings.train.refit,
        jobs=jobs,
        progress=progress,
    )
    sounds = made_up.load(work.settings.train, work.system.frontend, seed=work.seed, jobs=jobs)
    found = replace(found, made_up=sounds)
    digests = found.digests()
    shared = audit(found.split, digests, jobs=jobs, progress=progress)
    return Sounds(found, shared, dataset.fingerprint(found, digests))


def checkpoint(sounds: Sounds, work: Work) -> Path:
    """Return where a training keeps its state: the same for the same work, and no other."""
    system = work.system
    facts = (system.name, work.fingerprint(), work.settings.flat(), work.seed)
    sizes = [len(part) for part in (sounds.found.split.train, sounds.found.split.dev)]
    key = json.dumps([*facts, sounds.fingerprint, sizes])
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir() / "checkpoints" / f"{system.name}-{name}.npz"


def train_one(
    sounds: Sounds,
    work: Work,
    *,
    threads: int = 0,
    progress: Progress | None = None,
    on_pace: Pace | None = None,
    tensorboard: Path | None = None,
) -> Trained:
    """Train a network, or resume one whose checkpoint is there.

    Args:
        sounds: From `load`.
        work: What is trained.
        threads: Of TensorFlow; 0 is all cores.
        progress: Told of finished epochs.
        on_pace: Told once for how many seconds it goes on at most; what it raises ends it.
        tensorboard: Folder to draw finished epochs in; one in it is this training's.

    Raises:
        DataError: A dev or test clip has an emotion that no training clip has.
    """
    trainer.prepare(work.seed, threads)
    twice = 2 if work.settings.train.refit and sounds.found.split.dev else 1
    both = (lambda seconds: on_pace(twice * seconds)) if on_pace else None
    pipeline, fit, data = _fitted(sounds, work, progress, both, tensorboard)
    if len(data.dev.y):
        outputs = pipeline.probabilities(data.dev.features)
        pipeline.temperature = fit_temperature(outputs, data.dev.y)
    on_dev = pipeline.probabilities(data.dev.features)
    if work.settings.train.refit and len(data.dev.y):
        earlier = pipeline
        again = replace(sounds, found=sounds.found.with_dev())
        longer = work.but(epochs=fit.best_epoch)
        pipeline, second, _ = _fitted(again, longer, progress, None, tensorboard)
        checkpoint(again, longer).unlink(missing_ok=True)
        committee.believe_as(_network(pipeline), _network(earlier))
        pipeline.temperature = earlier.temperature
        fit = replace(fit, seconds=fit.seconds + second.seconds)
    if work.system.halves:
        trainer.halve(_network(pipeline))
    return Trained(pipeline, fit, data, on_dev)


def _network(pipeline: Pipeline) -> keras.Model:
    assert isinstance(pipeline.network, KerasNetwork)
    return pipeline.network.model


def _fitted(
    sounds: Sounds,
    work: Work,
    progress: Progress | None,
    on_pace: Pace | None,
    tensorboard: Path | None,
) -> tuple[Pipeline, Fit, Dataset]:
    """Train one network; its temperature is 1."""
    settings = work.settings.train
    data = dataset.assemble(
        sounds.found, work.system, frames=settings.max_len, shares=settings.weights
    )
    if progress:
        progress(0, settings.epochs, "", "epochs")
    model, kept = build(data, work), checkpoint(sounds, work)
    tell, draw = _teller(progress, settings.epochs, data), board.curves(tensorboard, kept.stem)

    def on_epoch(row: Epoch) -> None:
        tell(row)
        draw(row)

    fit = trainer.fit(
        model, data, settings, seed=work.seed, checkpoint=kept, on_epoch=on_epoch, on_pace=on_pace
    )
    pipeline = Pipeline(work.system.frontend, data.preprocessor, KerasNetwork(model))
    return pipeline, fit, data


def build(data: Dataset, work: Work) -> keras.Model:
    """Return the recipe's untrained network for this data, compiled.

    Raises:
        ArtifactsError: Its settings make no network.
    """
    keras.utils.set_random_seed(work.seed)
    frames, features, classes = data.shape
    try:
        bare = work.system.build((frames, features), classes, work.settings.params)
    except (TypeError, ValueError) as error:  # as a layer without units
        said = " ".join(str(error).split())
        raise ArtifactsError(
            f"the recipe {work.recipe} cannot be built with these settings: {said}",
            hint="correct them, or leave them out",
        ) from error
    settings = work.settings.train
    return trainer.compiled(bare, settings, losses.of(data.train, settings))


def _teller(progress: Progress | None, epochs: int, data: Dataset) -> Callable[[Epoch], None]:
    """Return a listener that turns epochs into progress."""
    named = f"dev UAR {data.uar_over}".rstrip()

    def tell(row: Epoch) -> None:
        if progress:
            uar = f", {named} {100 * row['dev_uar']:.1f} %" if "dev_uar" in row else ""
            note = f"loss {row['loss']:.2f}{uar}"
            progress(int(row["epoch"]), epochs, note, "epochs")

    return tell
