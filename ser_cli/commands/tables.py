"""Tables on stdout: any, and those of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ser_cli.disarm import visible

if TYPE_CHECKING:
    from rich.console import Console

    from ser_cli.data.parts import Count
    from ser_cli.report.metrics import Report

SPOKEN = "clips (speakers)"
_LINED, _BARE = (3, 1), (2, -1)  # letters between two columns, and those more or fewer at the edges


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout, the first column left, the others right; no word is broken."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    columns = list(zip(head, *rows, strict=True))
    room = _terminal().width
    drawn, (between, edges) = Table(), _LINED
    if not _fits(columns, room, _LINED):
        drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        between, edges = _BARE
    widths = _widths(columns, room - between * len(columns) - edges)
    for number, (name, width) in enumerate(zip(head, widths, strict=True)):
        justify: Any = "right" if number else "left"
        drawn.add_column(Text(visible(name)), justify=justify, overflow="fold", width=width)
    for row in rows:
        drawn.add_row(*(Text(visible(cell, keep="\n")) for cell in row))  # in its column
    # Not the table's own title, which is broken into lines as narrow as the table.
    _terminal().print(visible(title), style="italic", markup=False, highlight=False)
    _terminal().print(drawn)


def scores(title: str, reports: Sequence[tuple[str, Report]]) -> None:
    """Print the headline scores of one or more reports, in percent, UAR first.

    Where a report lacks a class, a column states how many its UAR is over.
    """
    head = ["data", "clips", "UAR (95 %)", "WAR", "macro F1", "weighted F1", "ECE"]
    rows = [_scores(part, report) for part, report in reports]
    if any(report.absent for _, report in reports):
        head.insert(2, "UAR over")
        for row, (_, report) in zip(rows, reports, strict=True):
            row.insert(2, f"{len(report.uar_labels)} of {len(report.labels)}")
    table(title, head, rows)


def per_class(report: Report, counts: Mapping[str, Count]) -> None:
    """Print precision, recall and F1 of each class, in percent; clips and speakers."""
    rows = [
        (
            row.label,
            *(percent(v) for v in (row.precision, row.recall, row.f1)),
            str(counts[row.label]),
        )
        for row in report.per_class
    ]
    title = "per class, in percent (recall: its share of right labels, also called accuracy)"
    table(title, ("emotion", "precision", "recall", "F1", SPOKEN), rows)


def spoken(title: str, counts: Mapping[str, Mapping[str, Count]]) -> None:
    """Print clips and speakers of each emotion, one column per part."""
    labels = sorted({label for part in counts.values() for label in part})
    rows = [(label, *(str(part[label]) for part in counts.values())) for label in labels]
    table(title, ("emotion", *counts), rows)


def confusion(report: Report) -> None:
    """Print the confusion matrix, rows truth, columns predicted.

    Where the names do not fit above the columns, these have the numbers of the rows.
    """
    title, names, heads = "truth (rows) against prediction", report.labels, report.labels
    counts = [[str(count) for count in row] for row in report.confusion.tolist()]
    columns = [names, *zip(heads, *counts, strict=True)]
    if not _fits(columns, _terminal().width, _BARE):
        title += " (columns, numbered as the rows)"
        heads = tuple(str(number) for number in range(1, len(names) + 1))
        names = tuple(f"{number} {name}" for number, name in zip(heads, names, strict=True))
    rows = [(name, *row) for name, row in zip(names, counts, strict=True)]
    table(title, ("", *heads), rows)


def _terminal() -> Console:
    """Return where tables are printed; Rich's own ends with code 1 where nobody reads on."""
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Terminal()


def percent(share: float) -> str:
    """Return a rate 0..1 in percent with one decimal."""
    return f"{100 * share:.1f}"


def _scores(part: str, report: Report) -> list[str]:
    low, high = report.intervals["uar"]
    return [
        part,
        str(report.n),
        f"{percent(report.uar)} ({percent(low)}-{percent(high)})",
        *(percent(v) for v in (report.war, report.macro_f1, report.weighted_f1, report.ece)),
    ]


def _fits(columns: Sequence[Sequence[str]], room: int, borders: tuple[int, int]) -> bool:
    """Tell whether no word of a table would be broken, in lines of so many letters."""
    between, edges = borders
    return sum(max(map(_longest_word, column)) + between for column in columns) + edges <= room


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int | None]:
    """Return how wide columns are so that no word is broken; where that is too much, None each."""
    least = [max(map(_longest_word, column)) for column in columns]
    left = room - sum(least)
    if left < 0:
        return [None] * len(columns)
    widths: list[int | None] = []
    for column, width in zip(columns, least, strict=True):
        more = min(left, max(map(_longest_line, column)) - width)
        widths.append(width + more)
        left -= more
    return widths


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _longest_line(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)
