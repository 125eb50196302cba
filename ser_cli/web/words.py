"""What the page says about a recording: in its headline, and of whatever was odd about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ser_cli.model.votes import UNCERTAIN, is_unheard
from ser_cli.remarks import counted
from ser_cli.web.charts import PAUSE
from ser_cli.web.session import plain

if TYPE_CHECKING:
    from ser_cli.types import Prediction
    from ser_cli.web.listening import Listened

FLAGS = {
    "short": "It is shorter than half a second.",
    "silent": "It is silent: it is given no emotion.",
    "no speech": "Nobody speaks in it: it is given no emotion.",
    "narrow-band": "It has the band of a telephone.",
    "clipped": "It is overloaded.",
    "channels differ": "Each channel has sound of its own, as in a call: both were mixed.",
    "antiphase": "Its channels cancel each other: only the loudest one was used.",
    "non-finite": "It holds samples that are not finite numbers.",
    "damaged": "Parts of it are damaged and were passed over.",
    "tracks": "It has several tracks: the first that holds sound was heard.",
    "truncated": "It ends earlier than its header states.",
    "cut": "It is longer than what is heard of a recording.",
    "long": "It is longer than the network's input: the result is an average over windows.",
}


def headline(heard: Listened, name: str, classes: Sequence[str]) -> str:
    """Return the line over a recording, as Markdown: bold only where an emotion is sure enough."""
    if heard.is_timeline:
        count = len([row for row in heard.rows if row.status != "error"])
        what = f"timeline of {clock(heard.seconds)}" if count else "no speech is heard"
    else:
        what = _of_row(heard.rows[0], classes)
    return f"{what} · {plain(name)}"


def _of_row(row: Prediction, classes: Sequence[str]) -> str:
    if is_unheard(row):
        return "no speech is heard"
    if row.emotion == UNCERTAIN:
        return f"uncertain, at best {plain(likeliest(row, classes))} {row.confidence:.0%}"
    return f"**{plain(row.emotion)}** {row.confidence:.0%}"


def likeliest(row: Prediction, classes: Sequence[str]) -> str:
    """Return the emotion that a row, which is no error, is nearest to."""
    assert row.probabilities is not None
    return classes[int(row.probabilities.argmax())]


def notes(heard: Listened) -> Iterator[tuple[str, bool]]:
    """Yield what was odd about a recording, and whether that is a reason to warn."""
    rows = [row for row in heard.rows if row.status != "error"]
    found = Counter(flag for row in rows for flag in row.flags)
    for flag, count in found.items():
        of = f"{count} of {counted(len(rows), 'stretch', 'stretches')}: "
        yield (of if heard.is_timeline else "") + FLAGS.get(flag, flag), flag != "long"
    if heard.is_timeline and not rows:
        yield FLAGS[PAUSE], True


def summary(heard: Listened) -> str:
    """Return how long somebody speaks, and how long each emotion is heard, the longest first."""
    rows = [row for row in heard.rows if row.status != "error"]
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds[row.emotion] += row.end - row.start  # type: ignore[assignment]
    parts = ", ".join(f"{name} {clock(length)}" for name, length in seconds.most_common())
    spoken, count = clock(sum(seconds.values())), counted(len(rows), "stretch", "stretches")
    return f"Speech in {spoken} of {clock(heard.seconds)}, {count}: {parts}."


def stretch(row: Prediction) -> dict[str, str]:
    """Return a row of a timeline as people read it."""
    return {
        "from": clock(row.start),
        "to": clock(row.end),
        "emotion": row.emotion,
        "confidence": f"{row.confidence:.0%}",
        "flags": ", ".join(row.flags),
    }


def counts(rows: Sequence[Prediction], classes: Sequence[str]) -> dict[str, int]:
    """Return how many files have each emotion, or none; those that cannot be read are left out."""
    read = [row for row in rows if row.status != "error"]
    unheard = sum(map(is_unheard, read))
    uncertain = sum(row.emotion == UNCERTAIN and not is_unheard(row) for row in read)
    found = {name: sum(row.emotion == name for row in read) for name in classes}
    without = {UNCERTAIN: uncertain, PAUSE: unheard}
    return found | {name: number for name, number in without.items() if number}


def clock(seconds: float) -> str:
    """Return seconds as minutes:seconds; "?" where they are not known."""
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
