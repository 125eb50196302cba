"""The artifacts folder: the only place that knows its file names and formats.

A folder is sealed by its manifest, which is written last and names every file with its size
and SHA-256. A folder without one is not finished, or is being trained again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_cli import recipes
from ser_cli.data import store
from ser_cli.data.store import atomic_write, write_text
from ser_cli.errors import ArtifactsError
from ser_cli.model import sklearn_files
from ser_cli.sound import fingerprint

if TYPE_CHECKING:
    from ser_cli.sound.frontend import Frontend
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
# What a manifest covers; a study may continue.
FILES = (*NEEDED, KERAS, HISTORY, CURVES, SPLIT, SOUNDPRINTS, CLASS_COUNTS, *DEV)
OTHERS = (MANIFEST, HYPERPARAMETERS, RESULTS, TRIALS, TRIALS_PLOT, IMPORTANCES_PLOT)
FORMAT = 1

_TRAIN = "train one: ser train"


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
        """The network that prediction runs."""
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
    for training and for prediction; else the model that ships for prediction.

    Raises:
        UsageError: There is no such recipe.
        ArtifactsError: None was chosen, none is trained, and the shipped is another recipe's.
    """
    if chosen is not None:
        return chosen
    names = (recipes.PREDICTING, recipes.DEFAULT) if recipe is None else (recipe,)
    trained = [own for own in map(default_folder, names) if is_complete(own)]
    if trained:
        return max(trained, key=lambda folder: (folder / MANIFEST).stat().st_mtime)
    recipe = names[0]
    own, ready = default_folder(recipe), packaged() / recipe
    if is_complete(ready):
        return ready
    recipes.get(recipe)  # a name mistyped is another mistake than a model not trained
    raise ArtifactsError(
        f"there is no trained model of the recipe {recipe!r}: {own} is absent or unfinished",
        hint=f"{_TRAIN} --recipe {recipe}",
    )


def is_complete(folder: Path) -> bool:
    """Whether the folder has a readable manifest and every file of it in its size."""
    try:
        manifest = _read_manifest(folder)
        _check_files(folder, manifest, verify=())
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
    folder = Path(folder)
    manifest = _read_manifest(folder)
    _check_files(folder, manifest, verify=verify)
    return Artifacts(
        folder=folder,
        recipe=manifest["recipe"],
        preprocessor=sklearn_files.read(folder / SCALER, folder / LABELS, folder / MAX_LEN),
        temperature=float(manifest["temperature"]),
        manifest=manifest,
    )


def write_shared(folder: Path, preprocessor: Preprocessor) -> None:
    """Write scaler.pkl, label_encoder.pkl and max_len.npy as reference scripts read them.

    Raises:
        ArtifactsError: The folder is sealed.
    """
    _refuse_sealed(folder)
    sklearn_files.write(preprocessor, folder / SCALER, folder / LABELS, folder / MAX_LEN)


def write_frontend(folder: Path, frontend: Frontend) -> None:
    """Copy the files of a front end, which prediction needs as it needs the network.

    Raises:
        ArtifactsError: The folder is sealed, or two of its files would have one name.
    """
    _refuse_sealed(folder)
    _check_names(frontend)
    for path in frontend.files:
        with atomic_write(folder / path.name) as temporary:
            shutil.copyfile(path, temporary)


def seal(folder: Path, *, facts: Mapping[str, Any], frontend: Collection[str] = ()) -> None:
    """Write the manifest, which makes the folder a finished one.

    Args:
        folder: Holds at least model.onnx and the three shared files.
        facts: "recipe", and what else the reader should know: temperature, settings, versions,
            fingerprint of the data, licence.
        frontend: Names of the files that `write_frontend` wrote.

    Raises:
        ArtifactsError: A needed file is missing, or the folder is sealed already.
    """
    _refuse_sealed(folder)
    absent = [name for name in (*NEEDED, *frontend) if not (folder / name).is_file()]
    if absent:
        raise ArtifactsError(f"{folder} cannot be sealed: {', '.join(absent)} missing")
    present = [folder / name for name in (*FILES, *frontend) if (folder / name).is_file()]
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": fingerprint.of_file(path)}
        for path in present
    }
    facts = {"temperature": 1.0, **facts, "format": FORMAT, "files": files}
    manifest = facts | ({"frontend_files": sorted(frontend)} if frontend else {})
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def unseal(folder: Path, *, allow_packaged: bool = False) -> None:
    """Remove the manifest, so that files may be written; the folder is made if absent.

    Raises:
        ArtifactsError: It is the shipped model's folder, and this is not allowed.
    """
    if packaged().resolve() in (folder.resolve(), folder.resolve().parent) and not allow_packaged:
        raise ArtifactsError(
            f"{folder} holds a shipped model, which must not be overwritten",
            hint="choose another folder: --artifacts DIR",
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)


def _refuse_sealed(folder: Path) -> None:
    if (folder / MANIFEST).exists():
        raise ArtifactsError(f"{folder} is sealed: its files cannot be changed")


def _check_names(frontend: Frontend) -> None:
    names = [path.name for path in frontend.files]
    for name in names:
        if name in (*FILES, *OTHERS) or names.count(name) > 1:
            raise ArtifactsError(
                f"the front end {frontend.name} needs a file {name}, and an artifacts folder has "
                "another of that name",
                hint="give the front end's file a different name",
            )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactsError(f"{folder}: no such artifacts folder", hint=_TRAIN)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactsError(f"{folder} holds no finished training", hint=_TRAIN) from error
    except (OSError, ValueError) as error:
        raise ArtifactsError(f"{path} cannot be read: {error}", hint=_TRAIN) from error
    wanted = (("format", int), ("recipe", str), ("files", dict), ("temperature", (int, float)))
    if not isinstance(manifest, dict) or not all(
        isinstance(manifest.get(key), kind) for key, kind in wanted
    ):
        raise ArtifactsError(f"{path} is not a manifest", hint=_TRAIN)
    if manifest["format"] > FORMAT:
        raise ArtifactsError(
            f"{folder} was written by a newer version of ser (format {manifest['format']})",
            hint="update ser to the newest version",
        )
    return manifest


def _check_files(folder: Path, manifest: dict[str, Any], *, verify: Collection[str]) -> None:
    files, own = manifest["files"], manifest.get("frontend_files", [])
    known = {name for name in files if name in FILES}
    for name in [*NEEDED, *sorted(known.difference(NEEDED)), *own]:
        path, stated = folder / Path(name).name, files.get(name, {})
        if name not in files or not path.is_file():
            raise ArtifactsError(f"{path} is missing", hint=_TRAIN)
        same = path.stat().st_size == stated.get("bytes")
        checked = name in verify or (verify and name in own)
        if not same or (checked and fingerprint.of_file(path) != stated.get("sha256")):
            raise ArtifactsError(f"{path} is not the file that was sealed", hint=_TRAIN)
