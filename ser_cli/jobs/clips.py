"""Commands about a corpus, and what all commands that take clips have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ser_cli import recipes
from ser_cli.data import corpora
from ser_cli.data.labels import normalise_label
from ser_cli.data.select import Selection
from ser_cli.jobs import (
    NAMES,
    AsJson,
    Data,
    DecoderMemory,
    DecoderSeconds,
    Exclude,
    LabelsAsGiven,
    MaxHours,
    Option,
    PerClass,
    Processes,
    RecipeName,
    Scheduler,
    Seed,
)
from ser_cli.sound.limits import CLIP
from ser_cli.workers import CORES

if TYPE_CHECKING:
    from ser_cli.recipes import Recipe
    from ser_cli.types import Clip


def _fetchable() -> Sequence[str]:
    return [corpus.name for corpus in corpora.known() if corpus.source]


def _fetchable_parts() -> Sequence[str]:
    parts = [part for c in corpora.known() if c.source for part in c.source.archives]
    return [*dict.fromkeys(parts), "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusJob:
    """Which corpora, and for which recipe."""

    data: Data = ()
    recipe: RecipeName = recipes.DEFAULT
    labels_as_given: LabelsAsGiven = False
    encoder: Annotated[
        Path | None,
        Option(
            f"Speech encoder (.onnx, with its .json beside it) in place of that of --recipe "
            f"{recipes.PREDICTING}."
        ),
    ] = None

    @property
    def system(self) -> Recipe:
        """The recipe, with the encoder that was named.

        Raises:
            UsageError: It takes none, or the file is none.
        """
        return recipes.get(self.recipe, self.encoder)

    @property
    def corpora(self) -> tuple[str, ...]:
        """What to load; the default corpus if none is named."""
        return self.data or (corpora.DEFAULT,)

    def clips(self) -> tuple[Clip, ...]:
        """Load them.

        Raises:
            DataError: See `corpora.load`.
        """
        return corpora.load(*self.corpora, as_given=self.labels_as_given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipsJob(CorpusJob):
    """Which of their clips."""

    exclude: Exclude = ()
    per_class: PerClass = None
    seed: Seed = 0

    @property
    def selection(self) -> Selection:
        """The choice of clips, however the emotions are spelled."""
        again = getattr(self, "oversample", ())
        left_out, repeated = (
            tuple(sorted({normalise_label(label) for label in given}))
            for given in (self.exclude, again)
        )
        return Selection(left_out, self.per_class, repeated)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadUsualJob:
    """`ser download-ravdess`: the corpus that all commands use by default."""

    dest: Annotated[Path | None, Option("Where to put the clips.")] = None
    subset: Annotated[str, Option(f"Which part; one of: {NAMES}.", choices=_fetchable_parts)] = (
        "all"
    )
    source: Annotated[
        str | None,
        Option("Take it from a folder, archive or mirror, not its publisher.", flag="--from"),
    ] = None

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return corpora.DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadJob(DownloadUsualJob):
    """`ser download`."""

    corpus: Annotated[str, Option(f"One of: {NAMES}.", argument=True, offered=_fetchable)] = (
        corpora.DEFAULT
    )

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return self.corpus


@dataclass(frozen=True, slots=True, kw_only=True)
class EdaJob(CorpusJob):
    """`ser eda`."""

    out: Annotated[Path, Option("Folder for the tables and pictures.")] = Path("eda")
    bar_plot: Annotated[
        Path | None, Option("File for the plot of clips per emotion; default: in that folder.")
    ] = None
    jobs: Processes = CORES
    as_json: AsJson = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractJob(ClipsJob):
    """`ser extract`."""

    copies: Annotated[int, Option("Augmented copies of each clip.", low=0)] = 0
    table: Annotated[
        Path | None,
        Option(
            "Write the recordings' features as .csv or .parquet: one row per clip, one column "
            "per feature and frame (mfcc_0_0, mfcc_0_1, ...), and label."
        ),
    ] = None
    jobs: Processes = CORES
    scheduler: Scheduler = None
    max_hours: MaxHours = CLIP.hours
    decoder_seconds: DecoderSeconds = CLIP.stall_s
    decoder_memory: DecoderMemory = CLIP.memory_mb
    as_json: AsJson = False
