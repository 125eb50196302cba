"""Tables as text and as Markdown, and their places in documents, between two comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

Cells = Sequence[str]


def aligned(lines: Sequence[Cells]) -> str:
    """Return cells in columns of equal width, one line a row."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "".join("  ".join(cells).rstrip() + "\n" for cells in padded)


def markdown(head: Cells, rows: Sequence[Cells]) -> str:
    """Return cells as a Markdown table, one line a row."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def shown(document: str, name: str) -> str | None:
    """Return the table that a document shows under this name."""
    found = _place(name).search(document)
    return found and found[2]


def with_table(document: str, name: str, table: str) -> str:
    """Return a document with another table under this name."""
    return _place(name).sub(lambda found: found[1] + table + found[3], document)


def _place(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)
