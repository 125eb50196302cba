"""A trained system as commands and Python programs use it: recordings -> rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from ser_cli import recipes
from ser_cli.errors import DataError, UsageError
from ser_cli.model import windows
from ser_cli.model.enrolment import ENOUGH, ENROLLED, Moments, adapted, measured
from ser_cli.model.frontends import frontend_of
from ser_cli.model.network import OnnxNetwork
from ser_cli.model.pipeline import Pipeline, places
from ser_cli.model.rows import Rows
from ser_cli.model.sources import Waveform, recordings
from ser_cli.model.timeline import timelines
from ser_cli.model.votes import Votes, failures, priors
from ser_cli.remarks import counted, remark
from ser_cli.types import Joining, Prediction

if TYPE_CHECKING:
    from ser_cli.model.artifacts import Artifacts
    from ser_cli.model.windows import Event
    from ser_cli.sound.files import Found
    from ser_cli.types import Floats, Preprocessor

JOINING = Joining()
TOGETHER = 16  # windows of short files that go through the network at once
MOST_EVENTS = 4 * TOGETHER  # windows, rows and ends of files that wait for that


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a model is to hear; small, since it travels to worker processes.

    Attributes:
        labels: Emotions to choose among; none stands for all.
        min_confidence: Below it, a row's emotion is "uncertain".
        preprocessor: That of an enrolled speaker; None is the model's own.
        hear_all: Whether windows without speech have a vote, too.
    """

    labels: tuple[str, ...] = ()
    min_confidence: float = 0.0
    preprocessor: Preprocessor | None = None
    hear_all: bool = False


