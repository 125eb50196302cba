"""Charts of the web page, as Vega-Lite: plain data that the visitor's browser draws.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; an emotion has the same
one in every chart.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ser_cli.report.plotting import BLUE, GREEN, GREY, ORANGE, PINK, RED
from ser_cli.sound.features import TOP_DB
from ser_cli.web.preview import N_MELS, SHADES, mel_place

if TYPE_CHECKING:
    from ser_cli.types import Prediction
    from ser_cli.web.preview import Sketch

    Spec = dict[str, Any]

SKY, YELLOW = "#56B4E9", "#F0E442"
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
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)
SHOWN_SHARE = 0.06  # of the pie; a smaller slice has no room for its label
_EDGE = {"stroke": GREY, "strokeWidth": 0.5}  # yellow alone is faint on white
_MARGIN = 48  # pixels left of both pictures, so that their seconds stand below each other


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each emotion: its usual one, else one that is free, else any."""
    free = [shade for name, shade in USUAL.items() if name not in labels] or [*USUAL.values()]
    others = [label for label in labels if label not in USUAL]
    chosen = {label: free[place % len(free)] for place, label in enumerate(others)}
    return {label: USUAL.get(label) or chosen[label] for label in labels}


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
    rows = [row | {"rank": rank} for rank, row in enumerate(_ranked(shares))]
    label = {"test": f"datum.share >= {SHOWN_SHARE}", "field": "share", "format": ".0%"}
    legend = {"title": None, "orient": "bottom", "columns": 4, "symbolStrokeWidth": 0}
    return {
        "data": {"values": rows},
        "height": 300,
        "encoding": {
            "theta": {"field": "share", "type": "quantitative", "stack": True},
            "order": {"field": "rank", "type": "quantitative"},
        },
        "layer": [
            {
                "mark": {"type": "arc", "outerRadius": 80, **_EDGE},
                "encoding": {
                    "color": {**_colour(shares), "legend": legend},
                    "tooltip": _tooltip("share", ".1%"),
                },
            },
            {
                "mark": {"type": "text", "radius": 97},
                "encoding": {"text": {"condition": label, "value": ""}},
            },
        ],
    }


