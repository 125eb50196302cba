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

from ser_cli.data import cache, corpora
from ser_cli.data.store import atomic_write, need_folder
from ser_cli.errors import ArtifactsError, DataError, UsageError
from ser_cli.jobs.export import QUANTIZED
from ser_cli.model import artifacts, preprocess
from ser_cli.model.frontends import frontend_of
from ser_cli.model.heard import Heard
from ser_cli.model.network import OnnxNetwork
from ser_cli.report import rows
from ser_cli.sound.files import find
from ser_cli.sound.sniff import is_sound
from ser_cli.types import Clip

if TYPE_CHECKING:
    from ser_cli.export.formats import Target
    from ser_cli.export.keras_network import KerasNetwork
    from ser_cli.export.parity import Parity
    from ser_cli.jobs.export import ExportJob
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.types import Failures, Progress

CHECKED = 200  # clips, at most: of RAVDESS every speaker in every emotion

_SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets"}


@dataclass(frozen=True, slots=True)
class ExportResult:
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
    failed: Failures


def export(
    job: ExportJob, *, progress: Progress | None = None, say: Callable[[str], None] = lambda _: None
) -> ExportResult:
    """Write a trained network in another format, if it labels real clips as it should.

    float32 and fp16 must not change a single label, int8 at most 2 %.

    Args:
        job: What of, as what, where to, and which clips to check on: what `corpora.load` takes,
            or any recordings.
        progress: Told of features.
        say: Told what a user should know while it runs.

    Raises:
        UsageError: The format is not quantized so, or what is there is not to be replaced.
        DataError: There are no clips to check on.
        ArtifactsError: The folder cannot be exported, or the check failed: nothing was written.
    """
    if job.quantize and job.format not in QUANTIZED:
        raise UsageError(
            f"{job.format} is not quantized with {job.quantize}",
            hint=f"--format {' or '.join(QUANTIZED)}",
        )
    trained = artifacts.load(
        artifacts.resolve(job.folder, recipe=job.recipe),
        verify=(*artifacts.NEEDED, artifacts.KERAS),
    )
    clips = balanced(_clips(job.data), CHECKED)
    say(f"model: {trained.folder}")
    from ser_cli.export import formats, parity

    kind = formats.get(job.format)
    target = _target(job.out, kind, trained.recipe, job.quantize)
    network = _network(trained, needed=kind.from_keras)
    frontend = frontend_of(trained)
    original = network or OnnxNetwork(trained.onnx)
    original.check(trained.preprocessor, frontend.width)
    made = cache.extract(clips, frontend, progress=progress)
    if not made.clips:
        raise DataError("none of the clips can be read", hint="see why: ser extract --data DIR")
    x = preprocess.transform(made.features, trained.preprocessor)
    with _replacing(target, kind) as temporary:
        kind.write(trained, network and network.model, temporary, job.quantize)
        compared = parity.compare(original, kind.load(temporary), x)
        parity.require(compared, job.format, job.quantize)
    return ExportResult(
        file=target,
        format=job.format,
        quantize=job.quantize,
        source=trained.folder / (artifacts.KERAS if network else artifacts.ONNX),
        trained=trained,
        shape=(trained.preprocessor.max_len, frontend.width),
        parity=compared,
        learned=_learned(made.clips, trained),
        failed=made.failed,
    )


def as_record(exported: ExportResult) -> dict[str, Any]:
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
        "failed": rows.failures(exported.failed),
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


def _target(out: Path | None, kind: Target, recipe: str, quantize: str | None) -> Path:
    """Return where to write; nothing is replaced but an export of the same format."""
    default = "-".join(filter(None, (recipe, quantize))) + (kind.suffix or "-saved-model")
    target = out or Path(default)
    if kind.suffix and target.is_dir():
        target = target / default
    if kind.suffix and target.suffix.lower() != kind.suffix:
        raise UsageError(
            f"{target} does not have the extension of its format",
            hint=f"--out {target.with_suffix(kind.suffix)}",
        )
    if not kind.suffix and not _may_become_saved_model(target):
        raise UsageError(
            f"{target} exists and is not a SavedModel: it is not replaced", hint=f"--out {default}"
        )
    if (target.parent / artifacts.MANIFEST).exists():
        raise UsageError(
            f"{target.parent} holds a trained model and is sealed: it cannot be changed",
            hint="choose another folder: --out FOLDER/" + target.name,
        )
    need_folder(target.parent)
    return target


def _may_become_saved_model(folder: Path) -> bool:
    if not folder.exists():
        return True
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= _SAVED_MODEL


def _clips(data: tuple[str, ...]) -> tuple[Clip, ...]:
    """Return labelled clips, or any recordings, since the comparison needs no labels."""
    try:
        return corpora.load(*(data or (corpora.DEFAULT,)), as_given=True)
    except DataError as error:
        if not data:
            raise DataError(
                f"an export is checked on real clips, and there are none: {error}",
                hint=f"ser download {corpora.DEFAULT}; or recordings of your own: --data FOLDER",
            ) from error
        found = [Path(item.file) for item in find(data) if not item.error]
        sounds = tuple(Clip(path) for path in found if is_sound(path))
        if not sounds:
            raise
        return sounds


def _network(trained: Artifacts, *, needed: bool) -> KerasNetwork | None:
    """Return the Keras network; None where the folder holds ONNX alone, which may do."""
    path = trained.folder / artifacts.KERAS
    if path.name not in trained.manifest["files"]:
        if not needed:
            return None
        raise ArtifactsError(
            f"{trained.folder} holds no {path.name}, which this format is made from",
            hint=f"train one: ser train --recipe {trained.recipe}; or: ser export --format onnx",
        )
    from ser_cli.export import keras_network

    return keras_network.load(path)


def _learned(clips: Sequence[Clip], trained: Artifacts) -> int:
    heard = Heard(trained.folder)
    return heard.roles_of(clips).count("train")


@contextmanager
def _replacing(target: Path, kind: Target) -> Iterator[Path]:
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
