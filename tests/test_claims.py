"""The table of what the seeds claim: each claim beside the rows that answer it, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ser_cli import recipes
from ser_cli.report import claims, results
from ser_cli.types import Claim

PLAIN = replace(recipes.get("mfcc-mlp"), name="a", source="S9", claims=(Claim("80/20"),))
CAPPED = Claim("80/20", {"war": 0.8}, exclude=("sad",), per_class=300)


def row(
    protocol: str, data: str, *, war: float, uar: float = 0.5, settings: str = "defaults",
    recipe: str = "a", seed: int = 0,
) -> dict[str, str]:  # fmt: skip
    named = {"recipe": recipe, "protocol": protocol, "data": data, "seed": str(seed)}
    return named | {"settings_from": settings, "war": str(war), "uar": str(uar)}


def test_all_that_the_seeds_claim_is_there() -> None:
    # The numbers of the documents, as the list of the seeds' features gives them.
    found = {
        (recipe.source, claim.scores.get("war"), claim.exclude, claim.per_class)
        for recipe in map(recipes.get, recipes.names())
        for claim in recipe.claims
    }
    assert found == {
        ("S0a", None, (), None),
        ("S0b", 0.7726, (), None),
        ("S1", 0.9393, (), None),
        ("S2", 0.801, (), None),
        ("S3", 0.8028, ("sad",), 300),
        ("S4", 0.8542, (), None),
        ("S4", 0.7931, ("neutral",), None),
    }


def test_a_claim_stands_beside_the_same_clips() -> None:
    recipe = replace(PLAIN, claims=(Claim("80/20", {"war": 0.7}), CAPPED))
    rows = [
        row("random70", "speech+song", war=0.04, recipe="b"),
        row("random70", "speech+song", war=0.61),
        row("random70", "speech", war=0.01),
        row("random70", "speech+song, no sad, at most 300 a class", war=0.62),
        row("random70", "speech+song, no sad", war=0.02),
        row("actors21-24", "speech+song", war=0.63),
        row("actors21-24", "speech", war=0.64),
        row("actors21-24", "song", war=0.03),
        row("random70", "speech+song", war=0.05, seed=1),
    ]
    whole, capped = claims.lines(rows, [recipe])
    assert (whole.claimed, whole.clips, whole.split) == (0.7, "all", "80/20")
    assert (capped.claimed, capped.clips) == (0.8, "no sad, at most 300 a class")
    assert [whole.ours, capped.ours] == [claims.Score(0.61, 0.5), claims.Score(0.62, 0.5)]
    for line in (whole, capped):
        assert (line.pooled, line.speech) == (claims.Score(0.63, 0.5), claims.Score(0.64, 0.5))
    (other,) = claims.lines(rows, [PLAIN], seed=1)
    assert other.ours == claims.Score(0.05, 0.5) and other.pooled is None


def test_each_settings_tried_have_a_line_of_their_own() -> None:
    rows = [
        row("random70", "speech+song", war=0.5),
        row("random70", "speech+song", war=0.6, settings="study x"),
        row("actors21-24", "speech+song", war=0.4, settings="study x"),
        row("actors21-24", "speech+song", war=0.1, settings="not yet under random70"),
    ]
    plain, tuned, half = claims.lines(rows, [PLAIN])
    assert (plain.settings_from, plain.pooled) == ("defaults", None)
    assert (tuned.settings_from, tuned.pooled) == ("study x", claims.Score(0.4, 0.5))
    assert (half.ours, half.pooled) == (None, claims.Score(0.1, 0.5))
    # Trained with all clips, they answer no claim about some.
    (capped,) = claims.lines(rows, [replace(PLAIN, claims=(CAPPED,))])
    assert (capped.settings_from, capped.ours, capped.pooled) == ("", None, None)


@pytest.mark.parametrize("made", [(), (Claim("-"),)], ids=["no claim", "no number"])
def test_what_was_not_run_is_said(made: tuple[Claim, ...]) -> None:
    (line,) = claims.lines([], [replace(PLAIN, claims=made)])
    assert (line.claimed, line.settings_from, line.ours) == (None, "", None)
    cells = claims.markdown([line]).splitlines()[2]
    assert cells == "| S9 | `a` | all | - | no number | - | - | - | not run yet |"


def test_markdown_shows_percent_by_seed() -> None:
    first = replace(PLAIN, name="b", source="S1", claims=(Claim("80/20", {"war": 0.8028}),))
    rows = [row("random70", "speech+song", war=0.8126, uar=0.7, recipe="b", settings="study b 3")]
    lines = claims.markdown(claims.lines(rows, [PLAIN, first])).splitlines()
    assert [line.count("|") for line in lines] == [10] * 4
    assert lines[2] == "| S1 | `b` | all | 80/20 | 80.3 | 81.3 / 70.0 | - | - | study |"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ("defaults", "defaults"),
        ("defaults with epochs=1, copies=0", "defaults with epochs=1, copies=0"),
        ("study cnn-bilstm-v1", "study"),
        ("study cnn-bilstm-v1 with epochs=1", "study with epochs=1"),
        ("masks and 3 copies with epochs=1", "masks and 3 copies with epochs=1"),
        ("", ""),
    ],
)
def test_what_was_changed_is_always_shown(settings: str, shown: str) -> None:
    assert results.origin(settings) == shown
