"""Clips -> a trained network in a sealed artifacts folder; `tune` and `evaluate` train with it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import recipes
from ser_cli.data import parts, select, splits
from ser_cli.data.store import cache_dir, write_csv, write_text
from ser_cli.errors import UsageError
from ser_cli.export import onnx
from ser_cli.model import artifacts
from ser_cli.model.calibration import calibrate, fit_temperature
from ser_cli.report import corpus_figures, figures, metrics, plotting, text
from ser_cli.training import dataset, settings, trainer

if TYPE_CHECKING:
    import keras

    from ser_cli.data.parts import Count
    from ser_cli.data.splits import Split
    from ser_cli.report.metrics import Report
    from ser_cli.training.dataset import Sounds
    from ser_cli.training.trainer import Epoch, Fit
    from ser_cli.types import Batch, Clip, Dataset, Params, Preprocessor, Progress, Recipe

    Say = Callable[[str], None]

SPLITS = ("auto", "speaker", "random", "table", "none")
DEV_NOTE = "Dev part: it chose epoch and calibration, so these numbers flatter. See: ser evaluate"
MAX_LEN = "max_len"  # a setting that a recipe has no default of: it is learned, or fixed
KEPT_VERSIONS = ("ser", "keras", "tensorflow", "numpy")


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with the weights of its best epoch, and what belongs to it.

    `temperature` calibrates its probabilities; it is learned on dev, and 1 without dev.
    """

    model: keras.Model
    preprocessor: Preprocessor
    fit: Fit
    temperature: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `train` did: where the result lies, and what the user should know of it.

    Attributes:
        parts: Clips and speakers of each emotion in train, dev and test.
        learned: Training clips of each emotion, with repeats and copies.
        uar_over: Names what dev UAR is over, where that is not all classes.
        leaky: Speakers of test are, or may be, in training.
        dev_leaky: Speakers of dev are.
    """

    folder: Path
    fit: Fit
    parts: dict[str, dict[str, Count]]
    learned: dict[str, int]
    uar_over: str
    failed: tuple[tuple[Path, str], ...]
    audit: tuple[str, ...]
    leaky: bool
    dev_leaky: bool


def train(
    data: str,
    *,
    recipe: str = recipes.DEFAULT,
    folder: Path | None = None,
    split: str = "auto",
    selection: select.Selection = select.ALL,
    params: Path | None = None,
    overrides: Params | None = None,
    temperature: float | None = None,
    seed: int = 0,
    jobs: int = -1,
    threads: int = 0,
    allow_packaged: bool = False,
    progress: Progress | None = None,
    say: Say = lambda _: None,
) -> Outcome:
    """Train a recipe on a corpus and seal the result in an artifacts folder.

    Args:
        data: What `corpora.load` takes.
        recipe: Its name.
        folder: Artifacts folder; None is ./artifacts/<recipe>.
        split: One of SPLITS; "none" trains on all clips, to the last epoch.
        selection: Which clips, before they are split, and which more than once.
        params: A best_hyperparameters.json; None takes the artifacts folder's own if present.
        overrides: Settings that win over all others, and `max_len`, the frames of a clip; None
            values are ignored.
        temperature: Of the calibration; None learns it on dev.
        seed: Of initial weights, order, dropout and augmentation.
        jobs: Processes that extract features.
        threads: Of TensorFlow; 0 is all cores.
        allow_packaged: Let the shipped model's folder be rewritten.
        progress: Told of features and of finished epochs.
        say: Told what a user should know while it runs.

    Raises:
        SerError: The corpus, the split, the settings or the folder are not as they should be.
    """
    system, folder = recipes.get(recipe), folder or artifacts.default_folder(recipe)
    own = folder / artifacts.HYPERPARAMETERS
    chosen, origin = settings.resolve(
        system, params or (own if own.is_file() else None), overrides or {}
    )
    if MAX_LEN in chosen and system.frames == 1:
        raise UsageError(f"{recipe} hears a clip as one frame", hint="leave --max-len out")
    say(f"settings: {origin}")
    sounds = dataset.load(
        split_clips(select.load(data, selection, seed=seed), split, seed),
        system,
        copies=chosen["copies"],
        seed=seed,
        oversample=selection.oversample,
        jobs=jobs,
        progress=progress,
    )
    for gap in parts.gaps(parts.checked(sounds.split)):
        say(f"{gap}: UAR there is over the other emotions alone")
    artifacts.unseal(folder, allow_packaged=allow_packaged)
    trainer.prepare(seed, threads)
    checkpoint = checkpoint_path(sounds, system, chosen, seed)
    if checkpoint.is_file():
        say("going on where an interrupted training stopped")
    data_set = dataset.assemble(sounds, system, frames=chosen.get(MAX_LEN))
    over = metrics.scope(len(set(data_set.dev.y.tolist())), len(data_set.preprocessor.classes))
    over = over if len(data_set.dev.y) else ""
    trained = run(
        data_set,
        system,
        chosen,
        seed=seed,
        checkpoint=checkpoint,
        on_epoch=epoch_progress(progress, chosen["epochs"], over),
    )
    if temperature is not None:
        trained = replace(trained, temperature=temperature)
    facts = _facts(data, system, chosen, origin, seed=seed, split=split)
    facts["selection"] = selection.words()
    audit = splits.audit(sounds.split, sounds.features)
    facts |= {"audit": audit.lines()}
    save(folder, trained, system, chosen, sounds, facts, dev=_score(data_set.dev, trained))
    if params is not None:
        write_text(own, params.read_text(encoding="utf-8"))
    checkpoint.unlink(missing_ok=True)
    return Outcome(
        folder=folder,
        fit=trained.fit,
        parts=parts.counts(sounds.split),
        learned=sounds.class_counts()[1],
        uar_over=over,
        failed=sounds.failed,
        audit=audit.lines(),
        leaky=sounds.split.leaky,
        dev_leaky=sounds.split.dev_leaky,
    )


def run(
    data: Dataset,
    recipe: Recipe,
    chosen: Params,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Build and train one network; `trainer.prepare` has been called."""
    model = build(data, recipe, chosen, seed=seed)
    dev = data.dev if len(data.dev.y) else None
    fit = trainer.fit(
        model, data.train, dev, chosen, seed=seed, checkpoint=checkpoint, on_epoch=on_epoch
    )
    temperature = 1.0
    if dev is not None:
        temperature = fit_temperature(trainer.probabilities(model, dev.x), dev.y)
    return Trained(model, data.preprocessor, fit, temperature)


