"""The artifacts folder: the only place that knows its file names and formats.

A folder is sealed by its manifest, which is written last and names every file with its size
and SHA-256. A training writes into a folder inside, whose files then take the place of the old.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import recipes
from ser_cli.data import store, succession
from ser_cli.errors import ArtifactsError
from ser_cli.model import manifest as manifests
from ser_cli.model import sklearn_files
from ser_cli.remarks import remark

if TYPE_CHECKING:
    from ser_cli.types import Preprocessor

KERAS = "model.keras"
ONNX = "model.onnx"
SCALER = "scaler.pkl"
LABELS = "label_encoder.pkl"
MAX_LEN = "max_len.npy"
HYPERPARAMETERS = "best_hyperparameters.json"
HISTORY = "history.csv"
CURVES = "curves.png"
SPLIT = "split.csv"
SOUNDPRINTS = "soundprints.npz"  # of its clips, in their order
CLASS_COUNTS = "class_counts.png"
DEV_METRICS = "val_metrics.txt"
DEV_CONFUSION = "val_confusion_matrix.txt"
RESULTS = "results.csv"
TRIALS = "trials.csv"
TRIALS_PLOT = "trials.png"
IMPORTANCES_PLOT = "importances.png"
MANIFEST = "manifest.json"

NEEDED = (ONNX, SCALER, LABELS, MAX_LEN)  # by prediction
DEV = (DEV_METRICS, DEV_CONFUSION)  # where a dev part was
SHOWN = (CURVES, CLASS_COUNTS, *DEV)  # to people alone: no command reads them
# What a manifest covers; a study may continue.
FILES = (*NEEDED, KERAS, HISTORY, CURVES, SPLIT, SOUNDPRINTS, CLASS_COUNTS, *DEV)
OF_STUDY = (TRIALS, TRIALS_PLOT, IMPORTANCES_PLOT)  # beside the settings it has found
OTHERS = (MANIFEST, HYPERPARAMETERS, RESULTS, *OF_STUDY)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """A sealed folder, read back.

    Attributes:
        folder: Where it lies.
        recipe: Name of the system it was trained with.
        preprocessor: Length, scaling and classes.
        temperature: Of the calibration; 1 changes nothing.
        manifest: All facts that were sealed, and "files".
    """

    folder: Path
    recipe: str
    preprocessor: Preprocessor
    temperature: float
    manifest: dict[str, Any]

    @property
    def onnx(self) -> Path:
        """The network that prediction runs.

        Raises:
            ArtifactsError: It is another by now, which the preprocessor would not fit.
        """
        replaced = succession.current(self.folder, MANIFEST) != self.folder
        if replaced or manifests.read(self.folder / MANIFEST) != self.manifest:
            raise ArtifactsError(
                f"{self.folder} was trained again after it was read", hint="run the command again"
            )
        return self.folder / ONNX


def packaged() -> Path:
    """Return where the shipped models lie, a folder each: in the wheel, or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "pretrained"
    return installed if installed.is_dir() else package.parent / "artifacts" / "pretrained"


def shipped() -> tuple[Path, ...]:
    """Return the folders of the shipped models, the one that is taken by default first."""
    names = sorted(recipes.names(), key=lambda name: (name != recipes.PREDICTING, name))
    return tuple(folder for name in names if is_complete(folder := packaged() / name))


def committed_results() -> Path:
    """Return the published table of results: in the wheel, or in a checkout of the sources."""
    installed = packaged() / RESULTS
    return installed if installed.is_file() else packaged().parent / RESULTS


def data_of(trained: Artifacts) -> tuple[str, ...]:
    """Return the corpora a model was trained on; older manifests name a single one."""
    data = trained.manifest["data"]
    return (data,) if isinstance(data, str) else tuple(data)


def read_split(folder: Path) -> dict[str, str]:
    """Return the part (train, dev, test) of every clip, by `data.cache.identity`."""
    return {row["recording"]: row["split"] for row in read_clips(folder)}


def read_clips(folder: Path) -> list[dict[str, str]]:
    """Return the rows of split.csv, as `data.parts.rows` made them; none where there is none."""
    return store.read_csv(folder / SPLIT)


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return the epochs of the training; none where the folder has no history."""
    return [{k: float(v) for k, v in row.items()} for row in store.read_csv(folder / HISTORY)]


def default_folder(recipe: str) -> Path:
    """Return where a recipe's artifacts are written and looked for: ./artifacts/<recipe>."""
    return Path("artifacts") / recipe


def resolve(chosen: Path | None, *, recipe: str | None) -> Path:
    """Return the folder to predict with: the chosen, else the recipe's own, else the shipped.

    Where no recipe is named either, what was trained last here is taken, of the default recipes
    for training and for prediction; else the model that ships for prediction. The shipped one
    never stands in for one of the user's own that is damaged or unfinished.

    Raises:
        UsageError: There is no such recipe.
        ArtifactsError: None was chosen, and the own is damaged or unfinished; or there is none,
            and none that ships.
    """
    if chosen is not None:
        _tell_spoilt(chosen)
        return chosen
    names = (recipes.PREDICTING, recipes.DEFAULT) if recipe is None else (recipe,)
    own = {folder: name for name in names if _holds_model(folder := default_folder(name))}
    if own:
        last = max(own, key=_trained_at)
        _refuse_damaged(last, own[last])
        _tell_spoilt(last)
        return last
    recipe = names[0]
    if is_complete(ready := packaged() / recipe):
        return ready
    recipes.get(recipe)  # a name mistyped is another mistake than a model not trained
    raise ArtifactsError(
        f"there is no trained model of the recipe {recipe!r}: {default_folder(recipe)} is absent",
        hint=f"{manifests.TRAIN} --recipe {recipe}",
    )