def waveform(drawn: Sketch) -> Spec:
    """Draw the outline of a recording over time."""
    width = drawn.seconds / len(drawn.low)
    ends = zip((100 * drawn.low).tolist(), (100 * drawn.high).tolist(), strict=True)
    rows = [
        {"t": round((place + 0.5) * width, 4), "low": round(low, 2), "high": round(high, 2)}
        for place, (low, high) in enumerate(ends)
    ]
    top = max(0.01, *(max(-row["low"], row["high"]) for row in rows))
    digit = 10 ** math.floor(math.log10(top))
    tick = round(top // digit * digit, 2)
    return {
        "data": {"values": rows},
        "height": 190,
        "mark": {"type": "area", "color": BLUE, "line": False},
        "encoding": {
            "x": {"field": "t", **_seconds(drawn.seconds)},
            "y": {
                "field": "low",
                "type": "quantitative",
                "title": "% of full scale",
                "scale": {"domain": [-top, top], "nice": False},
                "axis": {"values": [-tick, 0, tick], "minExtent": _MARGIN},
            },
            "y2": {"field": "high"},
        },
    }


def mel(drawn: Sketch) -> Spec:
    """Draw the log-mel spectrum of a recording over time, with the meaning of its colours."""
    address = "data:image/png;base64," + base64.b64encode(drawn.mel_png).decode()
    known = [hertz for hertz in TICKS_HZ if hertz <= drawn.sample_rate / 2]
    places = {min(N_MELS, mel_place(hertz, drawn.sample_rate)): hertz for hertz in known}
    label = " : ".join(f"abs(datum.value - {at}) < 0.01 ? '{hz}'" for at, hz in places.items())
    levels = {
        "field": "level",
        "type": "quantitative",
        "scale": {"domain": [-TOP_DB, 0], "range": list(SHADES)},
        "legend": {
            "title": "level (dB below the loudest)",
            "orient": "bottom",
            "direction": "horizontal",
            "gradientLength": 180,
            "values": [-TOP_DB, -TOP_DB / 2, 0],
            "titleLimit": 260,
        },
    }
    row = {"url": address, "from": 0, "to": drawn.seconds, "low": 0, "high": N_MELS, "level": 0}
    frequency = {
        "field": "low",
        "type": "quantitative",
        "title": "frequency (Hz)",
        "scale": {"domain": [0, N_MELS], "nice": False},
        "axis": {
            "values": list(places),
            "labelExpr": f"{label} : ''",
            "labelOverlap": False,
            "grid": False,
            "minExtent": _MARGIN,
        },
    }
    return {
        "data": {"values": [row]},
        "height": 320,
        "encoding": {"x": {"field": "from", **_seconds(drawn.seconds)}, "y": frequency},
        "layer": [
            {
                "mark": {"type": "image", "aspect": False},
                "encoding": {
                    "url": {"field": "url", "type": "nominal"},
                    "x2": {"field": "to"},
                    "y2": {"field": "high"},
                },
            },
            # Nothing to see: it is there for the legend.
            {"mark": {"type": "point", "opacity": 0}, "encoding": {"color": levels}},
        ],
    }


def timeline(rows: Sequence[Prediction], labels: Sequence[str], seconds: float) -> Spec:
    """Draw the probabilities of each stretch in which somebody speaks, over time.

    Args:
        rows: Of the stretches.
        labels: Names of the probabilities.
        seconds: Length of the recording.
    """
    values = [
        {"from": row.start, "to": row.end, "emotion": label, "share": round(share, 3)}
        for row in rows
        if row.probabilities is not None
        for label, share in zip(labels, row.probabilities.tolist(), strict=True)
    ]
    share = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": list(SHADES)},
        "legend": {
            "title": "probability (empty: nobody speaks)",
            "orient": "bottom",
            "direction": "horizontal",
            "gradientLength": 180,
            "titleLimit": 260,
        },
    }
    return {
        "data": {"values": values},
        "height": 130 + 22 * len(labels),  # axis and legend are in it
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "from", **_seconds(seconds)},
            "x2": {"field": "to"},
            "y": {
                "field": "emotion",
                "type": "nominal",
                "title": None,
                "scale": {"domain": [*labels]},
                "axis": {"minExtent": _MARGIN},
            },
            "color": share,
            "tooltip": [
                *_tooltip("share", ".0%"),
                {"field": "from", "type": "quantitative", "format": ".1f"},
                {"field": "to", "type": "quantitative", "format": ".1f"},
            ],
        },
    }


def _ranked(shares: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = [{"emotion": label, "share": share} for label, share in shares.items()]
    return sorted(rows, key=lambda row: -row["share"])


def _bars(rows: Sequence[Spec], x: Spec, text: Spec, labels: Sequence[str]) -> Spec:
    field, pattern = text["field"], text["format"]
    return {
        "data": {"values": list(rows)},
        "height": {"step": 26},
        "encoding": {
            "x": x,
            "y": {"field": "emotion", "type": "nominal", "sort": None, "title": None},
        },
        "layer": [
            {
                "mark": {"type": "bar", **_EDGE},
                "encoding": {
                    "color": {**_colour(labels), "legend": None},
                    "tooltip": _tooltip(field, pattern),
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"type": "quantitative", **text}},
            },
        ],
    }


def _colour(labels: Sequence[str] | Mapping[str, float]) -> Spec:
    chosen = colours([*labels])
    scale = {"domain": [*chosen], "range": [*chosen.values()]}
    return {"field": "emotion", "type": "nominal", "scale": scale}


def _tooltip(field: str, pattern: str) -> list[Spec]:
    return [
        {"field": "emotion", "type": "nominal"},
        {"field": field, "type": "quantitative", "format": pattern},
    ]


def _seconds(length: float) -> Spec:
    return {
        "type": "quantitative",
        "title": "time (s)",
        "scale": {"domain": [0, length], "nice": False},
        "axis": {"tickCount": 6, "grid": False},
    }
