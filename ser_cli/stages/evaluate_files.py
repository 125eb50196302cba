"""A network, its scaler and its encoder as files anywhere -> scores on a folder of clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.data.labels import normalise_label
from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.model import artifacts, sklearn_files
from ser_cli.model.heard import Heard
from ser_cli.model.network import Network, OnnxNetwork
from ser_cli.model.pipeline import Pipeline
from ser_cli.remarks import counted
from ser_cli.report.scoring import score

if TYPE_CHECKING:
    from ser_cli.jobs.training import EvaluateJob
    from ser_cli.recipes import Recipe
    from ser_cli.report.evaluation import Evaluation
    from ser_cli.types import Preprocessor, Progress


def evaluate(job: EvaluateJob, *, progress: Progress | None = None) -> Evaluation:
    """Score the files of a trained system on all clips of a corpus.

    Its probabilities are not calibrated: no file states how.

    Args:
        job: The files, the data, and the recipe that makes the features.
        progress: Told of features and fingerprints.

    Raises:
        ArtifactsError: A file is missing, damaged, not to be trusted, or does not fit the others.
        UsageError: The length is neither given nor fixed, or the model is no network.
        DataError: No clip can be scored.
    """
    assert job.model
    system = recipes.get(job.recipe)
    preprocessor = _preprocessor(job, system)
    folder = job.model.parent
    pipeline = Pipeline(system.frontend, preprocessor, _network(job.model))
    clips = corpora.load(*job.data, as_given=job.labels_as_given, classes=preprocessor.classes)
    scored = score(clips, pipeline, progress=progress)
    known = artifacts.is_complete(folder)
    learned = Heard(folder).lines(clips, progress=progress) if known else ()
    unknown = () if known else ("it is not known which clips the model was trained on",)
    return replace(
        scored,
        title=f"{job.recipe} ({job.model})",
        protocol=f"all clips of {corpora.describe(job.data)}",
        audit=learned,
        leaky=bool(learned),
        notes=(*scored.notes, *unknown, "the probabilities are not calibrated"),
    )


def _network(path: Path) -> Network:
    """Return a network that no manifest vouches for."""
    kind = path.suffix.lower()
    if kind not in (".onnx", ".keras"):
        raise UsageError(
            f"{path} is not a network that can be run here", hint="name a .onnx or a .keras file"
        )
    if not path.is_file():
        raise ArtifactsError(f"{path}: no such file", hint="train one: ser train")
    if kind == ".onnx":
        return OnnxNetwork(path)
    from ser_cli.export import keras_network

    return keras_network.load(path)


def _preprocessor(job: EvaluateJob, recipe: Recipe) -> Preprocessor:
    assert job.scaler and job.label_encoder
    length = job.max_len or recipe.frames
    if length is None:
        raise UsageError(
            f"{recipe.name} learns the length of its clips, and --model does not state it",
            hint="--max-len FOLDER/max_len.npy",
        )
    read = sklearn_files.read(job.scaler, job.label_encoder, length)
    width = recipe.frontend.width
    expected = {"frame": width, "cell": width * read.max_len, "none": 0}[recipe.scale]
    if len(read.mean) != expected:
        raise ArtifactsError(
            f"{job.scaler} scales {counted(len(read.mean), 'value')}, but {recipe.name} has "
            f"{expected}",
            hint="give the recipe and the length it was trained with: --recipe, --max-len",
        )
    # Other programs write "fear" or "surprise".
    return replace(read, classes=tuple(map(normalise_label, read.classes)))
