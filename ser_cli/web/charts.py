"""Charts of the web page, as Vega-Lite: plain data that the visitor's browser draws.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; an emotion has the same
one in every chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ser_cli.model.votes import UNCERTAIN
from ser_cli.report.plotting import BLUE, GREEN, GREY, ORANGE, PINK, RED

if TYPE_CHECKING:
    Spec = dict[str, Any]

SKY, YELLOW = "#56B4E9", "#F0E442"
PALE, PALER = "#B0A8B9", "#D0D0D0"  # of what is no emotion
PAUSE = "no speech"
USUAL = {
    "angry": RED,
    "calm": SKY,
    "disgust": GREEN,
    "fearful": PINK,
    "happy": YELLOW,
    "neutral": GREY,
    "sad": BLUE,
    "surprised": ORANGE,
}
OTHERS = {UNCERTAIN: PALE, PAUSE: PALER}
SHOWN_SHARE = 0.06  # of the pie; a smaller slice has no room for its label
AXIS, LANE = 60, 26  # pixels of an axis with its title, and of each emotion above it
_EDGE = {"stroke": GREY, "strokeWidth": 0.5}  # yellow alone is faint on white


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each emotion: its usual one, else one that is free, else any."""
    free = [shade for name, shade in USUAL.items() if name not in labels] or [*USUAL.values()]
    usual = USUAL | OTHERS
    others = [label for label in labels if label not in usual]
    chosen = {label: free[place % len(free)] for place, label in enumerate(others)}
    return {label: usual.get(label) or chosen[label] for label in labels}


def bars(shares: Mapping[str, float]) -> Spec:
    """Draw probabilities (0..1) as bars, the most probable on top."""
    rows = _ranked(shares)
    axis = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}
    x = {
        "field": "share",
        "type": "quantitative",
        "title": "probability",
        "scale": {"domain": [0, 1.15]},  # room for the number right of a full bar
        "axis": axis,
    }
    return _bars(rows, x, {"field": "share", "format": ".1%"}, [*shares])


def counts(numbers: Mapping[str, int]) -> Spec:
    """Draw how many files have each emotion, in the order given."""
    rows = [{"emotion": label, "files": number} for label, number in numbers.items()]
    x = {
        "field": "files",
        "type": "quantitative",
        "title": "files",
        "scale": {"domain": [0, 1.1 * max(1, *numbers.values())]},
        "axis": {"format": "d", "tickMinStep": 1},
    }
    return _bars(rows, x, {"field": "files", "format": "d"}, [*numbers])


def pie(shares: Mapping[str, float]) -> Spec:
    """Draw probabilities (0..1) as a pie, clockwise from the most probable."""
    rows, at = _ranked(shares), 0.0
    for row in rows:
        row |= {"from": at, "middle": at + row["share"] / 2, "to": at + row["share"]}
        at = row["to"]
    label = {"test": f"datum.share >= {SHOWN_SHARE}", "field": "share", "format": ".0%"}
    legend = {"title": None, "orient": "bottom", "columns": 4, "symbolStrokeWidth": 0}
    # Stacked by Vega, angles have no bounds until its data has come, of which it warns.
    whole = {"type": "quantitative", "stack": None, "scale": {"domain": [0, max(at, 1e-9)]}}
    return {
        "data": {"values": rows},
        "height": 300,
        "layer": [
            {
                "mark": {"type": "arc", "outerRadius": 80, **_EDGE},
                "encoding": {
                    "theta": {"field": "from", **whole},
                    "theta2": {"field": "to"},
                    "color": {**colour(shares), "legend": legend},
                    "tooltip": _tooltip("share", ".1%"),
                },
            },
            {
                "mark": {"type": "text", "radius": 97},
                "encoding": {
                    "theta": {"field": "middle", **whole},
                    "text": {"condition": label, "value": ""},
                },
            },
        ],
    }


def _ranked(shares: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = [{"emotion": label, "share": share} for label, share in shares.items()]
    return sorted(rows, key=lambda row: -row["share"])


def _bars(rows: Sequence[Spec], x: Spec, text: Spec, labels: Sequence[str]) -> Spec:
    field, pattern = text["field"], text["format"]
    return {
        "data": {"values": list(rows)},
        "height": AXIS + LANE * len(rows),
        "encoding": {
            "x": x,
            "y": {"field": "emotion", "type": "nominal", "sort": None, "title": None},
        },
        "layer": [
            {
                "mark": {"type": "bar", **_EDGE},
                "encoding": {
                    "color": {**colour(labels), "legend": None},
                    "tooltip": _tooltip(field, pattern),
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"type": "quantitative", **text}},
            },
        ],
    }


def colour(labels: Sequence[str] | Mapping[str, float]) -> Spec:
    """Return how Vega-Lite colours the field "emotion"."""
    chosen = colours([*labels])
    scale = {"domain": [*chosen], "range": [*chosen.values()]}
    return {"field": "emotion", "type": "nominal", "scale": scale}


def _tooltip(field: str, pattern: str) -> list[Spec]:
    return [
        {"field": "emotion", "type": "nominal"},
        {"field": field, "type": "quantitative", "format": pattern},
    ]
