"""What the seeds claim, beside what `ser` measured: one table, made from results.csv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser_cli.data.select import Selection
from ser_cli.report.results import as_markdown, origin
from ser_cli.types import Claim

if TYPE_CHECKING:
    from ser_cli.types import Recipe

    Rows = Sequence[dict[str, str]]

SEEDS_WAY, UNSEEN = "random70", "actors21-24"  # protocols
PARTS = (POOLED, SPEECH) = ("speech+song", "speech")
NO_CLAIM = Claim("-")
HEAD = (
    "seed",
    "recipe",
    "clips",
    "its split",
    "claims",
    f"ours, {SEEDS_WAY} (leaky)",
    f"{UNSEEN}, {POOLED}",
    f"{UNSEEN}, {SPEECH}",
    "settings",
)


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy and mean recall, 0..1."""

    war: float
    uar: float


@dataclass(frozen=True, slots=True)
class Line:
    """One claim and one set of settings it was tried with; None where nothing was run.

    Attributes:
        source: The seed.
        recipe: Its name.
        clips: Which of the 2,452 clips the claim, and ours beside it, are about.
        split: How the seed split them.
        claimed: Its accuracy, 0..1; None where it gives none.
        settings_from: As in results.csv; "" where nothing was run.
        ours: Under random70, the same clips.
        pooled: Under actors21-24, all speech and song.
        speech: The same training, speech alone.
    """

    source: str
    recipe: str
    clips: str
    split: str
    claimed: float | None
    settings_from: str
    ours: Score | None
    pooled: Score | None
    speech: Score | None


def lines(rows: Rows, recipes: Iterable[Recipe], *, seed: int = 0) -> tuple[Line, ...]:
    """Return a line for each claim and each set of settings it was tried with, by seed.

    Args:
        rows: Of results.csv.
        recipes: Whose claims to show; one without claims stands for all clips.
        seed: Of the runs.
    """
    mine = [row for row in rows if row["seed"] == str(seed)]
    return tuple(
        line
        for recipe in sorted(recipes, key=lambda recipe: recipe.source)
        for claim in recipe.claims or (NO_CLAIM,)
        for line in _lines(recipe, claim, [r for r in mine if r["recipe"] == recipe.name])
    )


def markdown(found: Sequence[Line]) -> str:
    """Return lines as a Markdown table, in percent: accuracy / UAR."""
    return as_markdown(HEAD, list(map(_cells, found)))


def selection(claim: Claim) -> Selection:
    """Return the choice of clips that a claim is about."""
    return Selection(claim.exclude, claim.per_class)


def percent(score: Score | None) -> str:
    """Return accuracy / UAR in percent, or a dash where nothing was measured."""
    return "-" if score is None else f"{100 * score.war:.1f} / {100 * score.uar:.1f}"


def _lines(recipe: Recipe, claim: Claim, rows: Rows) -> Iterable[Line]:
    chosen = selection(claim)
    asked = {(SEEDS_WAY, chosen.of(POOLED)), (UNSEEN, chosen.of(POOLED))}
    tried = [row for row in rows if (row["protocol"], row["data"]) in asked]
    for settings in dict.fromkeys(row["settings_from"] for row in tried) or ("",):
        same = [row for row in rows if row["settings_from"] == settings]
        yield Line(
            source=recipe.source,
            recipe=recipe.name,
            clips=", ".join(chosen.words()) or "all",
            split=claim.split,
            claimed=claim.scores.get("war"),
            settings_from=settings,
            ours=_score(same, SEEDS_WAY, chosen.of(POOLED)),
            pooled=_score(same, UNSEEN, POOLED),
            speech=_score(same, UNSEEN, SPEECH),
        )


def _score(rows: Rows, protocol: str, data: str) -> Score | None:
    for row in rows:
        if (row["protocol"], row["data"]) == (protocol, data):
            return Score(float(row["war"]), float(row["uar"]))
    return None


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.source,
        f"`{line.recipe}`",
        line.clips,
        line.split,
        "no number" if line.claimed is None else f"{100 * line.claimed:.1f}",
        *map(percent, (line.ours, line.pooled, line.speech)),
        origin(line.settings_from) or "not run yet",
    )
