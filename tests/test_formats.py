"""Rows as other programs read them: golden files, and each read back by a reader of its own."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_cli.errors import UsageError
from ser_cli.report import formats
from ser_cli.types import Prediction

GOLDEN = Path(__file__).parent / "golden" / "rows"
CLASSES = ("angry", "sad")
HOSTILE = 'an"gry & <b>\t-->\nsad\x1b'


def row(start: float, end: float, emotion: str, share: float = 0.75) -> Prediction:
    shares = np.array([share, 1 - share], "f4")
    return Prediction("my calls/talk one.wav", start, end, emotion, share, shares)


PLAIN = [row(0, 2, "angry"), row(2, 4, "sad"), row(4, 5.5, "angry")]
OVERLAPPING = [row(0, 2, "angry"), row(0.5, 2.5, "sad"), row(1.25, 3.25, "sad")]
ODD = [row(1.0005, 2, HOSTILE), row(3, 360_061.0015, "sad")]  # gaps, and a hundred hours
FAILED = Prediction("a.wav", math.nan, math.nan, "", math.nan, None, "error", error="no sound")
CASES = {"plain": PLAIN, "overlapping": OVERLAPPING, "odd": ODD, "failed": [FAILED]}
SPANS: dict[str, list[tuple[float, float, str]]] = {
    "plain": [(0, 2, "angry"), (2, 4, "sad"), (4, 5.5, "angry")],
    "overlapping": [(0, 0.5, "angry"), (0.5, 1.25, "sad"), (1.25, 3.25, "sad")],
    "odd": [(1.0005, 2, 'an"gry & <b> --> sad'), (3, 360_061.0015, "sad")],
    "failed": [],
}


def written(ending: str, case: str) -> str:
    made = formats.FORMATS[ending]
    return made.head(CLASSES) + "".join(made.recording(CASES[case], CLASSES))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "ending", [e for e, made in formats.FORMATS.items() if e != ".ndjson" and not made.whole]
)
def test_files_are_the_golden_ones(ending: str, case: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{case}{ending}"
    if request.config.getoption("--update-golden"):
        path.write_text(written(ending, case), encoding="utf-8", newline="")
    assert written(ending, case) == path.read_bytes().decode()


def seconds(text: str, point: str) -> float:
    found = re.fullmatch(rf"(\d\d+):([0-5]\d):([0-5]\d){re.escape(point)}(\d\d\d)", text)
    assert found, text
    hours, minutes, whole, thousandths = map(int, found.groups())
    return 3600 * hours + 60 * minutes + whole + thousandths / 1000


def read_cues(text: str, point: str) -> list[tuple[float, float, str]]:
    """Read blocks of lines as a player does: times, and the text up to a blank line."""
    cues = []
    for block in text.split("\n\n")[:-1]:
        times, *shown = block.split("\n")
        start, end = times.split(" --> ")
        cues.append((seconds(start, point), seconds(end, point), "\n".join(shown)))
    return cues


def near(found: list[tuple[float, float, str]], case: str, within: float) -> bool:
    truth = SPANS[case]
    return [span[2] for span in found] == [span[2] for span in truth] and np.allclose(
        [span[:2] for span in found], [span[:2] for span in truth], atol=within, rtol=0
    )


@pytest.mark.parametrize("case", CASES)
def test_srt_is_read_back(case: str) -> None:
    text = written(".srt", case)
    numbers = [int(block.split("\n", 1)[0]) for block in text.split("\n\n")[:-1]]
    assert numbers == list(range(1, len(SPANS[case]) + 1))
    bare = "".join(block.split("\n", 1)[1] + "\n\n" for block in text.split("\n\n")[:-1])
    cues = [(a, b, label.replace("->", "-->")) for a, b, label in read_cues(bare, ",")]
    assert near(cues, case, 0.0006)


@pytest.mark.parametrize("case", CASES)
def test_vtt_is_read_back(case: str) -> None:
    head, text = written(".vtt", case).split("\n\n", 1)
    assert head == "WEBVTT"
    cues = read_cues(text, ".")
    for _, _, label in cues:
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", label)
    plain = [
        (a, b, t.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        for a, b, t in cues
    ]
    assert near(plain, case, 0.0006)


def read_textgrid(text: str) -> tuple[float, list[tuple[float, float, str]]]:
    """Read values in their order, as Praat does: it skips all but numbers, texts and flags."""
    values = re.findall(r'"(?:[^"]|"")*"|<exists>|(?<=[= ])-?\d+(?:\.\d+)?$', text, re.M)
    texts = [v[1:-1].replace('""', '"') if v[0] == '"' else v for v in values]
    assert texts[:2] == ["ooTextFile", "TextGrid"]
    low, high, flag, tiers, kind, name, begin, end, count, *rest = texts[2:]
    assert (low, flag, tiers, kind, name, begin) == (
        "0", "<exists>", "1", "IntervalTier", "emotion", "0",
    )  # fmt: skip
    assert high == end and len(rest) == 3 * int(count)
    tiles = [(float(a), float(b), t) for a, b, t in zip(*[iter(rest)] * 3, strict=True)]
    return float(end), tiles


@pytest.mark.parametrize("case", CASES)
def test_textgrid_is_read_back_and_leaves_no_gap(case: str) -> None:
    end, tiles = read_textgrid(written(".TextGrid", case))
    edges = [0.0, *(tile[1] for tile in tiles)]
    assert [tile[0] for tile in tiles] == edges[:-1] and edges[-1] == end
    assert all(b > a for a, b, _ in tiles)
    assert near([tile for tile in tiles if tile[2]], case, 1e-6)


@pytest.mark.parametrize("case", CASES)
def test_rttm_is_read_back(case: str) -> None:
    spans = []
    for line in written(".rttm", case).splitlines():
        kind, file, channel, start, length, a, b, label, c, d = line.split(" ")
        assert (kind, file, channel) == ("SPEAKER", "my_calls/talk_one", "1")
        assert {a, b, c, d} == {"<NA>"}
        spans.append((float(start), float(start) + float(length), label.replace("_", " ")))
    assert near(spans, case, 0.0011)


@pytest.mark.parametrize("case", CASES)
def test_labels_of_audacity_are_read_back(case: str) -> None:
    lines = [line.split("\t") for line in written(".txt", case).splitlines()]
    heard = [row for row in CASES[case] if row.status != "error"]
    assert [(float(a), float(b)) for a, b, _ in lines] == [(r.start, r.end) for r in heard]
    assert [label for _, _, label in lines] == [span[2] for span in SPANS[case]]


@pytest.mark.parametrize("case", CASES)
def test_csv_and_json_lines_say_the_same(case: str) -> None:
    table = list(csv.DictReader(io.StringIO(written(".csv", case), newline="")))
    lines = [json.loads(line) for line in written(".jsonl", case).splitlines()]
    assert len(table) == len(lines) == len(CASES[case])
    for cells, record in zip(table, lines, strict=True):
        assert cells == {k: "" if v is None else str(v) for k, v in record.items()}
    assert written(".ndjson", case) == written(".jsonl", case)


def test_rows_are_written_as_they_come() -> None:
    taken = []

    def rows() -> Iterator[Prediction]:
        for one in PLAIN:
            taken.append(one)
            yield one

    for ending in (".csv", ".jsonl", ".txt"):
        taken.clear()
        pieces = formats.FORMATS[ending].recording(rows(), CLASSES)
        next(pieces)
        assert len(taken) <= 2, ending


def test_speakers_who_talk_at_once_are_both_told() -> None:
    ann, bob = replace(PLAIN[1], speaker="ann"), replace(PLAIN[0], speaker='b"ob', start=1, end=3)
    rows = [replace(PLAIN[0], speaker="ann"), ann, bob]  # 0-2 and 2-4; 1-3

    def told(ending: str) -> str:
        return "".join(formats.FORMATS[ending].recording(rows, CLASSES))

    expected = [(0, 2, "ann: angry"), (1, 3, 'b"ob: angry'), (2, 4, "ann: sad")]
    assert read_cues(told(".vtt"), ".") == expected
    assert '2\n00:00:01,000 --> 00:00:03,000\nb"ob: angry\n' in told(".srt")
    lines = [line.split(" ") for line in told(".rttm").splitlines()]
    assert [line[7] for line in lines] == ["ann:_angry", 'b"ob:_angry', "ann:_sad"]
    assert "2.000000\t4.000000\tann: sad\n" in told(".txt")
    texts = re.findall(r"(?:xmax|name|text) = (.+)", told(".TextGrid"))
    assert texts == [
        "4",
        *('"ann"', "4", "2", '"angry"', "4", '"sad"'),
        *('"b""ob"', "4", "1", '""', "3", '"angry"', "4", '""'),
    ]


def test_an_ending_is_a_format() -> None:
    assert formats.format_of(Path("a.TEXTGRID")) is formats.FORMATS[".TextGrid"]
    for name in ("a", "a.ass", "csv"):
        with pytest.raises(UsageError, match="no format is known"):
            formats.format_of(Path(name))
