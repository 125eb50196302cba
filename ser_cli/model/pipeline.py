"""A trained system: front end, preprocessor, network and temperature, from sound to emotions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ser_cli import recipes
from ser_cli.errors import ArtifactsError, UsageError
from ser_cli.model import windows
from ser_cli.model.calibration import calibrate
from ser_cli.model.network import Network, OnnxNetwork
from ser_cli.sound import audio
from ser_cli.sound.files import Found, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.windows import Cut, Heard
    from ser_cli.sound.frontend import Frontend
    from ser_cli.types import Floats, Prediction, Preprocessor

    Source = str | Path | BinaryIO

TOGETHER = 16  # windows of short files that go through the network at once


class Pipeline:
    """The one way from sound, or from features, to probabilities."""

    def __init__(
        self,
        frontend: Frontend,
        preprocessor: Preprocessor,
        network: Network,
        temperature: float = 1.0,
    ) -> None:
        """Join the parts.

        Raises:
            ArtifactsError: They do not fit each other.
        """
        network.check(preprocessor, frontend.width)
        self.frontend = frontend
        self.preprocessor = preprocessor
        self.network = network
        self.temperature = temperature

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the probabilities."""
        return self.preprocessor.classes

    def probabilities(self, features: Sequence[Floats]) -> Floats:
        """Return the calibrated probabilities (N, C) of the features (t, F) of N clips."""
        outputs = self.network.probabilities(features, self.preprocessor)
        return calibrate(outputs, self.temperature) if len(outputs) else outputs

    def listen(self, cuts: Sequence[Cut]) -> Iterator[Heard]:
        """Yield the network's output for each recording: the probabilities of all its windows."""
        counts = [len(cut.features) for cut in cuts]
        together = self.probabilities([window for cut in cuts for window in cut.features])
        for cut, part in zip(cuts, np.split(together, np.cumsum(counts)[:-1]), strict=True):
            yield windows.Heard(cut, part)


class Model:
    """A trained system as Python programs use it; its network is loaded when first needed."""

    def __init__(self, trained: Artifacts) -> None:
        """Take a trained system.

        Raises:
            ArtifactsError: Its features are not those of this version of the recipe.
        """
        self.artifacts = trained
        self.recipe = recipes.get(trained.recipe)
        _check_version(trained, self.recipe.frontend)
        self.frontend = self.recipe.frontend.within(trained.folder)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The parts of the system, ready to run."""
        trained = self.artifacts
        network = OnnxNetwork(trained.onnx)
        return Pipeline(self.frontend, trained.preprocessor, network, trained.temperature)

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the probabilities."""
        return self.artifacts.preprocessor.classes

    def plan(self, *, window: float | None = None, step: float | None = None) -> windows.Plan:
        """Return how recordings are cut into what this model takes at once."""
        context = self.frontend.context(self.artifacts.preprocessor.max_len)
        return windows.Plan(self.frontend, context, window, step)

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
        plan = self.plan()
        cuts = (cut for n, source in enumerate(many) for cut in _cuts(source, n, plan, sample_rate))
        return [row for rows in self.rows(cuts) for row in rows]

    def label(
        self, items: Iterable[Found | BinaryIO], plan: windows.Plan
    ) -> Iterator[list[Prediction]]:
        """Yield the rows of each file, in order; memory is bounded by the longest file."""
        return self.rows(windows.cut_file(item, plan) for item in items)

    def rows(self, cuts: Iterable[Cut]) -> Iterator[list[Prediction]]:
        """Yield the rows of each recording.

        Short ones go through the network together, so rows come in small groups.
        """
        held: list[Cut] = []
        for cut in cuts:
            held.append(cut)
            if sum(len(cut.features) for cut in held) >= TOGETHER:
                yield from self._finish(held)
                held = []
        yield from self._finish(held)

    def _finish(self, held: Sequence[Cut]) -> Iterator[list[Prediction]]:
        if any(cut.features for cut in held):
            found = self.pipeline.listen(held)
        else:  # nothing could be read: no network is needed
            found = (windows.Heard(cut, np.zeros((0, len(self.classes)), "f4")) for cut in held)
        return (windows.predictions(heard, self.classes) for heard in found)


def _cuts(source: Any, number: int, plan: windows.Plan, sample_rate: int | None) -> Iterator[Cut]:
    if isinstance(source, np.ndarray):
        if sample_rate is None:
            raise UsageError("sample_rate is missing", hint="predict(waveform, sample_rate=Hz)")
        target = plan.frontend.sample_rate
        sound = audio.from_array(source, sample_rate=sample_rate, target=target)
        yield windows.cut(f"waveform[{number}]", sound, plan)
        return
    items = find([source]) if isinstance(source, (str, Path)) else [source]
    yield from (windows.cut_file(item, plan) for item in items)


def _check_version(trained: Artifacts, frontend: Frontend) -> None:
    version = trained.manifest.get("recipe_version", frontend.version)
    if version != frontend.version:
        raise ArtifactsError(
            f"{trained.folder} was trained on version {version} of the features of "
            f"{frontend.name}, and this is version {frontend.version}",
            hint=f"train again: ser train --recipe {trained.recipe}",
        )
