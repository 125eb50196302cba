"""What the web page draws: outlines, spectra, PNG files and Vega-Lite."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from ser_cli.sound.features import HOP_LENGTH, TOP_DB, mel_decibels, spectrum
from ser_cli.types import Prediction
from ser_cli.web import charts, preview, time_charts

RATE = 16_000
SHARES = {
    "angry": 0.1, "calm": 0.05, "disgust": 0.0, "fearful": 0.2, "happy": 0.5, "neutral": 0.05,
    "sad": 0.06, "surprised": 0.04,
}  # fmt: skip


def sine(hertz: float, seconds: float) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def test_an_outline_keeps_each_peak_in_its_place() -> None:
    wave = np.zeros(1_001, np.float32)
    wave[500], wave[1_000] = 1, -0.5
    low, high = preview.outline(wave, columns=10)
    assert len(low) == len(high) == 10
    assert high.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]  # sample 500 of 1,001
    assert low.tolist() == [0] * 9 + [-0.5]
    low, high = preview.outline(wave[:3], columns=10)
    assert len(low) == 3


def test_a_tone_lies_at_its_frequency() -> None:
    for hertz in (300, 1_000, 4_000):
        levels = preview.mel_levels(sine(hertz, 0.5), RATE)
        assert levels.max() == 0 and levels.min() == -TOP_DB
        band = int(levels.mean(axis=0).argmax())
        assert preview.mel_place(hertz, RATE) == pytest.approx(band + 0.5, abs=1)
    assert preview.mel_place(0, RATE) == -0.5


def test_blocks_make_no_difference() -> None:
    noise = np.random.default_rng(0).standard_normal(40 * RATE, dtype=np.float32)
    n_frames = 1 + len(noise) // HOP_LENGTH
    assert n_frames > 2 * preview.BLOCK_FRAMES
    whole = mel_decibels(spectrum(noise, RATE), preview.N_MELS)
    together = preview.mel_levels(noise, RATE, columns=n_frames)
    np.testing.assert_allclose(together, whole - whole.max(), atol=1e-4)
    pooled = preview.mel_levels(noise, RATE)
    assert len(pooled) <= preview.COLUMNS
    step = -(-n_frames // preview.COLUMNS)
    loudest = [whole[at : at + step].max(axis=0) for at in range(0, n_frames, step)]
    np.testing.assert_allclose(pooled, np.array(loudest) - whole.max(), atol=1e-4)


def test_an_hour_is_drawn_in_little_memory() -> None:
    hour = np.broadcast_to(np.float32(0.1), 600 * RATE)  # ten minutes do
    tracemalloc.start()
    drawn = preview.sketch(hour, RATE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # the whole spectrum would take 77 MB
    assert drawn.seconds == 600 and len(drawn.low) <= preview.COLUMNS


@pytest.mark.parametrize("wave", [np.zeros(RATE, np.float32), np.zeros(1, np.float32)])
def test_silence_is_dark(wave: np.ndarray) -> None:
    assert (preview.mel_levels(wave, RATE) == -TOP_DB).all()


def test_a_picture_is_a_png_with_the_first_band_lowest() -> None:
    from PIL import Image

    levels = np.full((3, 2), -TOP_DB, np.float32)
    levels[1, 0] = 0
    stored = Image.open(io.BytesIO(preview.png(levels)))
    assert (stored.format, stored.mode, stored.size) == ("PNG", "P", (3, 2))
    picture = stored.convert("RGB")
    dark, bright = (tuple(bytes.fromhex(preview.SHADES[end][1:])) for end in (0, -1))
    seen = [[picture.getpixel((x, y)) for x in range(3)] for y in range(2)]
    assert seen == [[dark] * 3, [dark, bright, dark]]


def test_the_page_draws_without_matplotlib() -> None:
    code = (
        "import sys, numpy as np; from ser_cli.web import preview, time_charts;"
        "time_charts.mel(preview.sketch(np.zeros(9, np.float32), 16_000));"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shades_are_cividis() -> None:
    import matplotlib

    known = matplotlib.colormaps["cividis"](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(preview.palette(preview.SHADES) - known).max() < 11


def test_every_emotion_has_its_colour() -> None:
    assert charts.colours([*SHARES]) == charts.USUAL
    assert len(set(charts.colours([*SHARES]).values())) == 8
    own = charts.colours(["bored", "sad", "tired"])
    assert own["sad"] == charts.USUAL["sad"] and len(set(own.values())) == 3
    assert len(charts.colours([str(n) for n in range(20)])) == 20
    assert charts.colours(["bored", charts.PAUSE])[charts.PAUSE] == charts.PALER


def drawn() -> preview.Sketch:
    return preview.sketch(sine(440, 1.5), RATE)


STRETCHES = [
    Prediction("a", start, start + 2, "sad", 0.75, np.array([0.25, 0.75], np.float32))
    for start in (0.5, 4.0)
]


@pytest.mark.parametrize(
    "spec",
    [
        time_charts.timeline(STRETCHES, ("calm", "sad"), 7.0),
        time_charts.timeline([], ("calm", "sad"), 7.0),
        charts.bars(SHARES),
        charts.pie(SHARES),
        charts.counts({"happy": 2, "sad": 0}),
        charts.counts({"happy": 0}),
        time_charts.waveform(drawn()),
        time_charts.mel(drawn()),
        time_charts.waveform(preview.sketch(np.zeros(9, np.float32), RATE)),
    ],
)
def test_charts_are_vega_lite_with_named_axes(spec: dict[str, Any]) -> None:
    import altair

    altair.Chart.from_dict(spec)  # checks it against Vega-Lite's schema
    for axis in ("x", "y"):
        encoding: Mapping[str, Any] = spec.get("encoding", {}).get(axis, {})
        if encoding.get("type") == "quantitative":
            assert encoding["title"]


def test_the_most_probable_comes_first() -> None:
    for spec in (charts.bars(SHARES), charts.pie(SHARES)):
        rows = spec["data"]["values"]
        assert [row["emotion"] for row in rows][:3] == ["happy", "fearful", "angry"]
        assert {row["emotion"]: row["share"] for row in rows} == SHARES


def test_counts_keep_their_order() -> None:
    rows = charts.counts({"sad": 1, "happy": 7})["data"]["values"]
    assert rows == [{"emotion": "sad", "files": 1}, {"emotion": "happy", "files": 7}]


def test_both_pictures_have_the_same_seconds() -> None:
    scales = [
        spec["encoding"]["x"] for spec in (time_charts.waveform(drawn()), time_charts.mel(drawn()))
    ]
    assert [(x["title"], x["scale"]["domain"]) for x in scales] == [("time (s)", [0, 1.5])] * 2
    axis = time_charts.mel(drawn())["encoding"]["y"]["axis"]
    assert max(axis["values"]) <= preview.N_MELS and axis["labelExpr"].count("'8000'") == 1


def test_a_timeline_has_a_lane_for_each_emotion_and_for_pauses() -> None:
    unsure = replace(STRETCHES[1], emotion="uncertain", confidence=0.5)
    spec = time_charts.timeline([STRETCHES[0], unsure], ("calm", "sad"), 7.0)
    rows = [(row["from"], row["to"], row["emotion"]) for row in spec["data"]["values"]]
    assert rows == [
        *((0.5, 2.5, "sad"), (4.0, 6.0, "uncertain")),
        *((0.0, 0.5, "no speech"), (2.5, 4.0, "no speech"), (6.0, 7.0, "no speech")),
    ]
    lanes = spec["encoding"]["y"]["scale"]["domain"]
    assert lanes == ["sad", "uncertain", "no speech"]  # calm is not heard
    shades = spec["encoding"]["color"]["scale"]
    assert shades["domain"] == lanes and shades["range"][0] == charts.USUAL["sad"]
    assert spec["encoding"]["x"]["scale"]["domain"] == [0, 7.0]


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [(61.0, [0, 15, 30, 45, 60]), (600.0, [0, 120, 240, 360, 480, 600]), (86_400.0, 7)],
)
def test_minutes_have_ticks_that_a_phone_has_room_for(seconds: float, ticks: Any) -> None:
    x = time_charts.timeline([], ("calm", "sad"), seconds)["encoding"]["x"]
    assert x["title"] == "time (min:s)"
    shown = x["axis"]["values"]
    assert (len(shown) if isinstance(ticks, int) else shown) == ticks


def test_a_pie_is_whole_and_bounded() -> None:
    rows = charts.pie(SHARES)["data"]["values"]
    assert rows[0]["from"] == 0 and rows[-1]["to"] == pytest.approx(1)
    assert all(row["to"] == after["from"] for row, after in pairwise(rows))