def is_complete(folder: Path) -> bool:
    """Whether the folder has a readable manifest and every file that is needed in its size."""
    try:
        succession.steadily(folder, MANIFEST, partial(_check, verify=()))
    except ArtifactsError:
        return False
    return True


def load(folder: Path, *, verify: Collection[str] = NEEDED) -> Artifacts:
    """Read a sealed folder, without scikit-learn, joblib or TensorFlow.

    Args:
        folder: Where `seal` was called.
        verify: Files to compare with their SHA-256: those about to be read, as well as the front
            end's own, which always are. The sizes of all are compared anyway.

    Raises:
        ArtifactsError: It is missing, unfinished, changed, or of a newer format.
    """
    return succession.steadily(Path(folder), MANIFEST, partial(_load, verify=verify))


def write_shared(folder: Path, preprocessor: Preprocessor) -> None:
    """Write scaler.pkl, label_encoder.pkl and max_len.npy as reference scripts read them.

    Raises:
        ArtifactsError: The folder is sealed.
    """
    refuse_sealed(folder)
    sklearn_files.write(preprocessor, folder / SCALER, folder / LABELS, folder / MAX_LEN)


def refuse_sealed(folder: Path) -> None:
    """Raise ArtifactsError if a folder is sealed."""
    if (folder / MANIFEST).exists():
        raise ArtifactsError(
            f"{folder} is sealed: its files cannot be changed", hint=manifests.TRAIN
        )


def seal(folder: Path, *, facts: Mapping[str, Any], frontend: Collection[str] = ()) -> None:
    """Write the manifest, which makes the folder a finished one.

    Args:
        folder: Holds at least model.onnx and the three shared files.
        facts: "recipe", and what else the reader should know: temperature, settings, versions,
            fingerprint of the data, licence.
        frontend: Names of the files of its front end.

    Raises:
        ArtifactsError: A needed file is missing, or the folder is sealed already.
    """
    refuse_sealed(folder)
    absent = [name for name in (*NEEDED, *frontend) if not (folder / name).is_file()]
    if absent:
        raise ArtifactsError(
            f"not sealed: {folder}: {', '.join(absent)} missing", hint=manifests.TRAIN
        )
    present = [name for name in (*FILES, *frontend) if (folder / name).is_file()]
    own = {"frontend_files": sorted(frontend)} if frontend else {}
    manifests.write(folder / MANIFEST, present, {**facts, **own})


def refuse_packaged(folder: Path) -> None:
    """Raise ArtifactsError if it is the folder of a shipped model, or that of all of them."""
    if packaged().resolve() in (folder.resolve(), folder.resolve().parent):
        raise ArtifactsError(
            f"{folder} holds a shipped model, which must not be overwritten",
            hint="choose another folder: --artifacts DIR",
        )


def begin(folder: Path) -> Path:
    """Return a folder to write and seal a model in, while that of `folder` stays in use."""
    return succession.begin(folder, MANIFEST, FILES)


def succeed(folder: Path) -> None:
    """Let the model that was sealed in the folder of `begin` take the place of the former."""
    succession.succeed(folder, MANIFEST, FILES)


def _load(folder: Path, *, verify: Collection[str]) -> Artifacts:
    manifest = _check(folder, verify=verify)
    return Artifacts(
        folder=folder,
        recipe=manifest["recipe"],
        preprocessor=sklearn_files.read(folder / SCALER, folder / LABELS, folder / MAX_LEN),
        temperature=float(manifest["temperature"]),
        manifest=manifest,
    )


def _check(folder: Path, *, verify: Collection[str]) -> dict[str, Any]:
    """Return the manifest of a folder that is as it was sealed, as far as commands read it."""
    manifest = manifests.read(folder / MANIFEST)
    own = [str(name) for name in manifest.get("frontend_files", [])]
    read = [name for name in FILES if name in manifest["files"] and name not in SHOWN]
    wanted = dict.fromkeys([*NEEDED, *read, *own])
    manifests.check(folder, manifest, wanted, verify=(*verify, *own) if verify else ())
    return manifest


def _holds_model(folder: Path) -> bool:
    """Whether a training has left something here; studies, results and pictures are no model."""
    unfinished = (succession.STAGING, succession.SUCCESSOR)
    names = {MANIFEST, *FILES, *unfinished}.difference(SHOWN)
    return any((folder / name).exists() for name in names)


def _trained_at(folder: Path) -> float:
    """Return when a model was sealed, else when one of its files was written; 0 without any."""
    place = succession.current(folder, MANIFEST)
    files = [place / MANIFEST, *(folder / name for name in FILES)]
    return next((file.stat().st_mtime for file in files if file.exists()), 0.0)


def _refuse_damaged(own: Path, recipe: str) -> None:
    """Raise ArtifactsError unless one's own model can be used."""
    try:
        succession.steadily(own, MANIFEST, partial(_check, verify=()))
    except ArtifactsError as error:
        raise ArtifactsError(
            f"the model that was trained here cannot be used: {error}",
            hint=f"ser train --recipe {recipe}; or move {own} away, to use the shipped model",
        ) from error


def _tell_spoilt(folder: Path) -> None:
    """Say which pictures and texts are not as they were sealed: no reason to refuse a model."""
    with suppress(ArtifactsError):  # of which `load` will tell
        manifest = manifests.read(folder / MANIFEST)
        for name in SHOWN:
            if name in manifest["files"] and (found := manifests.fault(folder, manifest, name)):
                remark(f"{found}; the model itself is whole")
