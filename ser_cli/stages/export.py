"""A trained network -> a file for another runtime, checked on real clips before it is kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_cli import recipes
from ser_cli.data import cache, corpora
from ser_cli.data.store import atomic_write
from ser_cli.errors import ArtifactsError, DataError, UsageError
from ser_cli.export import formats, parity
from ser_cli.export.onnx import load_onnx
from ser_cli.model import artifacts, network, preprocess
from ser_cli.sound.audio import EXTENSIONS
from ser_cli.sound.files import find
from ser_cli.training import trainer
from ser_cli.types import Clip

if TYPE_CHECKING:
    import keras

    from ser_cli.export.formats import Format
    from ser_cli.export.parity import Parity, Run
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.types import Progress

CHECKED = 200  # clips, at most: of RAVDESS every speaker in every emotion

_SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets"}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that passed the check, and what its user should know.

    Attributes:
        file: What was written; a folder for a SavedModel.
        format: One of `formats.FORMATS`.
        quantize: "fp16", "int8", or None for float32.
        source: The file of the trained network it was compared with.
        trained: The folder that lies in.
        shape: T and F of its input (N, T, F).
        parity: The comparison.
        learned: How many of the compared clips the network was trained on.
        failed: Clips that could not be read.
    """

    file: Path
    format: str
    quantize: str | None
    source: Path
    trained: Artifacts
    shape: tuple[int, int]
    parity: Parity
    learned: int
    failed: tuple[tuple[Path, str], ...]


