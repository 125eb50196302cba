"""Charts of a recording over time, as Vega-Lite: waveform, spectrum, and who sounds like what."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ser_cli.model.votes import UNCERTAIN
from ser_cli.report.plotting import BLUE
from ser_cli.sound.features import TOP_DB
from ser_cli.web.charts import AXIS, LANE, PAUSE, colour
from ser_cli.web.preview import N_MELS, SHADES, mel_place

if TYPE_CHECKING:
    from ser_cli.types import Prediction
    from ser_cli.web.preview import Sketch

    Spec = dict[str, Any]

MINUTE_S = 60.0  # what is longer is told in minutes and seconds
TICKS_S = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
MOST_TICKS = 6  # that a phone has room for
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)
_IS_PAUSE = f"datum.emotion == '{PAUSE}'"  # which hides no speech behind an edge
_MARGIN = 60  # pixels left of the pictures, so that their seconds stand below each other


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
            "x": {"field": "t", **_time(drawn.seconds)},
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
        "encoding": {"x": {"field": "from", **_time(drawn.seconds)}, "y": frequency},
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
    """Draw when each emotion is heard, a lane for each, and when nobody speaks.

    Args:
        rows: Of the stretches in which somebody speaks, in their order.
        labels: Emotions there may be.
        seconds: Length of the recording.
    """
    heard = [row for row in rows if row.probabilities is not None]
    values = [
        {"from": row.start, "to": row.end, "emotion": row.emotion, "share": row.confidence}
        for row in heard
    ]
    pauses = [{"from": start, "to": end, "emotion": PAUSE} for start, end in gaps(heard, seconds)]
    found = {row["emotion"] for row in values}
    lanes = [*(name for name in (*labels, UNCERTAIN) if name in found), PAUSE]
    tooltip = [
        {"field": "emotion", "type": "nominal"},
        {"field": "share", "type": "quantitative", "format": ".0%"},
        {"field": "from", "type": "quantitative", "format": ".1f"},
        {"field": "to", "type": "quantitative", "format": ".1f"},
    ]
    return {
        "data": {"values": values + pauses},
        "height": AXIS + LANE * len(lanes),
        # In an hour, a second is less than a pixel; its edge is still seen.
        "mark": "rect",
        "encoding": {
            "x": {"field": "from", **_time(seconds)},
            "x2": {"field": "to"},
            "y": {
                "field": "emotion",
                "type": "nominal",
                "scale": {"domain": lanes},
                "title": None,
                "axis": {"minExtent": _MARGIN},
            },
            "color": {**colour(lanes), "legend": None},
            "stroke": {**colour(lanes), "legend": None},
            "strokeWidth": {"condition": {"test": _IS_PAUSE, "value": 0}, "value": 0.7},
            "tooltip": tooltip,
        },
    }


def gaps(rows: Sequence[Prediction], seconds: float) -> list[tuple[float, float]]:
    """Return when none of the rows, which are in their order, is: start and end in seconds."""
    found, at = [], 0.0
    for row in rows:
        if row.start > at:
            found.append((at, row.start))
        at = max(at, row.end)
    return [*found, (at, seconds)] if seconds > at else found


def _time(length: float) -> Spec:
    """Return an axis of time with few enough ticks for a phone: seconds, or minutes:seconds."""
    axis: Spec = {"tickCount": MOST_TICKS, "grid": False}
    if length > MINUTE_S:
        step = next((step for step in TICKS_S if length / step <= MOST_TICKS), TICKS_S[-1])
        axis["values"] = [place * step for place in range(int(length // step) + 1)]
        seconds = "format(datum.value % 60, '02d')"
        axis["labelExpr"] = f"floor(datum.value / 60) + ':' + {seconds}"
    return {
        "type": "quantitative",
        "title": "time (min:s)" if length > MINUTE_S else "time (s)",
        "scale": {"domain": [0, length], "nice": False},
        "axis": axis,
    }
