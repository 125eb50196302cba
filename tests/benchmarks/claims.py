"""What the documents of the reference systems claim, beside the rows of results.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.tables import markdown
from ser_cli.data.select import ALL, Selection
from ser_cli.report.results import origin

Row = Mapping[str, str]

PROTOCOLS = (RANDOM, UNSEEN) = "random70", "actors21-24"  # their own way, and ours
POOLED, SPEECH = "speech+song", "speech"
HEAD = (
    "recipe",
    "document",
    "clips",
    "its split",
    "claims",
    f"ours, {RANDOM} (leaky)",
    f"{UNSEEN}, {POOLED}",
    f"{UNSEEN}, {SPEECH}",
    "settings",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a document says its system reaches on RAVDESS, speech and song.

    Attributes:
        recipe: Ours of that system.
        document: Its title.
        split: How it parted the clips, in a few words.
        accuracy: 0..1; None where it gives no number.
        clips: Which it took.
    """

    recipe: str
    document: str
    split: str
    accuracy: float | None = None
    clips: Selection = ALL


FIRST, LAST = "Speech Emotion Classification", "Speech Emotion Recognition"
CLAIMS = (
    Claim("mfcc-mlp", FIRST, "not stated"),  # "did not meet the required accuracy"
    Claim("logmel-cnn", FIRST, "not stated", 0.7726),
    Claim("mfcc-cnn1d", "Emotion Detection from Speech", "not stated", 0.9393),
    Claim("cnn-bilstm", "Emotion classifier prediction project", "random 70/15/15", 0.801),
    Claim(
        "stats-dense",
        "Emotion Classification on Speech Data",
        "random 80/20",
        0.8028,
        Selection(("sad",), per_class=300),
    ),
    Claim("cnn-lstm-attention", LAST, "random 80/20", 0.8542),
    Claim("cnn-lstm-attention", LAST, "random 80/20", 0.7931, Selection(("neutral",))),
)
RECIPES = tuple(dict.fromkeys(claim.recipe for claim in CLAIMS))


def named(clips: Selection) -> str:
    """Name speech and song of a choice of clips as results.csv does."""
    return clips.of(POOLED)


def lines(
    rows: Sequence[Row], claims: Sequence[Claim] = CLAIMS, *, seed: int = 0
) -> list[tuple[str, ...]]:
    """Return the cells of the table, a line for each claim and the settings it was tried with.

    Args:
        rows: Of results.csv.
        claims: To be shown, in this order.
        seed: Of the runs.
    """
    mine = [row for row in rows if row["seed"] == str(seed)]
    return [line for claim in claims for line in _lines(claim, mine)]


def table(rows: Sequence[Row]) -> str:
    """Return the table of docs/systems.md: accuracy / UAR in percent."""
    return markdown(HEAD, [(f"`{recipe}`", *others) for recipe, *others in lines(rows)])


def _lines(claim: Claim, rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    clips = named(claim.clips)
    scores = {
        (row["settings_from"], row["protocol"], row["data"]): " / ".join(
            f"{100 * float(row[name]):.1f}" for name in ("war", "uar")
        )
        for row in rows
        if row["recipe"] == claim.recipe
    }
    # Trained with all clips, a network answers no claim about some of them.
    tried = [key[0] for key in scores if key[1:] in ((RANDOM, clips), (UNSEEN, clips))]
    for settings in dict.fromkeys(tried) or ("",):
        measured = ((RANDOM, clips), (UNSEEN, POOLED), (UNSEEN, SPEECH))
        yield (
            claim.recipe,
            claim.document,
            ", ".join(claim.clips.describe()) or "all",
            claim.split,
            f"{100 * claim.accuracy:.1f}" if claim.accuracy else "no number",
            *(scores.get((settings, *which), "-") for which in measured),
            origin(settings) or "not run yet",
        )