class Model:
    """A trained system as Python programs use it; its network is loaded when first needed."""

    def __init__(self, trained: Artifacts, hearing: Hearing = Hearing()) -> None:
        """Take a trained system, and how it is to hear.

        Raises:
            ArtifactsError: Its features are not those of this version of the recipe.
            UsageError: It does not know a label.
        """
        self.artifacts = trained
        self.hearing = hearing
        places(hearing.labels, trained.preprocessor.classes)
        self.frontend = frontend_of(trained)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The parts of the system, ready to run."""
        trained = self.artifacts
        return Pipeline(
            self.frontend,
            self.hearing.preprocessor or trained.preprocessor,
            OnnxNetwork(trained.onnx),
            trained.temperature,
            self.hearing.labels,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to another process: all but the network, which is loaded there."""
        return {name: value for name, value in vars(self).items() if name != "pipeline"}

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of the probabilities."""
        known = self.artifacts.preprocessor.classes
        return tuple(known[place] for place in places(self.hearing.labels, known))

    def enrol(self, sources: Any, *, sample_rate: int | None = None) -> Model:
        """Return this model with a speaker, or recording conditions, enrolled.

        Args:
            sources: Recordings of the speaker, as `predict` takes them; no labels are needed.
            sample_rate: Hz of waveforms.

        Raises:
            UsageError: The model was not trained for it.
            DataError: None of the recordings can be read.
        """
        plan = self.plan()
        moments = self.measure(_heard(recordings(sources, sample_rate), plan))
        for reason in moments.failed:
            remark(f"not enrolled: {reason}")
        return self.enrolled(moments)

    @property
    def can_enrol(self) -> bool:
        """Whether it was trained to hear an enrolled speaker."""
        return bool(self.artifacts.manifest.get("settings", {}).get("adapt"))

    def measure(self, events: Iterable[Event]) -> Moments:
        """Return the moments of recordings, all their windows alike.

        Raises:
            UsageError: The model was not trained for it.
        """
        if not self.can_enrol:
            raise UsageError(
                f"{self.artifacts.folder} was not trained to hear an enrolled speaker",
                hint=f"take a model of --recipe {recipes.PREDICTING}",
            )
        moments = Moments()
        for event in events:
            if isinstance(event, windows.Piece):
                moments += measured([event.features], self.artifacts.preprocessor)
            elif isinstance(event, windows.Done) and event.error:
                moments += Moments(failed=(event.error,))
        return moments

    def enrolled(self, moments: Moments) -> Model:
        """Return this model for the speaker of the recordings that were measured.

        Raises:
            DataError: None could be read.
        """
        if not moments.count:
            first = f"; the first: {moments.failed[0]}" if moments.failed else ""
            raise DataError(
                f"no recording of the speaker can be read{first}", hint="enrol other files"
            )
        if moments.count < ENOUGH:
            remark(
                f"{counted(moments.count, 'recording')} cannot tell how a speaker usually sounds: "
                f"labels may be worse than without; {ENROLLED} are enough"
            )
        heard = adapted(self.artifacts.preprocessor, moments)
        return Model(self.artifacts, replace(self.hearing, preprocessor=heard))

    def plan(self, *, window: float | None = None, step: float | None = None) -> windows.Plan:
        """Return how recordings are cut into what this model takes at once.

        Raises:
            UsageError: The lengths of window and step make no sense.
        """
        windows.check(window, step)
        context = self.frontend.context(self.artifacts.preprocessor.max_len)
        hear_all = self.hearing.hear_all
        return windows.Plan(self.frontend, context, window, step, hear_all=hear_all)

    def predict(
        self,
        sources: Any,
        *,
        sample_rate: int | None = None,
        window: float | None = None,
        step: float | None = None,
    ) -> Rows:
        """Predict the emotion of each file or waveform.

        Args:
            sources: One or many of: a file, a folder, a pattern, the bytes of a file, an open
                binary file, a waveform; see `model.sources.recordings`.
            sample_rate: Hz of the waveforms; not needed for files, nor for (rate, array).
            window: Seconds of a row; by default a recording is one row.
            step: Seconds from row to row; by default the window.

        Returns:
            A row for each; a file that cannot be read has the status "error".

        Raises:
            TypeError: A source is nothing of that kind.
            UsageError: A waveform comes without its rate, or window and step make no sense.
            AudioError: A waveform has more than two dimensions, or is no sound.
        """
        return self._rows(sources, sample_rate, self.plan(window=window, step=step))

    def timeline(
        self,
        sources: Any,
        *,
        sample_rate: int | None = None,
        window: float = windows.WINDOW_S,
        step: float = windows.STEP_S,
        joining: Joining = JOINING,
    ) -> Rows:
        """Predict when somebody speaks in each file or waveform, and how it sounds then.

        Args:
            sources: As for `predict`.
            sample_rate: Hz of the waveforms.
            window: Seconds that are heard at once.
            step: Seconds from one window to the next.
            joining: How windows become rows.

        Returns:
            A row for each stretch that sounds alike; none where nobody speaks.

        Raises:
            TypeError: A source is nothing of that kind.
            UsageError: A waveform comes without its rate, or window and step make no sense.
        """
        plan = replace(self.plan(window=window, step=step), joining=joining)
        return self._rows(sources, sample_rate, plan)

    def _rows(self, sources: Any, sample_rate: int | None, plan: windows.Plan) -> Rows:
        found = self.label(recordings(sources, sample_rate), plan)
        return Rows((row for rows in found for row in rows), self.classes)

    def label(
        self, items: Iterable[Found | BinaryIO | Waveform], plan: windows.Plan
    ) -> Iterator[list[Prediction]]:
        """Yield the rows of each recording, in order.

        Short recordings go through the network together, so their rows come in small groups. Of a
        long one, only what the network takes at once is in memory, and its rows.
        """
        votes = Votes(self.classes, lambda: self._priors, self.hearing.min_confidence)
        rows: list[Prediction] = []
        for events in _together(_heard(items, plan)):
            for event in self._counted(events, votes):
                if isinstance(event, windows.Done):
                    yield self._joined(rows, plan)
                    rows = []
                else:
                    rows.append(event)

    @cached_property
    def _priors(self) -> Floats:
        """Probabilities of what nobody is heard in, for which a table of clips may be read."""
        return priors(self.artifacts, self.classes)

    def _joined(self, rows: list[Prediction], plan: windows.Plan) -> list[Prediction]:
        if plan.joining is None:
            return rows
        return timelines(rows, self.classes, plan.joining, self.hearing.min_confidence)

    def _counted(
        self, events: Sequence[Event], votes: Votes
    ) -> Iterator[Prediction | windows.Done]:
        """Yield a row for each stretch, from the votes of its windows, and the ends."""
        pieces = [event.features for event in events if isinstance(event, windows.Piece)]
        found = iter(self.pipeline.probabilities(pieces) if pieces else ())
        for event in events:
            if isinstance(event, windows.Piece):
                votes.add(next(found))
            elif isinstance(event, windows.Stretch):
                yield votes.close(event)
            else:
                votes.clear()
                if event.error:
                    yield from failures(event.file, event.error, event.left)
                yield event


def _together(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield events until so many windows are among them as go through the network at once."""
    held: list[Event] = []
    windows_held = 0
    for event in events:
        held.append(event)
        windows_held += isinstance(event, windows.Piece)
        # Of recordings without windows, too, nobody waits for many.
        if windows_held >= TOGETHER or len(held) >= MOST_EVENTS:
            yield held
            held, windows_held = [], 0
    yield held


def _heard(items: Iterable[Found | BinaryIO | Waveform], plan: windows.Plan) -> Iterator[Event]:
    return (event for item in items for event in windows.hear(item, plan))