def build(data: Dataset, recipe: Recipe, chosen: Params, *, seed: int) -> keras.Model:
    """Return the recipe's untrained network for this data, as it is best trained here."""
    import keras

    from ser_cli.training import fast_lstm

    keras.utils.set_random_seed(seed)
    model = recipe.build(data.train.x.shape[1:], len(data.preprocessor.classes), chosen)
    return fast_lstm.speed_up(model)


def split_clips(clips: tuple[Clip, ...], split: str, seed: int) -> Split:
    """Split clips as `--split` says.

    Raises:
        UsageError: There is no such split.
        DataError: The clips cannot be split so.
    """
    ways = {
        "auto": lambda: splits.default_split(clips, seed),
        "speaker": lambda: splits.by_speaker(clips, seed),
        "random": lambda: splits.random_split(clips, seed),
        "table": lambda: splits.from_table(clips),
        "none": lambda: splits.Split(clips, (), (), leaky=False),
    }
    if split not in ways:
        raise UsageError(f"there is no split {split!r}", hint="known: " + ", ".join(SPLITS))
    return ways[split]()


def checkpoint_path(sounds: Sounds, recipe: Recipe, chosen: Params, seed: int) -> Path:
    """Return where a training keeps its state: the same for the same work, and no other."""
    work = json.dumps([recipe.name, recipe.version, dict(chosen), seed, sounds.fingerprint()])
    name = hashlib.sha256(work.encode()).hexdigest()[:16]
    return cache_dir() / "checkpoints" / f"{recipe.name}-{name}.npz"


def epoch_progress(
    progress: Progress | None, epochs: int, uar_over: str = ""
) -> Callable[[Epoch], None]:
    """Return a listener that turns epochs into progress."""
    named = f"dev UAR {uar_over}".rstrip()

    def tell(row: Epoch) -> None:
        if progress:
            uar = f", {named} {100 * row['dev_uar']:.1f} %" if "dev_uar" in row else ""
            progress(
                int(row["epoch"]), epochs, f"epoch {row['epoch']:.0f}: loss {row['loss']:.2f}{uar}"
            )

    return tell


def save(
    folder: Path,
    trained: Trained,
    recipe: Recipe,
    chosen: Params,
    sounds: Sounds,
    facts: dict[str, Any],
    *,
    dev: Report | None = None,
) -> None:
    """Write and seal everything an artifacts folder holds; it has been unsealed."""
    # A fresh network takes the weights: the optimizer's state would triple the file.
    bare = recipe.build(trained.model.input_shape[1:], len(trained.preprocessor.classes), chosen)
    bare.set_weights(trained.model.get_weights())
    artifacts.write_shared(folder, trained.preprocessor)
    artifacts.write_keras(folder, bare)
    onnx.to_onnx(bare, folder / artifacts.ONNX)
    history = trained.fit.history
    write_csv(folder / artifacts.HISTORY, [list(history[0]), *(r.values() for r in history)])
    plotting.save(figures.curves(history, chosen=trained.fit.best_epoch), folder / artifacts.CURVES)
    counts = dict(zip(("recorded", "learned from"), sounds.class_counts(), strict=True))
    plotting.save(corpus_figures.class_counts(counts), folder / artifacts.CLASS_COUNTS)
    write_csv(folder / artifacts.SPLIT, parts.rows(sounds.split))
    _write_dev(folder, dev)
    artifacts.seal(
        folder,
        facts={
            **facts,
            "fingerprint": sounds.fingerprint(),
            "clips": _sizes(sounds.split),
            "leaky": sounds.split.leaky,
            "best_epoch": trained.fit.best_epoch,
            "temperature": trained.temperature,
        },
    )


def _score(dev: Batch, trained: Trained) -> Report | None:
    if not len(dev.y):
        return None
    outputs = calibrate(trainer.probabilities(trained.model, dev.x), trained.temperature)
    speakers = [clip.speaker for clip in dev.clips]
    return metrics.score(dev.y, outputs, labels=trained.preprocessor.classes, speakers=speakers)


def _write_dev(folder: Path, report: Report | None) -> None:
    """Write what a network scores on its dev part; without one, none may stay from before."""
    if report is None:
        for name in artifacts.DEV:
            (folder / name).unlink(missing_ok=True)
        return
    write_text(folder / artifacts.DEV_METRICS, f"{DEV_NOTE}\n{text.metrics_text(report)}")
    write_text(folder / artifacts.DEV_CONFUSION, text.confusion_text(report))


def _facts(
    data: str, recipe: Recipe, chosen: Params, origin: str, *, seed: int, split: str
) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "recipe_version": recipe.version,
        "settings": dict(chosen),
        "settings_from": origin,
        "data": data,
        "split": split,
        "seed": seed,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in KEPT_VERSIONS},
    }


def _sizes(split: Split) -> dict[str, int]:
    return {"train": len(split.train), "dev": len(split.dev), "test": len(split.test)}
