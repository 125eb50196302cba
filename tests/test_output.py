"""Rows of `ser predict`, as people and as programs get them."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from command import Terminal

from ser_cli.commands import output
from ser_cli.types import Prediction

CLASSES = ("calm", "sad")
GOOD = Prediction("a, b.wav", 0.0, 1.25, "sad", 0.75, np.array([0.25, 0.75], "f4"))
ODD = Prediction(
    "ä.wav", 0.0, 0.1, "calm", 0.9, np.array([0.9, 0.1], "f4"), "warning", ("short", "clipped")
)
BAD = Prediction("c.wav", math.nan, math.nan, "", math.nan, None, "error", error="no sound, sorry")
HEADER = "file,start,end,emotion,confidence,calm,sad,status,flags,error,speaker"


def shown(
    monkeypatch: pytest.MonkeyPatch,
    stream: io.StringIO,
    *,
    as_json: bool = False,
    rows: Sequence[Prediction] = (GOOD, ODD, BAD),
) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    write = output.printer(CLASSES, as_json=as_json)
    for row in rows:
        write(row)
    return stream.getvalue()


def test_a_pipe_gets_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, io.StringIO())
    assert text.splitlines() == [
        HEADER,
        '"a, b.wav",0.0,1.25,sad,0.75,0.25,0.75,ok,,,',
        "ä.wav,0.0,0.1,calm,0.9,0.9,0.1,warning,short;clipped,,",
        'c.wav,,,,,,,error,,"no sound, sorry",',
    ]


def test_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, Terminal(), as_json=True).splitlines()
    good, odd, bad = map(json.loads, lines)
    assert list(good) == HEADER.split(",")
    assert (good["emotion"], good["sad"], good["end"]) == ("sad", 0.75, 1.25)
    assert (odd["flags"], bad["confidence"], bad["error"]) == ("short;clipped", None, BAD.error)
    assert "ä" in lines[1]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    head, good, odd, bad = shown(monkeypatch, Terminal()).splitlines()
    assert head.split() == ["emotion", "confidence", "from", "to", "file"]
    assert good.split() == ["sad", "75%", "0.0s", "1.2s", "a,", "b.wav"]
    assert odd.endswith("ä.wav  (short, clipped)")
    assert bad.split(maxsplit=1) == ["(error)", "c.wav: no sound, sorry"]
    assert head.index("file") == good.index("a, b.wav") == bad.index("c.wav")
    named = replace(BAD, error="in/c.wav: no sound", file="in/c.wav")
    assert shown(monkeypatch, Terminal(), rows=(named,)).count("in/c.wav") == 1
