from __future__ import annotations

import base64
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import pytest

from ser_cli.report.evaluation import Evaluation
from ser_cli.report.html import PageContent, WorstError, render, worst_errors
from ser_cli.report.metrics import Subgroup, score
from ser_cli.types import Clip, Segment

EVIL = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "link", "br"}


def content(**changes: Any) -> PageContent:
    report = score(
        np.array([0, 0, 0, 1, 1]), np.eye(2)[[0, 0, 1, 1, 1]], labels=("calm", "sad"), resamples=50
    )
    evaluation = Evaluation(
        title="cnn_bilstm",
        protocol="actors21-24",
        reports=(("all", changes.pop("report", report)),),
        clips=(),
        truth=np.array([0, 1, 1]),
        probabilities=np.eye(2, dtype=np.float32)[[0, 1, 0]],
        audit=("0 of 4 test speakers are in training",),
    )
    page = PageContent(
        evaluation, data="RAVDESS speech", command="ser evaluate --report", date="2026-11-26"
    )
    own = {
        name: changes.pop(name) for name in {"data", "command", "subgroups", "worst"} & {*changes}
    }
    return replace(page, evaluation=replace(evaluation, **changes), **own)


class Page(HTMLParser):
    """Reads a page, and fails where tags do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)
        self.close()
        self.words = " ".join(self.words.split())
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_headline_numbers_with_intervals_and_protocol() -> None:
    made = content()
    words = Page(render(made)).words
    low, high = made.evaluation.report.intervals["uar"]
    assert f"83.3% [{100 * low:.1f}, {100 * high:.1f}]" in words
    assert "80.0%" in words  # accuracy
    assert "Protocol actors21-24 on RAVDESS speech; 2 classes. Tested on 2026-11-26." in words
    assert "by chance 50.0%" in words and "always the largest class 60.0%" in words
    assert "bootstrap intervals over clips" in words
    assert "0 of 4 test speakers are in training" in words
    assert "ser evaluate --report" in words


def test_files_beside_the_page_are_linked() -> None:
    made = replace(content(), beside={"a.csv": "each clip", "b.png": "for a paper"})
    page = Page(render(made))
    assert [link["href"] for link in page.all("a")] == ["a.csv", "b.png"]
    assert "Beside this page: a.csv (each clip), b.png (for a paper)." in page.words


def test_a_leaky_split_is_said_loudly_and_no_other() -> None:
    assert "Leaky split" in Page(render(content(leaky=True))).words
    assert "Leaky split" not in Page(render(content())).words


def test_classes_without_a_clip_are_said_above_the_numbers() -> None:
    truth = np.array([0, 0, 2])
    partial = score(truth, np.eye(4)[[0, 2, 2]], labels=("a", "<b>", "c", "d"), resamples=9)
    words = Page(render(content(report=partial))).words
    assert "No test clip is <b> or d: UAR is the mean recall over the 2 of 4 classes" in words
    assert words.index("Not all classes") < words.index("UAR (mean recall) over the 2 of 4")
    assert "Not all classes" not in Page(render(content())).words


def test_everything_is_escaped() -> None:
    made = content(
        title=EVIL,
        protocol=EVIL,
        data=EVIL,
        audit=(EVIL,),
        command=EVIL,
        notes=(EVIL,),
        settings={EVIL: EVIL},
        versions={EVIL: EVIL},
        subgroups={EVIL: (Subgroup(EVIL, 1, 1, 0.5, 0.5), Subgroup("b", 1, 1, 0.5, 0.5))},
        worst=(WorstError(Segment(Path("a&'\"b.wav")), EVIL, EVIL, 0.9),),
        report=replace(content().evaluation.report, labels=("<i>&", "sad")),
    )
    page = Page(render(made, folder=Path()))
    assert page.all("script") == page.all("i") == []
    assert page.words.count(EVIL) == 16  # every field, and title and protocol twice
    assert "<i>&" in page.words
    assert page.all("audio")[0]["aria-label"] == "a&'\"b.wav"


def test_a_script_in_a_name_is_inert() -> None:
    evil = '\'" onload="<script>'
    scores = score(np.array([0, 1]), np.eye(2), labels=(evil, "sad"), resamples=2)
    wrong = WorstError(Segment(Path(evil)), evil, evil, 0.9)
    made = content(command=evil, report=scores, worst=(wrong,))
    page = Page(render(made, folder=Path()))
    assert page.all("script") == []
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert page.words.count(evil) == 10  # 3 in pictures, 3 in tables, 4 below
    player = page.all("audio")[0]
    assert player["aria-label"] == unquote(player["src"] or "") == evil


def test_what_turns_a_line_or_is_no_character_is_an_escape() -> None:
    evil = "\x1b[31m\u202egnp\udcff.wav"
    scores = score(np.array([0, 1]), np.eye(2), labels=(evil, "sad"), resamples=2)
    wrong = WorstError(Segment(Path(evil)), evil, evil, 0.9)
    made = content(title=evil, audit=("two\nlines",), report=scores, worst=(wrong,))
    text = render(made, folder=Path())
    assert not {"\x1b", "\u202e", "\udcff"} & set(text)
    assert "\\x1b[31m\\u202egnp\\xff.wav" in text and "two\nlines" in text
    if os.name == "posix":  # where a name is its bytes
        source = Page(text).all("audio")[0]["src"] or ""
        assert unquote_to_bytes(source) == os.fsencode(evil)


def test_nothing_outside_is_asked_for() -> None:
    made = content(worst=(WorstError(Segment(Path("x.wav")), "calm", "sad", 0.9),))
    page = Page(render(made, folder=Path()))
    wanted = [v for _, a in page.tags for k, v in a.items() if k in {"src", "href", "xlink:href"}]
    assert wanted and all(re.match(r"(#|data:|x\.wav)", value or "") for value in wanted)
    assert "@import" not in render(made) and "url(http" not in render(made)


def test_language_title_and_alternative_texts() -> None:
    html = render(content(history=[{"epoch": 1, "loss": 1.0, "accuracy": 0.5}], chosen_epoch=1))
    page = Page(html)
    assert page.all("html") == [{"lang": "en"}]
    assert "<title>cnn_bilstm: actors21-24</title>" in html
    pictures = [a for _, a in page.tags if a.get("role") == "img"]
    assert len(pictures) == len(page.all("svg")) == 4
    assert all(a["aria-label"] for a in pictures)
    assert "weights of epoch 1 were saved" in page.words


def test_ids_are_unique() -> None:
    made = content(history=[{"epoch": 1, "loss": 1.0, "accuracy": 0.5}])
    ids = [a["id"] for _, a in Page(render(made)).tags if "id" in a]
    assert len(ids) == len(set(ids)) > 0


def test_parts_that_are_not_known_are_left_out() -> None:
    words = Page(render(content(audit=(), subgroups={"sex": (Subgroup("f", 5, 2, 1, 1),)}))).words
    for heading in ("Leak audit", "Training", "Subgroups", "Worst errors"):
        assert heading not in words


def test_subgroups() -> None:
    rows = (Subgroup("female", 3, 2, 0.75, 0.5), Subgroup("male", 2, 1, 0.25, 0.125))
    words = Page(render(content(subgroups={"sex": rows}))).words
    assert "sexUARWARclipsclasses female75.0%50.0%32 male25.0%12.5%21" in words


def test_same_content_same_page() -> None:
    assert render(content()) == render(content())


def worst(path: Path) -> PageContent:
    return content(worst=(WorstError(Segment(path), "calm", "sad", 0.93),))


def test_sound_is_linked_relative_to_the_page(tmp_path: Path) -> None:
    made = worst(tmp_path / "clips" / "my #1.wav")
    page = Page(render(made, folder=tmp_path / "report"))
    assert page.all("audio")[0]["src"] == "../clips/my%20%231.wav"
    assert str(tmp_path) not in render(made, folder=tmp_path)
    assert "calm taken for sad (confidence 93%)my #1.wav" in page.words


def test_sound_is_linked_absolutely_where_the_page_has_no_place(tmp_path: Path) -> None:
    page = Page(render(worst(tmp_path / "a b.wav")))
    assert page.all("audio")[0]["src"] == (tmp_path / "a b.wav").resolve().as_uri()


@pytest.mark.parametrize(("name", "kind"), [("a.wav", "audio/wav"), ("a.FLAC", "audio/flac")])
def test_sound_is_put_in_only_on_request(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"voice")
    voice = base64.b64encode(b"voice").decode()
    made = worst(tmp_path / name)
    assert voice not in render(made)
    source = Page(render(made, with_audio=True)).all("audio")[0]["src"]
    assert source == f"data:{kind};base64,{voice}"


def test_worst_errors_are_wrong_and_the_surest_come_first() -> None:
    clips = [Clip(path=Path(f"{n}.wav")) for n in range(5)]
    truth = np.array([0, 0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.45, 0.55], [0.4, 0.6]])
    found = worst_errors(clips, truth, probabilities, ("calm", "sad"), limit=2)
    assert found == (
        WorstError(Segment(Path("2.wav")), "sad", "calm", 0.8),
        WorstError(Segment(Path("1.wav")), "calm", "sad", 0.7),
    )
    assert len(worst_errors(clips, truth, probabilities, ("calm", "sad"))) == 3
