"""Damaged files end no process, and none lacks its row: a few of those of `nox -s fuzz`."""

from __future__ import annotations

from pathlib import Path

import fuzz
import numpy as np
import pytest
from formats import FORMATS

# Of seed 0, what once did harm: WMA that leads before its start (32 is MPEG-TS with a new track).
HARMED = (103,)


def test_damaged_files_do_no_harm() -> None:
    found = fuzz.run([*range(2 * len(FORMATS)), *HARMED], seed=0)
    assert fuzz.faults(found) == 0, fuzz.table(found)
    files, accepted, refused = (
        sum(count for (_, what), count in found.items() if what == column)
        for column in ("files", "accepted", "refused")
    )
    assert files == accepted + refused == 2 * len(FORMATS) + len(HARMED)
    assert accepted > 20 and refused > 10  # the damage is neither none nor everything


def test_the_same_seed_makes_the_same_files() -> None:
    content, other = bytes(range(256)) * 20, bytes(5_000)
    one, two, three = (
        fuzz.mutated(content, other, np.random.default_rng([seed, 7])) for seed in (0, 0, 1)
    )
    assert one == two != three and one != content


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"status": "error"}, "refused"),
        ({"status": "ok", "finite": False}, "not finite"),
        ({"status": "ok", "finite": True}, "accepted"),
    ],
)
def test_a_row_is_judged(row: dict[str, object], verdict: str) -> None:
    assert fuzz.judged(row) == verdict


@pytest.mark.parametrize("wrong", [{"angry": None}, {"angry": 0.5}, {"start": 2.0}, {}])
def test_numbers_of_a_row_are_judged(wrong: dict[str, float | None]) -> None:
    row = {name: 0.125 for name in fuzz.EMOTIONS} | {"start": 0, "end": 1, "confidence": 0.125}
    assert fuzz.judged({"status": "ok"} | row | wrong) == ("not finite" if wrong else "accepted")


def test_a_child_that_ends_early_is_found(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}-wav.wav" for n in range(4)]
    code = 'import sys\nfor path in sys.argv[1:]: print(\'{"file": "\' + path + \'", "status": \''
    code += "'\"error\"}') if '2-wav' not in path else sys.exit(9)"
    for path in files:
        path.write_bytes(b"x")
    found = fuzz.tried(code, [], files, tmp_path / "kept")
    assert dict(found) == {("wav", "files"): 4, ("wav", "refused"): 3, ("wav", "crashes"): 1}
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["2-wav.wav"]
