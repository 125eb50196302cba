"""A trained system from waveform to rows: windows, features, network, averages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ser_cli import recipes
from ser_cli.data.cache import waveform_features
from ser_cli.errors import ArtifactsError, SerError, UsageError
from ser_cli.model.runtime import Runtime
from ser_cli.sound import audio
from ser_cli.sound.files import Found, find
from ser_cli.types import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.model.artifacts import Artifacts
    from ser_cli.types import Audio, Floats, Recipe

    Source = str | Path | BinaryIO

OVERLAP = 0.5  # of the windows that a long file is heard through
TOGETHER = 16  # windows that go through the network at once: more are hardly faster


@dataclass(frozen=True, slots=True)
class Plan:
    """How files are prepared; small, since it travels to worker processes.

    Attributes:
        recipe: Its name.
        heard: Seconds the network hears at once; None where any length will do.
        window: Seconds of a row; None makes one row a file.
        step: Seconds from row to row; None is the window.
    """

    recipe: str
    heard: float | None
    window: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows of a file (start, end, how many windows), and the features of all windows in turn."""

    rows: tuple[tuple[float, float, int], ...] = ()
    features: tuple[Floats, ...] = ()
    flags: tuple[str, ...] = ()
    error: str = ""


class Model:
    """A trained system that is ready to predict: recipe, scaling, network and calibration."""

    def __init__(self, trained: Artifacts) -> None:
        """Take a trained system; its network is loaded when it is first needed.

        Raises:
            ArtifactsError: Its features are not those of this version of the recipe.
        """
        self.artifacts = trained
        self.recipe = recipes.get(trained.recipe)
        _check_version(trained, self.recipe)
        self._heard = _heard_s(self.recipe, trained.preprocessor.max_len)

    @cached_property
    def _runtime(self) -> Runtime:
        return Runtime(self.artifacts)

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the probabilities."""
        return self.artifacts.preprocessor.classes

    def predict(
        self,
        sources: Source | NDArray[Any] | Sequence[Source | NDArray[Any]],
        *,
        sample_rate: int | None = None,
    ) -> list[Prediction]:
        """Predict the emotion of each file or waveform.

        Args:
            sources: One or many of: a file, a folder, a pattern, an open binary file, a
                waveform (n,) of floats in -1..1.
            sample_rate: Hz of the waveforms; not needed for files.

        Returns:
            A row for each; a file that cannot be read has the status "error".

        Raises:
            UsageError: A waveform comes without its rate.
            AudioError: A waveform is not one channel of floats.
        """
        single = isinstance(sources, (str, Path, np.ndarray)) or hasattr(sources, "read")
        many: Sequence[Any] = [sources] if single else sources  # type: ignore[assignment]
        rows = []
        for number, source in enumerate(many):
            if isinstance(source, np.ndarray):
                rows += self._hear(source, f"waveform[{number}]", sample_rate)
                continue
            named = isinstance(source, (str, Path))
            items = find([source]) if named else [source]
            for found in self.label(items, self.plan()):
                rows += found
        return rows

    def plan(self, *, window: float | None = None, step: float | None = None) -> Plan:
        """Return what `prepare` must know to make this model's input."""
        return Plan(self.recipe.name, self._heard, window, step)

    def label(self, items: Iterable[Found | BinaryIO], plan: Plan) -> Iterator[list[Prediction]]:
        """Yield the rows of each file, in order; memory is bounded by the longest file.

        Short files go through the network together, so rows come in small groups.
        """
        held: list[tuple[str, Prepared]] = []
        for item in items:
            held.append((_name(item), prepare(item, plan)))
            if sum(len(prepared.features) for _, prepared in held) >= TOGETHER:
                yield from self._finish(held)
                held = []
        yield from self._finish(held)

    def _finish(self, held: Sequence[tuple[str, Prepared]]) -> Iterator[list[Prediction]]:
        """Run the network over all windows of some files, and average those of each row."""
        counts = [count for _, prepared in held for _, _, count in prepared.rows]
        features = [window for _, prepared in held for window in prepared.features]
        shares = iter(
            np.split(self._runtime.predict(features), np.cumsum(counts)) if counts else ()
        )
        for file, prepared in held:
            if prepared.error:
                yield [failed(file, prepared.error)]
                continue
            yield [
                self._row(file, row, next(shares).mean(axis=0), prepared.flags)
                for row in prepared.rows
            ]

    def _hear(self, waveform: NDArray[Any], name: str, sample_rate: int | None) -> list[Prediction]:
        if sample_rate is None:
            raise UsageError("a waveform needs its rate", hint="predict(waveform, sample_rate=Hz)")
        target = self.recipe.sample_rate
        sound = audio.from_array(waveform, sample_rate=sample_rate, target=target)
        return next(self._finish([(name, _cut(sound, self.recipe, self.plan()))]))

    def _row(
        self, file: str, row: tuple[float, float, int], mean: Floats, odd: tuple[str, ...]
    ) -> Prediction:
        start, end, n_windows = row
        best = int(mean.argmax())
        return Prediction(
            file=file,
            start=start,
            end=end,
            emotion=self.classes[best],
            confidence=float(mean[best]),
            probabilities=mean,
            status="warning" if odd else "ok",
            flags=(*odd, "long") if n_windows > 1 else odd,
        )


