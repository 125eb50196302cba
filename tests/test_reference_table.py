"""The claims of the reference systems beside the rows that answer them, and how these are made."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks import claims, published, reference, tables
from benchmarks.claims import CLAIMS, Claim
from command import ser, tone

from ser_cli import recipes
from ser_cli.data.select import Selection
from ser_cli.data.verification import Source
from ser_cli.report import results

ALL = Claim("a", "Title", "80/20", 0.7)
SOME = replace(ALL, accuracy=0.8028, clips=Selection(("sad",), per_class=300))


def row(
    protocol: str, data: str, *, war: float, settings: str = "defaults", recipe: str = "a",
    seed: int = 0,
) -> dict[str, str]:  # fmt: skip
    named = {"recipe": recipe, "protocol": protocol, "data": data, "seed": str(seed)}
    return named | {"settings_from": settings, "war": str(war), "uar": "0.5"}


def test_documents_have_the_titles_that_the_recipes_name() -> None:
    for claim in CLAIMS:
        assert recipes.get(claim.recipe).source == claim.document
    own = {recipes.get(recipes.PREDICTING).source}
    assert {recipes.get(name).source for name in recipes.names()} - own == {
        claim.document for claim in CLAIMS
    }


def test_a_claim_stands_beside_the_same_clips() -> None:
    capped = "no sad, at most 300 a class"
    rows = [
        row("random70", "speech+song", war=0.04, recipe="b"),
        row("random70", "speech+song", war=0.61),
        row("random70", "speech", war=0.01),
        row("random70", f"speech+song, {capped}", war=0.62),
        row("random70", "speech+song, no sad", war=0.02),
        row("actors21-24", "speech+song", war=0.63),
        row("actors21-24", "speech", war=0.64),
        row("actors21-24", "song", war=0.03),
        row("random70", "speech+song", war=0.05, seed=1),
    ]
    unseen = ("63.0 / 50.0", "64.0 / 50.0", "defaults")
    assert claims.lines(rows, [ALL, SOME]) == [
        ("a", "Title", "all", "80/20", "70.0", "61.0 / 50.0", *unseen),
        ("a", "Title", capped, "80/20", "80.3", "62.0 / 50.0", *unseen),
    ]
    (other,) = claims.lines(rows, [ALL], seed=1)
    assert other[5:8] == ("5.0 / 50.0", "-", "-")


def test_each_settings_tried_have_a_line_of_their_own() -> None:
    rows = [
        row("random70", "speech+song", war=0.5),
        row("random70", "speech+song", war=0.6, settings="study x"),
        row("actors21-24", "speech+song", war=0.4, settings="study x"),
        row("actors21-24", "speech+song", war=0.1, settings="only unseen"),
    ]
    assert [line[5:] for line in claims.lines(rows, [ALL])] == [
        ("50.0 / 50.0", "-", "-", "defaults"),
        ("60.0 / 50.0", "40.0 / 50.0", "-", "study"),
        ("-", "10.0 / 50.0", "-", "only unseen"),
    ]
    # Trained with all clips, they answer no claim about some.
    assert [line[5:] for line in claims.lines(rows, [SOME])] == [("-", "-", "-", "not run yet")]


def test_a_claim_without_a_number_says_so() -> None:
    (line,) = claims.lines([], [replace(ALL, accuracy=None)])
    assert line[4:] == ("no number", "-", "-", "-", "not run yet")


def test_tables_keep_their_places_in_documents() -> None:
    table = tables.markdown(("a", "b"), [("1", "2")])
    assert table == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    text = "x\n<!-- one -->\nold\n<!-- /one -->\n<!-- two -->\nother\n<!-- /two -->\n"
    changed = tables.with_table(text, "one", table)
    assert (tables.shown(changed, "one"), tables.shown(changed, "two")) == (table, "other\n")
    assert tables.with_table(changed, "one", "old\n") == text
    assert tables.shown(text, "three") is None
    assert tables.aligned([("a", "bc"), ("def", "g")]) == "a    bc\ndef  g\n"


def test_published_results_are_in_percent_and_the_leaky_last() -> None:
    rates = dict(zip(published.RATES, ("0.6667", "0.6", "0.7", "0.5", "0.4", "0.1"), strict=True))
    named = {"corpora": "ravdess+nemo", "enrol_clips": "10", "weighted_f1": "0.4"}
    leaky = row("random70", "speech", war=0.5, settings="study x") | rates | named
    _, _, first, last = published.table([leaky, leaky | {"protocol": "emobox6"}]).splitlines()
    assert first == (
        "| `emobox6` | speech | ravdess, nemo | 10 | **66.7** (60.0 to 70.0) | 50.0 | 40.0 | 10.0 |"
    )
    assert last.startswith("| `random70` (leaky) | speech | ravdess, nemo | 10 |")


# -- running what is lacking


@pytest.fixture
def actors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of RAVDESS there is in this test: 24 actors, two emotions, a clip of each channel."""
    for actor in range(1, 25):
        for channel in ("01", "02"):
            for code, hertz in (("02", 600), ("05", 250)):
                name = f"03-{channel}-{code}-01-01-01-{actor:02d}.wav"
                tone(tmp_path / "all" / name, hertz + actor, seed=actor, seconds=0.3)
    index = {path.stem: "" for path in (tmp_path / "all").iterdir()}
    monkeypatch.setattr(Source, "digests", lambda source, part=None: index)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "all"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is started; it runs in this process, and fails where "no" is among its words."""
    made: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        made.append(command[3:])
        return subprocess.CompletedProcess(command, 1 if "no" in command else ser(*made[-1]).code)

    # Of this module alone: what `ser` itself starts is left as it is.
    fake = SimpleNamespace(run=run, DEVNULL=subprocess.DEVNULL, PIPE=subprocess.PIPE)
    monkeypatch.setattr(reference, "subprocess", fake)
    return made


def test_what_the_table_lacks_is_run(
    actors: Path, started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--recipe", "mfcc-mlp", "--epochs", "1", "--data", str(actors)]
    assert reference.main([*words, "--show"]) == 0
    assert "not run yet" in capsys.readouterr().out and not started
    assert reference.main([*words, "--protocol", "random70"]) == 0
    assert reference.main(words) == 0
    both = ["evaluate --protocol random70", "evaluate --protocol actors21-24"]
    end = f"--recipe mfcc-mlp --epochs 1 --data {actors}".split()
    assert started == [[*start.split(), *end] for start in both]
    assert capsys.readouterr().out.count("defaults with epochs=1") == 2
    rows = results.read(reference.TABLE)
    assert len(rows) == 6 and rows[0]["command"].startswith("ser evaluate --protocol random70 --")
    assert len(list(Path("artifacts/histories").iterdir())) == 2
    assert reference.main(words) == 0
    assert len(started) == 2  # nothing is repeated


def test_a_run_that_fails_is_told_and_ends_no_other(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    needed = [reference.Run("no", "random70", seed=seed) for seed in (0, 1)]
    assert not reference.fill(needed, workers=2)
    once = [["evaluate", "--protocol", "random70", "--recipe", "no"]]
    once.append([*once[0], "--seed", "1"])
    assert sorted(started[:2]) == once and started[2:] == once  # once more, one by one
    assert "ser evaluate --protocol random70 --recipe no --seed 1 failed" in capsys.readouterr().err


def test_the_clips_of_a_claim_are_chosen_by_option() -> None:
    (_, run) = reference.runs(reference.options(["--recipe", "stats-dense"]))[::-1]
    assert run.words()[5:] == ["--per-class", "300", "--exclude", "sad"]
    assert len(reference.runs(reference.options([]))) == 7 + 6


def test_an_incomplete_copy_answers_no_claim(
    actors: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = {path.stem: "" for path in actors.iterdir()} | {str(n): "" for n in range(2356)}
    monkeypatch.setattr(Source, "digests", lambda source, part=None: index)
    with pytest.raises(SystemExit, match="lacks 2356 clips"):
        reference.main(["--data", str(actors)])
    with pytest.raises(SystemExit, match="ser download-ravdess"):
        monkeypatch.delenv("SER_RAVDESS_DIR", raising=False)
        reference.main([])
    assert not started
