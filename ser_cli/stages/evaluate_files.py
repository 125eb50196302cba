"""A network, its scaler and its encoder as files anywhere -> scores on a folder of clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.model import artifacts, network, sklearn_files
from ser_cli.stages.evaluate import Evaluation, learned_from, score

if TYPE_CHECKING:
    from ser_cli.types import Preprocessor, Progress, Recipe


@dataclass(frozen=True, slots=True)
class Files:
    """A trained system without its folder.

    Attributes:
        model: .onnx or .keras.
        scaler: scaler.pkl.
        encoder: label_encoder.pkl.
        max_len: max_len.npy; None where the recipe fixes the length.
    """

    model: Path
    scaler: Path
    encoder: Path
    max_len: Path | None = None


def evaluate(
    files: Files,
    data: str,
    *,
    recipe: str = recipes.DEFAULT,
    jobs: int = -1,
    progress: Progress | None = None,
) -> Evaluation:
    """Score files of a trained system on all clips of a corpus.

    Args:
        files: The system. Its probabilities are not calibrated: no file says how.
        data: What `corpora.load` takes.
        recipe: Makes its features.
        jobs: Processes that extract features.
        progress: Told of features.

    Raises:
        ArtifactsError: A file is missing, damaged, not to be trusted, or fits not the others.
        UsageError: The length is neither given nor fixed, or the model is no network.
        DataError: No clip can be scored.
    """
    system = recipes.get(recipe)
    preprocessor = _preprocessor(files, system)
    predict = network.load(files.model, preprocessor, features=system.features)
    clips = corpora.load(data)
    scored = score(clips, system, preprocessor.classes, predict, jobs=jobs, progress=progress)
    folder = files.model.parent
    known = artifacts.is_complete(folder)
    learned = learned_from(clips, artifacts.read_split(folder)) if known else ()
    unknown = () if known else ("which clips the model has learned from is not known",)
    return replace(
        scored,
        title=f"{recipe} ({files.model})",
        protocol=f"all clips of {data}",
        audit=learned,
        leaky=bool(learned),
        notes=(*scored.notes, *unknown, "the probabilities are not calibrated"),
    )


def _preprocessor(files: Files, recipe: Recipe) -> Preprocessor:
    length = files.max_len or recipe.frames
    if length is None:
        raise UsageError(
            f"the length of a clip is learned in {recipe.name}, and --model does not say it",
            hint="--max-len FOLDER/max_len.npy",
        )
    read = sklearn_files.read(files.scaler, files.encoder, length)
    expected = {
        "frame": recipe.features, "cell": recipe.features * read.max_len, "none": 0
    }[recipe.scale]  # fmt: skip
    if len(read.mean) != expected:
        raise ArtifactsError(
            f"{files.scaler} scales {len(read.mean)} values, and {recipe.name} has {expected}",
            hint="name the recipe and the length it was trained with: --recipe, --max-len",
        )
    # Other systems write "fear" or "surprise".
    return replace(read, classes=tuple(map(corpora.normalise_label, read.classes)))