def export(
    name: str,
    *,
    quantize: str | None = None,
    folder: Path | None = None,
    recipe: str = recipes.DEFAULT,
    out: Path | None = None,
    data: str | None = None,
    jobs: int = -1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a trained network in another format, if it says on real clips what it should.

    float32 and fp16 must not change a single label, int8 at most 2 %.

    Args:
        name: One of `formats.FORMATS`.
        quantize: One of the format's; None is float32.
        folder: Artifacts folder; see `artifacts.resolve`.
        recipe: Whose artifacts, where no folder is given.
        out: File, or folder of a SavedModel; None is named after the recipe, in the current one.
        data: Clips to check on: what `corpora.load` takes, or any recordings; None is RAVDESS.
        jobs: Processes that extract features.
        progress: Told of features.
        say: Told what a user should know while it runs.

    Raises:
        UsageError: There is no such format or quantization, or `out` is not to be replaced.
        DataError: There are no clips to check on.
        ArtifactsError: The folder cannot be exported, or the check failed: nothing was written.
    """
    kind = formats.get(name, quantize)
    trained = artifacts.load(
        artifacts.resolve(folder, recipe=recipe), verify=(*artifacts.NEEDED, artifacts.KERAS)
    )
    target = _target(out, kind, trained.recipe, quantize)
    clips = balanced(_clips(data), CHECKED)
    say(f"model: {trained.folder}")
    model = _network(trained, needed=kind.from_keras)
    system = recipes.get(trained.recipe)
    made = cache.extract(clips, system, jobs=jobs, progress=progress)
    if not made.clips:
        raise DataError("none of the clips can be read", hint="look with: ser extract --data DIR")
    x = preprocess.transform(made.features, trained.preprocessor)
    with _replacing(target, kind) as temporary:
        kind.write(trained, model, temporary, quantize)
        compared = parity.compare(_original(trained, model), kind.load(temporary), x)
        parity.require(compared, name, quantize)
    return Exported(
        file=target,
        format=name,
        quantize=quantize,
        source=trained.folder / (artifacts.ONNX if model is None else artifacts.KERAS),
        trained=trained,
        shape=(trained.preprocessor.max_len, system.features),
        parity=compared,
        learned=_learned(made.clips, trained),
        failed=made.failed,
    )


def as_record(exported: Exported) -> dict[str, Any]:
    """Return the result as plain values, for JSON."""
    trained, compared = exported.trained, exported.parity
    return {
        "file": str(exported.file),
        "format": exported.format,
        "quantize": exported.quantize,
        "bytes": size(exported.file),
        "source": str(exported.source),
        "source_bytes": size(exported.source),
        "clips": compared.clips,
        "clips_learned": exported.learned,
        "labels_flipped": compared.flipped,
        "largest_difference": compared.difference,
        "ms_per_clip": round(compared.ms, 3),
        "source_ms_per_clip": round(compared.source_ms, 3),
        "recipe": trained.recipe,
        "input": ["N", *exported.shape],
        "outputs": list(trained.preprocessor.classes),
        "temperature": trained.temperature,
        "failed": [{"file": str(path), "error": reason} for path, reason in exported.failed],
    }


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    found = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in found if file.is_file())


def balanced(clips: Sequence[Clip], count: int) -> tuple[Clip, ...]:
    """Choose clips so that emotions and speakers count alike; the same ones every time.

    One clip of each speaker's each emotion is taken before a second of any.
    """
    taken: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for number in np.random.default_rng(0).permutation(len(clips)).tolist():
        group = clips[number].emotion, clips[number].speaker
        ranked.append((taken[group], len(ranked), number))
        taken[group] += 1
    chosen = sorted(number for *_, number in sorted(ranked)[:count])
    return tuple(clips[number] for number in chosen)


def _target(out: Path | None, kind: Format, recipe: str, quantize: str | None) -> Path:
    """Return where to write; nothing is replaced but an export of the same format."""
    default = "-".join(filter(None, (recipe, quantize))) + (kind.suffix or "-saved-model")
    target = out or Path(default)
    if kind.suffix and target.is_dir():
        target = target / default
    if kind.suffix and target.suffix.lower() != kind.suffix:
        raise UsageError(
            f"{target} is not named like what it would hold",
            hint=f"--out {target.with_suffix(kind.suffix)}",
        )
    if not kind.suffix and not _may_become_saved_model(target):
        raise UsageError(
            f"{target} is there and is no SavedModel: it is not replaced", hint=f"--out {default}"
        )
    if (target.parent / artifacts.MANIFEST).exists():
        raise UsageError(
            f"{target.parent} holds a trained model and is sealed: it is not written to",
            hint="name another folder: --out FOLDER/" + target.name,
        )
    return target


def _may_become_saved_model(folder: Path) -> bool:
    if not folder.exists():
        return True
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= _SAVED_MODEL


def _clips(data: str | None) -> tuple[Clip, ...]:
    """Return labelled clips, or any recordings, since the comparison needs no labels."""
    try:
        return corpora.load(data or "ravdess")
    except DataError as error:
        if data is None:
            raise DataError(
                f"an export is checked on real clips, and there are none: {error}",
                hint="ser download-ravdess; or name recordings of your own: --data FOLDER",
            ) from error
        found = [Path(item.file) for item in find([data]) if not item.error]
        sounds = tuple(Clip(path) for path in found if path.suffix.lower() in EXTENSIONS)
        if not sounds:
            raise
        return sounds


def _network(trained: Artifacts, *, needed: bool) -> keras.Model | None:
    """Return the Keras network; None where the folder holds ONNX alone, which may do."""
    path = trained.folder / artifacts.KERAS
    if path.name not in trained.manifest["files"]:
        if not needed:
            return None
        raise ArtifactsError(
            f"{trained.folder} holds no {path.name}, which this format is made from",
            hint=f"train one: ser train --recipe {trained.recipe}; or: ser export --format onnx",
        )
    return network.load_keras(path)


def _original(trained: Artifacts, model: keras.Model | None) -> Run:
    if model is None:
        return load_onnx(trained.onnx)
    return lambda x: trainer.probabilities(model, x)


def _learned(clips: Sequence[Clip], trained: Artifacts) -> int:
    parts = artifacts.read_split(trained.folder)
    return sum(parts.get(cache.identity(clip.path)) == "train" for clip in clips)


@contextmanager
def _replacing(target: Path, kind: Format) -> Iterator[Path]:
    """Yield a path for what takes the target's place if the block succeeds, file or folder."""
    if kind.suffix:
        with atomic_write(target) as temporary:
            yield temporary
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as room:
        made = Path(room) / "new"
        yield made
        if target.exists():
            target.rename(Path(room) / "old")
        made.rename(target)
