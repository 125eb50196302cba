"""Recordings of which some are skipped, and yet all keep their places."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ser_cli.sound.files import Found
from ser_cli.types import Prediction

Rows = list[Prediction]


def left(
    items: Iterable[Found], skip: Callable[[Found], bool], order: deque[tuple[Found, bool]]
) -> Iterator[Found]:
    """Yield the files that are not skipped, and note all of them in `order`."""
    for item in items:
        skipped = skip(item)
        order.append((item, skipped))
        if not skipped:
            yield item


def in_order(
    order: deque[tuple[Found, bool]], labelled: Iterable[Rows]
) -> Iterator[tuple[Found, Rows | None]]:
    """Yield the files as they were noted: those labelled with their rows, those skipped without."""
    for rows in labelled:
        while order[0][1]:
            yield order.popleft()[0], None
        yield order.popleft()[0], rows
    yield from ((item, None) for item, _ in order)