def failed(file: str, error: str) -> Prediction:
    """Return the row of a file that could not be predicted."""
    return Prediction(file, math.nan, math.nan, "", math.nan, None, "error", error=error)


def prepare(source: Found | BinaryIO, plan: Plan) -> Prepared:
    """Read a file and make its features; whatever goes wrong with it is data, not an end."""
    if isinstance(source, Found) and source.error:
        return Prepared(error=source.error)
    try:
        recipe = recipes.get(plan.recipe)
        file = source.file if isinstance(source, Found) else source
        return _cut(audio.load(file, sample_rate=recipe.sample_rate), recipe, plan)
    except SerError as error:
        return Prepared(error=str(error))
    except Exception as error:  # one file must not end a run over thousands
        return Prepared(error=f"{type(error).__name__}: {error}")


def _name(source: Found | BinaryIO) -> str:
    return (
        source.file if isinstance(source, Found) else str(getattr(source, "name", "audio stream"))
    )


def _check_version(trained: Artifacts, recipe: Recipe) -> None:
    version = trained.manifest.get("recipe_version", recipe.version)
    if version != recipe.version:
        raise ArtifactsError(
            f"{trained.folder} was trained on version {version} of the features of "
            f"{recipe.name}, and this is version {recipe.version}",
            hint=f"train again: ser train --recipe {recipe.name}",
        )


def _heard_s(recipe: Recipe, max_len: int) -> float | None:
    """Return the seconds that fill the network's input, None where any length fills it.

    Frames follow each other at a fixed distance, which a probe of silence shows; its length is
    a power of two, as distances mostly are.
    """
    if recipe.duration is not None:
        return recipe.duration
    probe = np.zeros(2**14, np.float32)
    frames = len(recipe.extract(probe))
    return None if frames < 2 else (max_len * len(probe) / (frames - 1) - 1) / recipe.sample_rate


def _cut(sound: Audio, recipe: Recipe, plan: Plan) -> Prepared:
    """Cut a recording into the rows wanted, and these into what the network hears at once."""
    rows, features = [], []
    for start, end, part in _windows(sound.waveform, sound.sample_rate, plan.window, plan.step):
        step = plan.heard and plan.heard * (1 - OVERLAP)
        pieces = _windows(sound.waveform[part], sound.sample_rate, plan.heard, step)
        rows.append((start, end, len(pieces)))
        features += [
            waveform_features(sound.waveform[part][piece], recipe) for _, _, piece in pieces
        ]
    return Prepared(tuple(rows), tuple(features), sound.flags)


def _windows(
    waveform: Floats, sample_rate: int, length: float | None, step: float | None
) -> list[tuple[float, float, slice]]:
    length = length or len(waveform) / sample_rate
    return audio.windows(len(waveform), sample_rate=sample_rate, length=length, step=step or length)
